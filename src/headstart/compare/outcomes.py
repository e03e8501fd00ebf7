"""What each arm got right, image by image: the tables that a comparison is made of, from run directories alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from headstart import runs
from headstart.compare.arms import Result, arm_key, arm_names
from headstart.errors import HeadstartError

NEEDED = {"model", "data", "labels_per_class", "seed"}  # a result without them is none of a comparison's


@dataclass(frozen=True)
class Outcomes:
    """The runs of one data set and budget, on the same seeds and test images.

    Args:
        data: the data set's name.
        labels_per_class: the budget; None: all.
        seeds: those that every arm has.
        correct: by arm, bool (S, n): whether the run of a seed has an image right.
        models: by arm, what it is a variant of.
        left_out: by arm, its further seeds, which some other arm lacks.
    """

    data: str
    labels_per_class: int | None
    seeds: tuple[int, ...]
    correct: dict[str, np.ndarray]
    models: dict[str, str]
    left_out: dict[str, list[int]] = field(default_factory=dict)

    @property
    def images(self) -> int:
        return next(iter(self.correct.values())).shape[1]


def outcomes(results: Sequence[tuple[Path, Result]]) -> list[Outcomes]:
    """The tables of each data set and budget that has two arms or more with a seed in common; small budgets first.

    Args:
        results: run directories with what their ``result.json`` says.

    Raises:
        HeadstartError: runs that are compared were tested on other images, or predictions cannot be read.
    """
    results = [(directory, result) for directory, result in results if result.keys() >= NEEDED]
    names = arm_names([result for _, result in results])
    groups: dict[tuple[str, int | None], dict[str, dict[int, Path]]] = defaultdict(lambda: defaultdict(dict))
    models = {}
    for directory, result in results:
        arm = names[arm_key(result)]
        groups[result["data"], result["labels_per_class"]][arm][result["seed"]] = directory
        models[arm] = result["model"]
    found = []
    for (data, budget), arms in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or np.inf)):
        seeds = sorted(set.intersection(*(set(places) for places in arms.values())))
        if len(arms) < 2 or not seeds:
            continue
        correct = _correct({arm: [places[seed] for seed in seeds] for arm, places in arms.items()})
        left_out = {arm: sorted(set(places) - set(seeds)) for arm, places in arms.items() if len(places) > len(seeds)}
        found.append(Outcomes(data, budget, tuple(seeds), correct, {arm: models[arm] for arm in arms}, left_out))
    return found


def _correct(places: dict[str, list[Path]]) -> dict[str, np.ndarray]:
    tested: tuple[list[str], list[int]] | None = None
    correct = {}
    for arm, directories in places.items():
        rows = []
        for directory in directories:
            images, labels, predicted = runs.read_predictions(directory)
            if tested is None:
                tested = (images, labels.tolist())
            elif tested != (images, labels.tolist()):
                raise HeadstartError(
                    f"{directory}: tested on other images than the runs beside it; they do not compare"
                )
            rows.append(predicted == labels)
        correct[arm] = np.array(rows)
    return correct
