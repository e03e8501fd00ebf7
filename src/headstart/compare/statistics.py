"""How sure one may be of a difference in accuracy between two arms, on the same test images and seeds.

The estimand is the difference to expect of a new training on new images of the same source. What was
measured is a crossed table: a difference in correctness for each seed and image.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit
from scipy.stats import beta, binom

LEAST_P = 1e-12  # smaller ones say no more


class Contrast(Protocol):
    """The mean difference between two arms, and how sure it is."""

    @property
    def mean(self) -> float: ...

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """How far the 1 - ``alpha`` interval reaches below and above the mean."""

    @property
    def p_value(self) -> float:
        """The smallest ``alpha`` whose interval leaves zero out."""


def contrast(difference: np.ndarray) -> Contrast:
    """How sure the mean of ``difference`` is.

    Args:
        difference: float (S, n): for each of S seeds and n test images, the correctness of one arm (1 or 0)
            less that of the other.

    Raises:
        ValueError: fewer than two images, or no seed.
    """
    seeds, images = difference.shape
    if seeds < 1 or images < 2:
        raise ValueError(f"a table of {seeds} seeds and {images} images has no spread to go by")
    return Crossed(*_mean_squares(difference)) if seeds > 1 else OneSeed(*_discordant(difference[0]))


def interval(found: Contrast, alpha: float) -> tuple[float, float]:
    """The 1 - ``alpha`` confidence interval of the difference."""
    below, above = found.half_widths(alpha)
    return found.mean - below, found.mean + above


@dataclass(frozen=True)
class Crossed:
    """Several seeds: a two-way table without replication, both ways random.

    Args:
        mean: of the table.
        seeds, images: its sides, S and n.
        by_seed, by_image, rest: its mean squares.
    """

    mean: float
    seeds: int
    images: int
    by_seed: float
    by_image: float
    rest: float

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """Howe's form (1974, JASA 69:789): each part of the variance with its own t quantile; at no time narrower
        than images alone would have it, nor than what n images on which the arms agree allow."""
        between = stdtrit(self.seeds - 1, 1 - alpha / 2) ** 2 * self.by_seed
        within = stdtrit(self.images - 1, 1 - alpha / 2) ** 2
        both = between + within * max(self.by_image - self.rest, 0.0)
        half = math.sqrt(max(both, within * self.by_image) / (self.seeds * self.images))
        half = max(half, agreeing(self.images, alpha))
        return half, half

    @property
    def p_value(self) -> float:
        if self.half_widths(LEAST_P)[0] < abs(self.mean):
            return LEAST_P
        if self.mean == 0:
            return 1.0

        def excess(log_alpha: float) -> float:
            return self.half_widths(math.exp(log_alpha))[0] - abs(self.mean)

        return math.exp(brentq(excess, math.log(LEAST_P), 0.0, xtol=1e-9)) if excess(0.0) < 0 else 1.0


@dataclass(frozen=True)
class OneSeed:
    """A single seed: exact McNemar (1947, Psychometrika 12:153), for these two trained networks only.

    Args:
        gained, lost: images that only the one, only the other arm has right.
        images: n.
    """

    gained: int
    lost: int
    images: int

    @property
    def mean(self) -> float:
        return (self.gained - self.lost) / self.images

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """Towards zero by Clopper and Pearson's interval of the share gained among the discordant images, so that
        zero is outside exactly where the test rejects; away from it by theirs of both shares of all images."""
        (least_gained, most_gained), (least_lost, most_lost) = (
            _clopper_pearson(count, self.images, alpha) for count in (self.gained, self.lost)
        )
        low, high = least_gained - most_lost, most_gained - least_lost
        discordant = self.gained + self.lost
        if self.gained != self.lost:
            least, most = (2 * share - 1 for share in _clopper_pearson(self.gained, discordant, alpha))
            low = least * discordant / self.images if self.gained > self.lost else low
            high = most * discordant / self.images if self.gained < self.lost else high
        return self.mean - low, high - self.mean

    @property
    def p_value(self) -> float:
        fewer, discordant = min(self.gained, self.lost), self.gained + self.lost
        return min(1.0, 2 * float(binom.cdf(fewer, discordant, 0.5)))


def agreeing(images: int, alpha: float) -> float:
    """The largest share of images on which two arms may differ and still agree on all ``images`` of a sample,
    at 1 - ``alpha``: half the width of the narrowest interval that n images can give."""
    return 1 - (alpha / 2) ** (1 / images)


def holm(p_values: dict[tuple[str, str], float], alpha: float) -> set[tuple[str, str]]:
    """Which hypotheses fall at the family's level ``alpha`` (Holm 1979, Scand. J. Statist. 6:65)."""
    fallen: set[tuple[str, str]] = set()
    for rank, (pair, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        if p > alpha / (len(p_values) - rank):
            break
        fallen.add(pair)
    return fallen


def _mean_squares(table: np.ndarray) -> tuple[float, int, int, float, float, float]:
    seeds, images = table.shape
    mean = float(table.mean())
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    by_seed = images * float(rows.var(ddof=1))
    by_image = seeds * float(columns.var(ddof=1))
    rest = table - rows[:, None] - columns + mean
    return mean, seeds, images, by_seed, by_image, float((rest**2).sum()) / ((seeds - 1) * (images - 1))


def _clopper_pearson(count: int, of: int, alpha: float) -> tuple[float, float]:
    """The exact 1 - ``alpha`` interval of a share (1934, Biometrika 26:404)."""
    low = float(beta.ppf(alpha / 2, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - alpha / 2, count + 1, of - count)) if count < of else 1.0
    return low, high


def _discordant(row: np.ndarray) -> tuple[int, int, int]:
    return int((row > 0).sum()), int((row < 0).sum()), len(row)
