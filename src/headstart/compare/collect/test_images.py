"""The test images of a table, fold by fold: which they are, and which a run classifies correctly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from headstart.errors import HeadstartError
from headstart.runs.predictions import Predictions


class TestImages:
    """The test images of each fold, which all runs of the fold must have.

    Example:
        >>> images = TestImages()
        >>> predicted = images.read_predicted(0, Path("runs/frozen-digits-5-seed0-1a2b3c4d"), read)  # doctest: +SKIP
        >>> images.mark_correct({0: predicted}).shape  # doctest: +SKIP
        (359,)
    """

    __test__ = False  # for pytest

    def __init__(self) -> None:
        self._folds: dict[int, Predictions] = {}

    def read_predicted(self, fold: int, directory: Path, read: Callable[[Path], Predictions]) -> np.ndarray:
        """Reads the predicted classes of a run, int64 (n,) over the images of its fold.

        Raises:
            HeadstartError: they cannot be read, or belong to other images than those of an earlier run of the fold.
        """
        predictions = read(directory)
        images = self._folds.setdefault(fold, predictions)
        if (images.images, images.groups) != (predictions.images, predictions.groups) or not np.array_equal(
            images.labels, predictions.labels
        ):
            raise HeadstartError(f"{directory}: tested on other images than the runs beside it; they do not compare")
        return predictions.predicted

    def mark_correct(self, predicted: dict[int, np.ndarray]) -> np.ndarray:
        """Which images a seed's runs classify correctly, float (n,) over all folds: 1, 0, or NaN where not tested.

        Args:
            predicted: by fold, the predicted classes.
        """
        return np.concatenate(
            [
                (predicted[fold] == images.labels).astype(float)
                if fold in predicted
                else np.full(len(images.labels), np.nan)
                for fold, images in sorted(self._folds.items())
            ]
        )

    @property
    def count(self) -> int:
        """Number of images over all folds, n."""
        return len(self.labels)

    @property
    def labels(self) -> np.ndarray:
        """True classes, int64 (n,)."""
        labels = [images.labels for _, images in sorted(self._folds.items())]
        return np.concatenate(labels).astype(np.int64) if labels else np.zeros(0, dtype=np.int64)

    @property
    def groups(self) -> np.ndarray | None:
        """A number for each image, int64 (n,), equal for images of one group; None where images have no groups."""
        names: list[str] = []
        for _, images in sorted(self._folds.items()):
            if images.groups is None:
                return None
            names += images.groups
        return np.unique(names, return_inverse=True)[1] if names else None
