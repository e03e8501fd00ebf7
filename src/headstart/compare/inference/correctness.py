"""Builds tables of correct predictions, seeds by test images, of the arms that a verdict compares."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from headstart.compare.collect.sweep_runs import LoadedRun, SweepRuns
from headstart.compare.inference.eligibility import count_looks, count_planned_budgets, exclusion_reason
from headstart.errors import HeadstartError
from headstart.runs.predictions import Predictions, read_predictions
from headstart.runs.result import RunResult

RunsBySeed = dict[int, dict[int, LoadedRun]]  # of an arm: by seed, by fold


@dataclass(frozen=True)
class CorrectnessTable:
    """The predictions of one data set and budget, on the same seeds and test images for each arm.

    Args:
        data: name of the data set.
        labels_per_class: budget; None: all labels.
        seeds: the S seeds that each arm has.
        correct: by arm, bool (S, n): whether the run of a seed classifies an image correctly. With fewer than two
            arms there is nothing to compare.
        models: by arm, its model.
        labels: true classes of the images, int64 (n,).
        unshared_seeds: by arm, its seeds that another arm lacks.
        exclusions: by arm that is no evidence, the reason.
        constant_seeds: by arm, the seeds whose run predicts one class for all images.
        folds: number of parts in which the images are tested; 1: one split.
        num_looks: number of looks at the results.
        num_planned_budgets: number of budgets of the data set, untrained ones included.
        error: why the runs do not compare; ``correct`` is empty then.

    Example:
        >>> correct = {"frozen": np.ones((1, 4), dtype=bool), "finetune": np.eye(4, dtype=bool)[:1]}
        >>> table = CorrectnessTable("birds", 5, (0,), correct, {arm: arm for arm in correct}, np.arange(4) % 2)
        >>> table.num_images, table.find_arms("frozen")
        (4, ['frozen'])
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
        """Returns the arms of a model, or the arm of that name; excluded ones included."""
        return [arm for arm, model in self.models.items() if name in (arm, model)]

    @property
    def num_images(self) -> int:
        return len(self.labels)


def build_correctness_tables(
    runs: SweepRuns, read: Callable[[Path], Predictions] = read_predictions
) -> list[CorrectnessTable]:
    """Builds the table of each data set and budget with two arms or more, sorted by data set and budget.

    Where predictions cannot be read, or were made of other images, the table has an error and the others have none.

    Args:
        runs: of one or more sweeps; the finished and the failed ones are compared.
        read: reads the predictions of a run directory.
    """
    groups: dict[tuple[str, int | None], list[LoadedRun]] = defaultdict(list)
    for run in (*runs.finished, *runs.failed):
        groups[run.data_set, run.result.labels_per_class].append(run)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or np.inf))
    return [
        _build_table(data, budget, group, runs, read)
        for (data, budget), group in ordered
        if len({run.arm for run in group}) > 1
    ]


def _build_table(
    data: str, budget: int | None, group: list[LoadedRun], runs: SweepRuns, read: Callable[[Path], Predictions]
) -> CorrectnessTable:
    arms: dict[str, list[LoadedRun]] = defaultdict(list)
    for run in group:
        arms[run.arm].append(run)
    example = group[0].result
    ended = [*group, *(run for run in runs.superseded if run.result.labels_per_class == budget)]
    table = CorrectnessTable(
        data,
        budget,
        (),
        {},
        {arm: arm_runs[0].result.model for arm, arm_runs in arms.items()},
        np.zeros(0, dtype=np.int64),
        folds=example.num_folds,
        num_looks=count_looks(runs.commands, example, min(run.result.started for run in ended if run.data_set == data)),
        num_planned_budgets=max(count_planned_budgets(runs.commands, example), 1),
    )
    try:
        return _fill_table(table, arms, read)
    except HeadstartError as error:
        return replace(table, error=str(error))


def _fill_table(
    table: CorrectnessTable, arms: dict[str, list[LoadedRun]], read: Callable[[Path], Predictions]
) -> CorrectnessTable:
    """Reads the predictions on the seeds that all arms share; of no arm where they share none."""
    runs = {arm: _group_by_seed(arm_runs) for arm, arm_runs in arms.items()}
    reasons = {arm: exclusion_reason(_flatten_results(seeds)) for arm, seeds in runs.items()}
    exclusions = {arm: reason for arm, reason in reasons.items() if reason}
    complete = {
        arm: {seed: by_fold for seed, by_fold in seeds.items() if len(by_fold) == table.folds}
        for arm, seeds in runs.items()
        if arm not in exclusions
    }
    shared = sorted(set.intersection(*map(set, complete.values()))) if complete else []
    test_images = _TestImages()
    predicted = {
        arm: [_read_predicted_row(seeds[seed], test_images, read) for seed in shared]
        for arm, seeds in complete.items()
        if shared
    }
    constant = {
        arm: [seed for seed, row in zip(shared, rows, strict=True) if len(np.unique(row)) == 1]
        for arm, rows in predicted.items()
    }
    return replace(
        table,
        seeds=tuple(shared),
        correct={arm: np.array(rows) == test_images.labels for arm, rows in predicted.items()},
        labels=np.array(test_images.labels, dtype=np.int64),
        unshared_seeds={arm: unshared for arm in complete if (unshared := sorted(set(runs[arm]) - set(shared)))},
        exclusions=exclusions,
        constant_seeds={arm: seeds for arm, seeds in constant.items() if seeds},
    )


def _group_by_seed(arm_runs: Iterable[LoadedRun]) -> RunsBySeed:
    """Groups runs by seed and fold. A failed run counts only where no other run of its seed and fold is finished."""
    runs: RunsBySeed = defaultdict(dict)
    for run in sorted(arm_runs, key=lambda run: not run.result.is_failed):
        by_fold, fold = runs[run.result.seed], run.result.fold
        if fold in by_fold and by_fold[fold].result.is_finished:
            raise HeadstartError(
                f"{by_fold[fold].name} and {run.name} are the same arm and seed and differ in data, weights or "
                "version; give one of the two sweeps"
            )
        by_fold[fold] = run
    return runs


def _flatten_results(seeds: RunsBySeed) -> list[RunResult]:
    return [run.result for _, by_fold in sorted(seeds.items()) for _, run in sorted(by_fold.items())]


@dataclass
class _TestImages:
    """The test images of the first row, which all rows must have."""

    images: list[str] | None = None
    labels: list[int] = field(default_factory=list)


def _read_predicted_row(
    by_fold: dict[int, LoadedRun], test_images: _TestImages, read: Callable[[Path], Predictions]
) -> np.ndarray:
    """Reads the predicted classes of one seed over all folds, int64 (n,)."""
    predictions = [read(run.directory) for _, run in sorted(by_fold.items())]
    images = [image for fold_predictions in predictions for image in fold_predictions.images]
    labels = [label for fold_predictions in predictions for label in fold_predictions.labels.tolist()]
    if test_images.images is None:
        test_images.images, test_images.labels = images, labels
    elif (test_images.images, test_images.labels) != (images, labels):
        directory = max(by_fold.items())[1].directory
        raise HeadstartError(f"{directory}: tested on other images than the runs beside it; they do not compare")
    return np.concatenate([fold_predictions.predicted for fold_predictions in predictions])
