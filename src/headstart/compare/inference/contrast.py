"""Estimates the difference in accuracy between two arms on the same seeds and test images, with its uncertainty.

The estimand is the expected difference of a new training on new images of the same source. The data are a crossed
table: a difference in correctness for each seed and image.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaincinv, stdtrit
from scipy.stats import binomtest

MIN_P_VALUE = 1e-12  # smaller values are rounded up to it


class Contrast(Protocol):
    """The mean difference between two arms and its uncertainty."""

    @property
    def mean(self) -> float: ...

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """The lengths of the 1 - ``alpha`` interval below and above the mean."""

    @property
    def p_value(self) -> float:
        """The smallest ``alpha`` whose interval excludes zero."""


def compute_contrast(difference: np.ndarray, classes: np.ndarray | None = None, folds: int = 1) -> Contrast:
    """Estimates the mean of ``difference``.

    Args:
        difference: float (S, n): for each of S seeds and n test images, the correctness (1 or 0) of the first arm less
            that of the second.
        classes: int (n,): the mean is over classes of the mean over a class's images (balanced accuracy); None: over
            images.
        folds: number of parts in which the images were tested, each by trainings of its own.

    Raises:
        ValueError: there are no two images (of one class, where the mean is over classes), or no seed.
    """
    seeds, images = difference.shape
    if seeds == 1 and classes is None and images > 1:
        return McNemarContrast(int((difference > 0).sum()), int((difference < 0).sum()), images)
    within = np.zeros(images, dtype=np.int64) if classes is None else np.unique(classes, return_inverse=True)[1]
    if seeds < 1 or images <= within.max(initial=0) + 1:
        raise ValueError(f"a table of {seeds} seeds and {images} images has no spread to go by")
    return _compute_crossed_contrast(difference, within, folds)


def reverse_contrast(contrast: Contrast) -> Contrast:
    """Returns the contrast of the second arm less the first."""
    if isinstance(contrast, McNemarContrast):
        return McNemarContrast(contrast.second_only, contrast.first_only, contrast.images)
    assert isinstance(contrast, CrossedContrast)
    return replace(contrast, mean=-contrast.mean)


def contrast_interval(contrast: Contrast, alpha: float) -> tuple[float, float]:
    """Computes the 1 - ``alpha`` confidence interval of the difference, within -1 and 1."""
    below, above = contrast.half_widths(alpha)
    return max(contrast.mean - below, -1.0), min(contrast.mean + above, 1.0)


@dataclass(frozen=True)
class CrossedContrast:
    """A two-way table without replication, seeds by images, both random.

    Args:
        mean: of the table.
        seeds: number of rows, S.
        images: number of columns, n; where classes count equally, the effective number (Kish 1965: 1 / sum of squared
            weights).
        mean_square_seeds: mean square between rows.
        mean_square_images: mean square between columns.
        mean_square_residual: mean square of the rest.
        folds: number of parts in which the images were tested.

    Example:
        >>> contrast = compute_contrast(np.array([[1.0, 0, 1], [1, 0, 0]]))
        >>> round(contrast.mean, 2), contrast.seeds
        (0.5, 2)
    """

    mean: float
    seeds: int
    images: float
    mean_square_seeds: float
    mean_square_images: float
    mean_square_residual: float
    folds: int = 1

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """Howe's half width, at least that of n images on which the arms agree."""
        half = howe_half_width(
            self.seeds,
            self.images,
            self.mean_square_seeds,
            self.mean_square_images,
            self.mean_square_residual,
            alpha,
            self.folds,
        )
        return (max(float(half), minimum_half_width(self.images, alpha)),) * 2

    @property
    def p_value(self) -> float:
        if self.half_widths(MIN_P_VALUE)[0] < abs(self.mean):
            return MIN_P_VALUE
        if self.mean == 0:
            return 1.0

        def excess(log_alpha: float) -> float:
            return self.half_widths(math.exp(log_alpha))[0] - abs(self.mean)

        return math.exp(brentq(excess, math.log(MIN_P_VALUE), 0.0, xtol=1e-6)) if excess(0.0) < 0 else 1.0


@dataclass(frozen=True)
class McNemarContrast:
    """A single seed: the exact test of McNemar (1947, Psychometrika 12:153). It is about these two networks only.

    Args:
        first_only: number of images that only the first arm classifies correctly.
        second_only: number of images that only the second arm classifies correctly.
        images: number of images, n.

    Example:
        >>> McNemarContrast(first_only=10, second_only=2, images=100).mean
        0.08
    """

    first_only: int
    second_only: int
    images: int

    @property
    def mean(self) -> float:
        return (self.first_only - self.second_only) / self.images

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """Clopper and Pearson's intervals.

        Towards zero, that of the first arm's share of the discordant images, so that the interval excludes zero
        exactly where the test rejects; away from zero, those of both shares of all images.
        """
        (first_low, first_high), (second_low, second_high) = (
            _clopper_pearson_interval(count, self.images, alpha) for count in (self.first_only, self.second_only)
        )
        low, high = first_low - second_high, first_high - second_low
        discordant = self.first_only + self.second_only
        if self.first_only != self.second_only:
            share_low, share_high = _clopper_pearson_interval(self.first_only, discordant, alpha)
            if self.first_only > self.second_only:
                low = (2 * share_low - 1) * discordant / self.images
            else:
                high = (2 * share_high - 1) * discordant / self.images
        return self.mean - low, high - self.mean

    @property
    def p_value(self) -> float:
        discordant = self.first_only + self.second_only
        return float(binomtest(self.first_only, discordant).pvalue) if discordant else 1.0


def howe_half_width(seeds, images, mean_square_seeds, mean_square_images, mean_square_residual, alpha, folds=1):
    """Computes half the width of the 1 - ``alpha`` interval of a crossed table's mean.

    Each part of the variance has the t quantile of its own degrees of freedom (Howe 1974, J. Am. Statist. Assoc.
    69:789), and the variance is at least that of the images alone. With K folds, trainings share most of their images
    and folds agree more than by chance. The images' variance is therefore multiplied by 1 + K/(K - 1), which puts
    1/K + n_test/n_train in the place of 1/K (Nadeau & Bengio 2003, Machine Learning 52:239). With one seed the images
    alone count. The mean squares may be arrays.
    """
    overlap = 1 + folds / (folds - 1) if folds > 1 else 1.0
    within = overlap * stdtrit(images - 1, 1 - alpha / 2) ** 2
    if seeds == 1:
        return np.sqrt(within * mean_square_images / images)
    between = stdtrit(seeds - 1, 1 - alpha / 2) ** 2 * mean_square_seeds
    total = between + within * np.maximum(mean_square_images - mean_square_residual, 0.0)
    return np.sqrt(np.maximum(total, within * mean_square_images) / (seeds * images))


def minimum_half_width(images: float, alpha: float) -> float:
    """Computes half the width of the narrowest 1 - ``alpha`` interval that n images can give: the largest share of
    images on which two arms may differ and still agree on all images of a sample."""
    return 1 - (alpha / 2) ** (1 / images)


def _compute_crossed_contrast(table: np.ndarray, classes: np.ndarray, folds: int) -> CrossedContrast:
    """Computes the mean squares of a table (S, n) whose images count by class, int (n,) from 0.

    An image of class c has the weight 1/(C n_c). A rare class has the largest weights and estimates its own spread
    worst: the spread within classes is taken class by class or over all classes, whichever is larger. With one class
    these are the mean squares of the two-way table.
    """
    seeds, images = table.shape
    sizes = np.bincount(classes)
    weights = 1 / (len(sizes) * sizes[classes])
    effective = 1 / float((weights**2).sum())
    by_class = np.array([np.bincount(classes, row) for row in table]) / sizes
    row_means, column_means, class_means = by_class.mean(axis=1), table.mean(axis=0), by_class.mean(axis=0)
    spread = (column_means - class_means[classes]) ** 2
    residual = ((table - column_means - (by_class - class_means)[:, classes]) ** 2).sum(axis=0) / max(seeds - 1, 1)
    class_by_class = effective * weights**2 * sizes[classes] / np.maximum(sizes[classes] - 1, 1)
    pooled = np.full(images, 1 / (images - len(sizes)))
    shares = max(class_by_class, pooled, key=lambda share: float(share @ spread))
    mean_square_images = seeds * float(shares @ spread)
    return CrossedContrast(
        mean=float(row_means.mean()),
        seeds=seeds,
        images=effective,
        mean_square_seeds=effective * float(row_means.var(ddof=1)) if seeds > 1 else 0.0,
        mean_square_images=mean_square_images,
        mean_square_residual=float(shares @ residual) if seeds > 1 else mean_square_images,
        folds=folds,
    )


def _clopper_pearson_interval(count: int, total: int, alpha: float) -> tuple[float, float]:
    """Computes the exact 1 - ``alpha`` interval of a share (1934, Biometrika 26:404).

    ``scipy.stats.binomtest(...).proportion_ci(method="exact")`` searches for the same limits and takes 10 ms for it.
    """
    low = float(betaincinv(count, total - count + 1, alpha / 2)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - alpha / 2)) if count < total else 1.0
    return low, high
