"""What an arm said of the test images at one budget: read once from its runs' predictions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.errors import HeadstartError
from headstart.runs.predictions import read_predictions, read_probabilities

FoldSeed = tuple[int, int]  # of a run at its budget: its fold and its seed


@dataclass(frozen=True)
class RunPredictions:
    """One run's answers: labels, predictions int64 (n,), and the probability of what it predicted (n,)."""

    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        return self.labels == self.predicted


@dataclass(frozen=True)
class ArmPredictions:
    """The answers of an arm.

    Args:
        runs: of each run.
        images: the test images, each once, N.
        labels: their classes, int64 (N,).
        probabilities: float32 (N, num_classes), mean over the runs that tested the image.
    """

    runs: dict[FoldSeed, RunPredictions]
    images: list[str]
    labels: np.ndarray
    probabilities: np.ndarray

    def pool(self) -> RunPredictions:
        """The answers of all runs, one after another."""
        every = list(self.runs.values())
        return RunPredictions(
            np.concatenate([a.labels for a in every]),
            np.concatenate([a.predicted for a in every]),
            np.concatenate([a.confidence for a in every]),
        )


def load_predictions(run_directories: Sequence[tuple[FoldSeed, Path]]) -> ArmPredictions:
    """Reads the runs of one arm at one budget. The runs of a fold test the same images.

    Raises:
        HeadstartError: predictions cannot be read, or two runs of a fold were tested on other images.
    """
    answers: dict[FoldSeed, RunPredictions] = {}
    folds: dict[int, tuple[list[str], np.ndarray]] = {}
    sums: dict[int, np.ndarray] = {}
    for (fold, seed), directory in sorted(run_directories):
        content = read_predictions(directory)
        images, labels, predicted = content.images, content.labels, content.predicted
        probabilities = read_probabilities(directory)
        before, true = folds.setdefault(fold, (images, labels))
        if before != images or not np.array_equal(true, labels):
            raise HeadstartError(f"{directory}: tested on other images than the runs beside it; they do not compare")
        answers[fold, seed] = RunPredictions(labels, predicted, probabilities.max(axis=1))
        sums[fold] = sums[fold] + probabilities if fold in sums else probabilities
    count = Counter(fold for (fold, _), _ in run_directories)  # several may be of one seed
    return ArmPredictions(
        answers,
        [image for images, _ in folds.values() for image in images],
        np.concatenate([labels for _, labels in folds.values()]),
        np.concatenate([sums[fold] / np.float32(count[fold]) for fold in folds]),
    )
