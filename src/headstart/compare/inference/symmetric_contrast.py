"""Contrasts whose interval is symmetric: mean, half width and p-value."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from scipy.optimize import brentq

MIN_P_VALUE = 1e-12  # smaller values are rounded up to it


@dataclass(frozen=True)
class SymmetricContrast(ABC):
    """A mean difference over several seeds.

    Args:
        mean: the difference, first arm less second.
        seeds: number of seeds, S.
        images: number of distinct images, n; where they do not count equally, the effective number (Kish 1965: 1 / sum
            of squared weights).
        seed_variance: variance of the difference between seeds, the images' part included.
        seed_freedom: its degrees of freedom.
    """

    mean: float
    seeds: int
    images: float
    seed_variance: float
    seed_freedom: float

    @abstractmethod
    def half_width(self, alpha: float) -> float:
        """Half the width of the 1 - ``alpha`` interval."""

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """The lengths of the 1 - ``alpha`` interval below and above the mean; at least those of n images on which the
        arms agree."""
        return (max(self.half_width(alpha), minimum_half_width(self.images, alpha)),) * 2

    @property
    def p_value(self) -> float:
        """The smallest ``alpha`` whose interval excludes zero."""
        if self.half_widths(MIN_P_VALUE)[0] < abs(self.mean):
            return MIN_P_VALUE
        if self.mean == 0:
            return 1.0

        def excess(log_alpha: float) -> float:
            return self.half_widths(math.exp(log_alpha))[0] - abs(self.mean)

        return math.exp(brentq(excess, math.log(MIN_P_VALUE), 0.0, xtol=1e-6)) if excess(0.0) < 0 else 1.0

    def reverse(self) -> Self:
        """The contrast of the second arm less the first."""
        return replace(self, mean=-self.mean)


def minimum_half_width(images: float, alpha: float) -> float:
    """Computes half the width of the narrowest 1 - ``alpha`` interval that n images can give: the largest share of
    images on which two arms may differ and still agree on all images of a sample."""
    return 1 - (alpha / 2) ** (1 / images)
