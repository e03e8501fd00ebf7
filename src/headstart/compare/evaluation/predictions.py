"""Loads the predictions of an arm at one budget, over its seeds and folds."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.compare.collect.sweep_runs import LoadedRun
from headstart.errors import HeadstartError
from headstart.runs.predictions import Predictions, read_predictions, read_probabilities

FoldSeed = tuple[int, int]  # fold and seed of a run at its budget


@dataclass(frozen=True)
class RunPredictions:
    """The predictions of a run.

    Args:
        labels: true classes, int64 (n,).
        predicted: predicted classes, int64 (n,).
        confidence: probability of the predicted class, float32 (n,).
    """

    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        return self.labels == self.predicted


@dataclass(frozen=True)
class ArmPredictions:
    """The predictions of an arm.

    Args:
        runs: of each run.
        images: names of the N test images, each once.
        labels: true classes, int64 (N,).
        probabilities: float32 (N, num_classes), mean over the runs that tested the image.
    """

    runs: dict[FoldSeed, RunPredictions]
    images: list[str]
    labels: np.ndarray
    probabilities: np.ndarray

    def pool(self) -> RunPredictions:
        """Concatenates the predictions of all runs."""
        runs = list(self.runs.values())
        return RunPredictions(
            np.concatenate([run.labels for run in runs]),
            np.concatenate([run.predicted for run in runs]),
            np.concatenate([run.confidence for run in runs]),
        )


def load_predictions(
    runs: Sequence[LoadedRun], read: Callable[[Path], Predictions] = read_predictions
) -> ArmPredictions:
    """Loads the runs of one arm at one budget.

    Args:
        runs: of the arm; those of a fold test the same images.
        read: reads the predictions of a run directory.

    Raises:
        HeadstartError: predictions cannot be read, or two runs of a fold tested other images.
    """
    by_run: dict[FoldSeed, RunPredictions] = {}
    folds: dict[int, Predictions] = {}
    sums: dict[int, np.ndarray] = {}
    for run in sorted(runs, key=lambda run: (run.result.fold, run.result.seed, run.directory)):
        fold = run.result.fold
        predictions, probabilities = read(run.directory), read_probabilities(run.directory)
        fold_predictions = folds.setdefault(fold, predictions)
        if fold_predictions.images != predictions.images or not np.array_equal(
            fold_predictions.labels, predictions.labels
        ):
            raise HeadstartError(
                f"{run.directory}: tested on other images than the runs beside it; they do not compare"
            )
        by_run[fold, run.result.seed] = RunPredictions(
            predictions.labels, predictions.predicted, probabilities.max(axis=1)
        )
        sums[fold] = sums[fold] + probabilities if fold in sums else probabilities
    num_runs = Counter(run.result.fold for run in runs)  # several runs may have one seed
    return ArmPredictions(
        by_run,
        [image for fold_predictions in folds.values() for image in fold_predictions.images],
        np.concatenate([fold_predictions.labels for fold_predictions in folds.values()]),
        np.concatenate([sums[fold] / np.float32(num_runs[fold]) for fold in folds]),
    )
