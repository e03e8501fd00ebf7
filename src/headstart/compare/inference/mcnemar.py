"""The exact test of two trained networks on the same images."""

from dataclasses import dataclass

from scipy.special import betaincinv
from scipy.stats import binomtest


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

    def reverse(self) -> "McNemarContrast":
        """The contrast of the second arm less the first."""
        return McNemarContrast(self.second_only, self.first_only, self.images)

    def half_widths(self, alpha: float) -> tuple[float, float]:
        """The lengths of the 1 - ``alpha`` interval below and above the mean, by Clopper and Pearson's intervals.

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
        """The smallest ``alpha`` whose interval excludes zero."""
        discordant = self.first_only + self.second_only
        return float(binomtest(self.first_only, discordant).pvalue) if discordant else 1.0


def _clopper_pearson_interval(count: int, total: int, alpha: float) -> tuple[float, float]:
    """Computes the exact 1 - ``alpha`` interval of a share (1934, Biometrika 26:404).

    ``scipy.stats.binomtest(...).proportion_ci(method="exact")`` searches for the same limits and takes 10 ms for it.
    """
    low = float(betaincinv(count, total - count + 1, alpha / 2)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - alpha / 2)) if count < total else 1.0
    return low, high
