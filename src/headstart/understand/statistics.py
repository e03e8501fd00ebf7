"""Estimates with 95 % intervals: of shares, differences of shares, means over seeds or images, other statistics."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headstart.reporting import formats
from headstart.seeding import derive_key

if TYPE_CHECKING:
    from torch import Tensor

NUM_RESAMPLES = 2000
NUM_GROUPS = 20  # of images, one of which the jackknife leaves out at a time


class Estimate(NamedTuple):
    """A figure and its 95 % interval.

    Args:
        value: the figure.
        low, high: ends of the interval; NaN where it has none, as with one seed.

    Example:
        >>> Estimate(0.02, -0.011, 0.051).format_points()
        '+2.0 points (−1.1 to +5.1)'
    """

    value: float
    low: float
    high: float

    def __neg__(self) -> "Estimate":
        return Estimate(-self.value, -self.high, -self.low)

    def format_points(self) -> str:
        """A difference of shares: ``+2.0 points (−1.1 to +5.1)``."""
        return f"{formats.format_signed_points(self.value)} points{self._format_bounds(formats.format_signed_points)}"

    def format_percent(self) -> str:
        """A share: ``80.1 % (75.2 to 84.5)``."""
        return f"{formats.format_percent(self.value)} %{self._format_bounds(formats.format_percent)}"

    def format_decimal(self) -> str:
        """Any number: ``0.85 (0.80 to 0.89)``; a dash for NaN."""
        return "–" if math.isnan(self.value) else f"{_format_decimal(self.value)}{self._format_bounds(_format_decimal)}"

    def scaled_interval(self, factor: float) -> tuple[float, float] | None:
        """The interval times a factor, such as 100 for per cent; None without an interval."""
        return None if math.isnan(self.low) else (factor * self.low, factor * self.high)

    def as_exact(self) -> "Estimate":
        """The estimate; one without an interval gets the interval from its value to its value."""
        return Estimate(self.value, self.value, self.value) if math.isnan(self.low) else self

    def clip_to_unit_interval(self) -> "Estimate":
        """The estimate with an interval within 0 to 1."""
        return Estimate(self.value, max(self.low, 0.0), min(self.high, 1.0))

    def to_json(self) -> list[float | None]:
        """Value, low, high; None for NaN and infinity, which JSON lacks."""
        return [number if math.isfinite(number) else None for number in self]

    def _format_bounds(self, format_number: Callable[[float], str]) -> str:
        return "" if math.isnan(self.low) else f" ({format_number(self.low)} to {format_number(self.high)})"


def _format_decimal(number: float) -> str:
    return formats.format_decimal(number, 2).replace("-", "−")


NO_ESTIMATE = Estimate(math.nan, math.nan, math.nan)


def wilson_interval(share: float, count: int) -> Estimate:
    """Wilson's interval of a share of ``count`` cases (J. Am. Statist. Assoc. 22:209, 1927); 0 to 1 without cases.

    ``scipy.stats.binomtest`` takes whole counts only; a mean over repeats may be fractional.
    """
    if not count:
        return Estimate(0.0, 0.0, 1.0)
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return Estimate(share, middle - half, middle + half).clip_to_unit_interval()


def newcombe_interval(first: Estimate, second: Estimate) -> Estimate:
    """The difference of two shares of independent cases (Newcombe, Statist. Med. 17:873, 1998, method 10)."""
    difference = first.value - second.value
    low = difference - math.hypot(first.value - first.low, second.high - second.value)
    high = difference + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(difference, low, high)


def t_interval(values: Sequence[float]) -> Estimate:
    """The mean of a figure over seeds and Student's t interval; one seed has no interval."""
    from scipy import stats

    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return Estimate(mean, math.nan, math.nan)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = float(stats.t.ppf(0.975, count - 1)) * std / math.sqrt(count)
    return Estimate(mean, mean - half, mean + half)


def bootstrap_mean(values: "Tensor", seed: int = 0) -> Estimate:
    """The mean over images and its percentile bootstrap interval (Efron and Tibshirani 1993, chapter 13).

    Equal values have no bootstrap spread. For shares, Wilson's interval of as many images replaces it: the next image
    may differ.

    Args:
        values: one for each image, float or bool (N,), such as the share of shifts that keep the image's class.
        seed: of the resampling.
    """
    import numpy as np

    array = values.double().numpy()
    mean = float(array.mean())
    if (array == array[0]).all():
        value = float(array[0])
        return wilson_interval(value, len(array)) if 0 <= value <= 1 else Estimate(value, value, value)
    indices = np.random.default_rng(seed).integers(len(array), size=(NUM_RESAMPLES, len(array)))
    low, high = np.quantile(array[indices].mean(axis=1), [0.025, 0.975])
    return Estimate(mean, float(low), float(high))


def jackknife_intervals(
    statistic: "Callable[[Tensor], Tensor]", count: int, num_groups: int = NUM_GROUPS
) -> list[Estimate]:
    """Statistics of images and their intervals by the grouped jackknife (Tukey, Ann. Math. Statist. 29:614, 1958).

    Args:
        statistic: maps indices of images, int64 (n,), to S statistics, float (S,).
        count: number of images. Their groups are drawn the same way each time.
        num_groups: at most one group for each image. One image alone has no interval.
    """
    import torch
    from scipy.stats import t

    values = statistic(torch.arange(count))
    if count < 2:
        return [Estimate(value, math.nan, math.nan) for value in values.tolist()]
    num_groups = min(num_groups, count)
    group = torch.randperm(count, generator=torch.Generator().manual_seed(derive_key(0, "groups"))) % num_groups
    partial = torch.stack([statistic((group != k).nonzero()[:, 0]) for k in range(num_groups)])
    error = ((num_groups - 1) / num_groups * (partial - partial.mean(dim=0)).square().sum(dim=0)).sqrt()
    half = float(t.ppf(0.975, num_groups - 1)) * error
    columns = zip(*((values + side * half).tolist() for side in (0, -1, 1)), strict=True)
    return [Estimate(*column) for column in columns]
