"""Estimates the difference in accuracy between two arms on the same seeds and test images, with its uncertainty.

The estimand is the expected difference of a new training on new images of the same source.
"""

import numpy as np

from headstart.compare.inference.crossed_contrast import CrossedContrast, compute_crossed_contrast
from headstart.compare.inference.mcnemar import McNemarContrast
from headstart.compare.inference.rotated_contrast import RotatedContrast, compute_rotated_contrast

Contrast = McNemarContrast | CrossedContrast | RotatedContrast


def compute_contrast(
    difference: np.ndarray,
    classes: np.ndarray | None = None,
    folds: int = 1,
    groups: np.ndarray | None = None,
) -> Contrast:
    """Estimates the mean of ``difference``.

    Where each seed tested its own part of the images, NaN stands for the others (see :class:`RotatedContrast`); else
    the table is crossed (see :class:`CrossedContrast`). A single seed without classes and groups is a
    :class:`McNemarContrast`.

    Args:
        difference: float (S, n): for each of S seeds and n test images, the correctness (1 or 0) of the first arm less
            that of the second; NaN where the seed did not test the image.
        classes: int (n,): the mean is over classes of the mean over a class's images (balanced accuracy); None: over
            images.
        folds: number of parts in which the images were tested, each by trainings of its own.
        groups: int (n,): images of one group are alike, so that groups are what is new; None: images are.

    Raises:
        ValueError: there are no two images (of one class, where the mean is over classes) or groups, or no seed.
    """
    is_tested = ~np.isnan(difference)
    columns = is_tested.any(axis=0)
    difference = difference[:, columns]
    classes, groups = (None if each is None else each[columns] for each in (classes, groups))
    if not is_tested[:, columns].all():
        return compute_rotated_contrast(difference, classes, folds, groups)
    seeds, images = difference.shape
    if seeds == 1 and classes is None and groups is None and images > 1:
        return McNemarContrast(int((difference > 0).sum()), int((difference < 0).sum()), images)
    return compute_crossed_contrast(difference, classes, folds, groups)


def contrast_interval(contrast: Contrast, alpha: float) -> tuple[float, float]:
    """Computes the 1 - ``alpha`` confidence interval of the difference, within -1 and 1."""
    below, above = contrast.half_widths(alpha)
    return max(contrast.mean - below, -1.0), min(contrast.mean + above, 1.0)
