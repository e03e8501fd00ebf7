"""How sure one may be of a difference in accuracy between two arms, on the same test images and seeds.

The estimand is the difference to expect of a new training on new images of the same source. What was
measured is a crossed table: a difference in correctness for each seed and image.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.optimize import brentq
from scipy.special import bdtr, betaincinv, stdtrit

ArmPair = tuple[str, str]

MIN_P_VALUE = 1e-12  # smaller ones say no more


class Contrast(Protocol):
    """The mean difference between two arms, and how sure it is."""

    @property
    def mean(self) -> float: ...

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """How far the 1 - ``alpha`` interval reaches below and above the mean."""

    @property
    def p_value(self) -> float:
        """The smallest ``alpha`` whose interval leaves zero out."""


def compute_contrast(difference: np.ndarray, classes: np.ndarray | None = None, folds: int = 1) -> Contrast:
    """How sure the mean of ``difference`` is.

    Args:
        difference: float (S, n): for each of S seeds and n test images, the correctness of one arm (1 or 0)
            less that of the other.
        classes: int (n,): the mean is that over classes of the mean over a class's images (balanced accuracy);
            None: over images.
        folds: in how many parts the images were tested, each by trainings of its own.

    Raises:
        ValueError: no two images (of one class, where the mean is over classes), or no seed.
    """
    seeds, images = difference.shape
    if seeds == 1 and classes is None and images > 1:
        return McNemarContrast(int((difference > 0).sum()), int((difference < 0).sum()), images)
    within = np.zeros(images, dtype=np.int64) if classes is None else np.unique(classes, return_inverse=True)[1]
    if seeds < 1 or images <= within.max(initial=0) + 1:
        raise ValueError(f"a table of {seeds} seeds and {images} images has no spread to go by")
    return _compute_crossed_contrast(difference, within, folds)


def reverse_contrast(contrast: Contrast) -> Contrast:
    """The same contrast, the other arm less the one."""
    if isinstance(contrast, McNemarContrast):
        return McNemarContrast(contrast.second_only, contrast.first_only, contrast.images)
    assert isinstance(contrast, CrossedContrast)
    return replace(contrast, mean=-contrast.mean)


def contrast_interval(contrast: Contrast, alpha: float) -> tuple[float, float]:
    """The 1 - ``alpha`` confidence interval of the difference, within -1 and 1, beyond which no difference lies."""
    below, above = contrast.half_widths(alpha)
    return max(contrast.mean - below, -1.0), min(contrast.mean + above, 1.0)


@dataclass(frozen=True)
class CrossedContrast:
    """A two-way table without replication, seeds by images, both ways random.

    Args:
        mean: of the table.
        seeds: its rows, S.
        images: its columns, n; where classes count equally, the images of equal classes that would say as much
            (Kish 1965: 1 / sum of squared weights).
        by_seed, by_image, rest: its mean squares.
        folds: parts in which the images were tested.
    """

    mean: float
    seeds: int
    images: float
    mean_square_seeds: float
    mean_square_images: float
    mean_square_residual: float
    folds: int = 1

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """Never narrower than what n images on which the arms agree allow."""
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
    """A single seed: exact McNemar (1947, Psychometrika 12:153), for these two trained networks only.

    Args:
        gained, lost: images that only the one, only the other arm has right.
        images: n.
    """

    first_only: int
    second_only: int
    images: int

    @property
    def mean(self) -> float:
        return (self.first_only - self.second_only) / self.images

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """Towards zero by Clopper and Pearson's interval of the share gained among the discordant images, so that
        zero is outside exactly where the test rejects; away from it by theirs of both shares of all images."""
        (least_gained, most_gained), (least_lost, most_lost) = (
            _clopper_pearson(count, self.images, alpha) for count in (self.first_only, self.second_only)
        )
        low, high = least_gained - most_lost, most_gained - least_lost
        discordant = self.first_only + self.second_only
        if self.first_only != self.second_only:
            least, most = (2 * share - 1 for share in _clopper_pearson(self.first_only, discordant, alpha))
            low = least * discordant / self.images if self.first_only > self.second_only else low
            high = most * discordant / self.images if self.first_only < self.second_only else high
        return self.mean - low, high - self.mean

    @property
    def p_value(self) -> float:
        fewer, discordant = min(self.first_only, self.second_only), self.first_only + self.second_only
        return min(1.0, 2 * float(bdtr(fewer, discordant, 0.5)))


def howe_half_width(seeds, images, mean_square_seeds, mean_square_images, mean_square_residual, alpha, folds=1):
    """Half the width of the 1 - ``alpha`` interval of a crossed table's mean.

    Each part of the variance has the t quantile of its own degrees of freedom (Howe 1974, J. Am. Statist. Assoc.
    69:789), and it is at no time less than images alone would have it. With folds, trainings share most of their
    images, so that folds agree more than chance has it: the part of the images grows by 1 + K/(K - 1), which is
    1/K + n_test/n_train instead of 1/K (Nadeau & Bengio 2003, Machine Learning 52:239). With one seed the images
    alone speak. The mean squares may be arrays.
    """
    overlap = 1 + folds / (folds - 1) if folds > 1 else 1.0
    within = overlap * stdtrit(images - 1, 1 - alpha / 2) ** 2
    if seeds == 1:
        return np.sqrt(within * mean_square_images / images)
    between = stdtrit(seeds - 1, 1 - alpha / 2) ** 2 * mean_square_seeds
    both = between + within * np.maximum(mean_square_images - mean_square_residual, 0.0)
    return np.sqrt(np.maximum(both, within * mean_square_images) / (seeds * images))


def minimum_half_width(images: float, alpha: float) -> float:
    """The largest share of images on which two arms may differ and still agree on all ``images`` of a sample,
    at 1 - ``alpha``: half the width of the narrowest interval that n images can give."""
    return 1 - (alpha / 2) ** (1 / images)


def reject_step_down(
    p_values: dict[ArmPair, float], alpha: float, max_true: int, has_prior_rejection: bool = False
) -> set[ArmPair]:
    """Which hypotheses fall at the family's level ``alpha``: Holm (1979, Scand. J. Statist. 6:65), with Shaffer's
    count (1986, J. Am. Statist. Assoc. 81:826) of those that can still be true once another is not.

    Args:
        p_values: of each hypothesis.
        alpha: the chance that any that is true falls.
        together: how many of them can be true at once, if one of the family is not.
        one_fell: whether one of the family, that is not among these, has fallen.
    """
    fallen: set[ArmPair] = set()
    for rank, (pair, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        left = len(p_values) - rank
        if p > alpha / (min(left, max_true) if fallen or has_prior_rejection else left):
            break
        fallen.add(pair)
    return fallen


def _compute_crossed_contrast(table: np.ndarray, classes: np.ndarray, folds: int) -> CrossedContrast:
    """The mean squares of a table (S, n) whose images count by their class, int (n,) from 0.

    An image of class c weighs 1/(C n_c). A rare class weighs most and tells least of its own spread: the spread
    within classes is taken class by class or for all classes together, whichever is larger. With one class these
    are the mean squares of the two-way table.
    """
    seeds, images = table.shape
    sizes = np.bincount(classes)
    weights = 1 / (len(sizes) * sizes[classes])
    effective = 1 / float((weights**2).sum())
    by_class = np.array([np.bincount(classes, row) for row in table]) / sizes
    rows, columns, of_class = by_class.mean(axis=1), table.mean(axis=0), by_class.mean(axis=0)
    spread = (columns - of_class[classes]) ** 2
    rest = ((table - columns - (by_class - of_class)[:, classes]) ** 2).sum(axis=0) / max(seeds - 1, 1)
    alone = effective * weights**2 * sizes[classes] / np.maximum(sizes[classes] - 1, 1)
    pooled = np.full(images, 1 / (images - len(sizes)))
    each = max(alone, pooled, key=lambda share: float(share @ spread))
    return CrossedContrast(
        mean=float(rows.mean()),
        seeds=seeds,
        images=effective,
        mean_square_seeds=effective * float(rows.var(ddof=1)) if seeds > 1 else 0.0,
        mean_square_images=seeds * float(each @ spread),
        mean_square_residual=float(each @ rest) if seeds > 1 else seeds * float(each @ spread),
        folds=folds,
    )


def _clopper_pearson(count: int, of: int, alpha: float) -> tuple[float, float]:
    """The exact 1 - ``alpha`` interval of a share (1934, Biometrika 26:404)."""
    low = float(betaincinv(count, of - count + 1, alpha / 2)) if count else 0.0
    high = float(betaincinv(count + 1, of - count, 1 - alpha / 2)) if count < of else 1.0
    return low, high
