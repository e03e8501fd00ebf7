"""What each arm got right, image by image: the tables that a comparison is made of, from run directories alone."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from headstart.compare.arm_names import RunResult, arm_names
from headstart.compare.collect.superseded_runs import group_by_generation
from headstart.compare.inference.eligibility import count_looks, exclusion_reason
from headstart.errors import HeadstartError
from headstart.file_names import encode_name
from headstart.runs.predictions import read_predictions

REQUIRED_FIELDS = {"model", "data", "labels_per_class", "seed"}  # a result without them is none of a comparison's

LoadedRun = tuple[Path, RunResult]
RunsBySeed = dict[int, dict[int, LoadedRun]]  # of an arm: by seed, by fold


@dataclass(frozen=True)
class CorrectnessTable:
    """The runs of one data set and budget, on the same seeds and test images.

    Args:
        data: the data set's name.
        labels_per_class: the budget; None: all.
        seeds: those that every arm has.
        correct: by arm, bool (S, n): whether the run of a seed has an image right. With fewer than two arms there
            is nothing to compare.
        models: by arm, what it is a variant of.
        labels: the images' true classes, int64 (n,).
        left_out: by arm, its further seeds, which some other arm lacks.
        refused: by arm that is no evidence here, why.
        constant: by arm, the seeds whose run named one class for every image.
        folds: parts in which the images were tested, each by trainings of its own; 1: one split.
        looks: how often seeds were asked for, the later times after earlier ones had been seen.
        asked_budgets: over how many budgets the sweep was to go, those included that have not come to their end.
        trouble: why the runs do not compare, in a line; then there is nothing in ``correct``.
    """

    data: str
    labels_per_class: int | None
    seeds: tuple[int, ...]
    correct: dict[str, np.ndarray]
    models: dict[str, str]
    labels: np.ndarray
    unshared_seeds: dict[str, list[int]] = field(default_factory=dict)
    exclusions: dict[str, str] = field(default_factory=dict)
    constant_seeds: dict[str, list[int]] = field(default_factory=dict)
    folds: int = 1
    num_looks: int = 1
    num_planned_budgets: int = 1
    error: str | None = None

    def find_arms(self, name: str) -> list[str]:
        """The arms that a model or an arm's own name stands for, refused ones among them."""
        return [arm for arm, model in self.models.items() if name in (arm, model)]

    @property
    def num_images(self) -> int:
        return len(self.labels)


def build_correctness_tables(
    results: Sequence[LoadedRun], superseded: Sequence[LoadedRun] = ()
) -> list[CorrectnessTable]:
    """The tables of each data set and budget that has two arms or more; small budgets first.

    Where predictions cannot be read, or were made of other images, the budget has its trouble, and the others none.

    Args:
        results: run directories with what their ``result.json`` says, failed runs among them.
        superseded: likewise, those whose place others have taken: nothing but looks.
    """
    results = [
        (place, {"arm": result["model"], **result}) for place, result in results if result.keys() >= REQUIRED_FIELDS
    ]
    names = arm_names([result for _, result in results])
    groups: dict[tuple[str, int | None], dict[str, list[LoadedRun]]] = defaultdict(lambda: defaultdict(list))
    for name, (place, result) in zip(names, results, strict=True):
        groups[_data_and_budget(result)][name].append((place, result))
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or np.inf))
    found = (
        _build_table(*where, arms, [run for run in superseded if _data_and_budget(run[1]) == where])
        for where, arms in ordered
    )
    return [table for table in found if table is not None]


def _data_and_budget(result: RunResult) -> tuple[str, int | None]:
    return str(result.get("data")), result.get("labels_per_class")


def _build_table(
    data: str, budget: int | None, arms: dict[str, list[LoadedRun]], superseded: Sequence[LoadedRun]
) -> CorrectnessTable | None:
    if len(arms) < 2:
        return None
    results = [result for of_arm in arms.values() for _, result in of_arm]
    whole = CorrectnessTable(
        data,
        budget,
        (),
        {},
        {arm: of_arm[0][1]["model"] for arm, of_arm in arms.items()},
        np.zeros(0, dtype=np.int64),
        folds=max(result.get("folds") or 1 for result in results),
        num_looks=count_looks(results, group_by_generation(superseded)),
        num_planned_budgets=max(result.get("asked_budgets") or 1 for result in results),
    )
    try:
        return _fill_table(whole, arms)
    except HeadstartError as error:
        return replace(whole, error=str(error))


def _fill_table(table: CorrectnessTable, arms: dict[str, list[LoadedRun]]) -> CorrectnessTable:
    """The table with what its arms got right; of no arm where they have no seed in common."""
    found = {arm: _group_by_seed(of_arm) for arm, of_arm in arms.items()}
    reasons = {arm: exclusion_reason(_flatten_results(seeds)) for arm, seeds in found.items()}
    refused = {arm: reason for arm, reason in reasons.items() if reason}
    whole = {
        arm: {seed: by_fold for seed, by_fold in seeds.items() if len(by_fold) == table.folds}
        for arm, seeds in found.items()
        if arm not in refused
    }
    shared = sorted(set.intersection(*map(set, whole.values()))) if whole else []
    tested = _TestImages()
    compared = {
        arm: [_read_predicted_row(seeds[seed], tested) for seed in shared] for arm, seeds in whole.items() if shared
    }
    constant = {
        arm: [seed for seed, row in zip(shared, rows, strict=True) if len(np.unique(row)) == 1]
        for arm, rows in compared.items()
    }
    return replace(
        table,
        seeds=tuple(shared),
        correct={arm: np.array(rows) == tested.labels for arm, rows in compared.items()},
        labels=np.array(tested.labels, dtype=np.int64),
        unshared_seeds={arm: left for arm, seeds in whole.items() if (left := sorted(set(found[arm]) - set(shared)))},
        exclusions=refused,
        constant_seeds={arm: seeds for arm, seeds in constant.items() if seeds},
    )


def _group_by_seed(of_arm: Iterable[LoadedRun]) -> RunsBySeed:
    """A failed run counts only where no other of its seed and fold came to its end."""
    found: RunsBySeed = defaultdict(dict)
    for place, result in sorted(of_arm, key=lambda run: run[1].get("status") != "failed"):
        by_fold, fold = found[result["seed"]], result.get("fold") or 0
        if fold in by_fold and by_fold[fold][1].get("status") != "failed":
            one, other = encode_name(by_fold[fold][0].name), encode_name(place.name)
            raise HeadstartError(
                f"{one} and {other} are the same arm and seed and differ in data, weights or "
                "version; give one of the two sweeps"
            )
        by_fold[fold] = place, result
    return found


def _flatten_results(seeds: RunsBySeed) -> list[RunResult]:
    return [result for _, by_fold in sorted(seeds.items()) for _, (_, result) in sorted(by_fold.items())]


@dataclass
class _TestImages:
    """The images that the first row was tested on: all others must be, too."""

    images: list[str] | None = None
    labels: list[int] = field(default_factory=list)


def _read_predicted_row(by_fold: dict[int, LoadedRun], tested: _TestImages) -> np.ndarray:
    """What one seed's run, or its runs of all folds, took each image for, int64 (n,)."""
    images, labels, predicted = [], [], []
    for _, (place, _) in sorted(by_fold.items()):
        answers = read_predictions(place)
        images += answers.images
        labels += answers.labels.tolist()
        predicted.append(answers.predicted)
    if tested.images is None:
        tested.images, tested.labels = images, labels
    elif (tested.images, tested.labels) != (images, labels):
        raise HeadstartError(f"{place}: tested on other images than the runs beside it; they do not compare")
    return np.concatenate(predicted)
