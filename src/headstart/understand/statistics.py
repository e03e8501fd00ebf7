"""A figure and the interval within which luck may have moved it."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from headstart.reporting import html


class Estimate(NamedTuple):
    """A figure and its 95 % interval; the ends are NaN where it has none."""

    value: float
    low: float
    high: float

    def format_points(self) -> str:
        """Of a difference of shares: ``+2.0 points (−1.1 to +5.1)``."""
        return f"{html.format_signed_points(self.value)} points{self._format_bounds(html.format_signed_points)}"

    def format_percent(self) -> str:
        """Of a share: ``80.1 % (75.2 to 84.5)``."""
        return f"{html.format_percent(self.value)} %{self._format_bounds(html.format_percent)}"

    def format_decimal(self) -> str:
        """Of any number: ``0.85 (0.80 to 0.89)``; a dash where it is none."""
        return "–" if math.isnan(self.value) else f"{_format_decimal(self.value)}{self._format_bounds(_format_decimal)}"

    def scaled_interval(self, factor: float) -> tuple[float, float] | None:
        """The interval in another unit."""
        return None if math.isnan(self.low) else (factor * self.low, factor * self.high)

    @property
    def bounds(self) -> tuple[float, float]:
        """Where it begins and ends: a figure that has no interval is taken as it is."""
        return (self.value, self.value) if math.isnan(self.low) else (self.low, self.high)

    def clip_to_unit_interval(self) -> "Estimate":
        """With an interval that does not leave 0 to 1."""
        return Estimate(self.value, max(self.low, 0.0), min(self.high, 1.0))

    def to_json(self) -> list[float | None]:
        """Of JSON, which has no NaN."""
        return [number if math.isfinite(number) else None for number in self]

    def _format_bounds(self, format_number: Callable[[float], str]) -> str:
        return "" if math.isnan(self.low) else f" ({format_number(self.low)} to {format_number(self.high)})"


def _format_decimal(number: float) -> str:
    return html.format_decimal(number, 2).replace("-", "−")


NO_ESTIMATE = Estimate(math.nan, math.nan, math.nan)


def wilson_interval(share: float, count: int) -> Estimate:
    """A share of ``count`` and its interval (Wilson, J. Am. Statist. Assoc. 22:209, 1927); of none, 0 to 1."""
    if not count:
        return Estimate(0.0, 0.0, 1.0)
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return Estimate(share, middle - half, middle + half).clip_to_unit_interval()


def newcombe_interval(first: Estimate, second: Estimate) -> Estimate:
    """By how much one share exceeds another of other cases (Newcombe, Statist. Med. 17:873, 1998, method 10)."""
    middle = first.value - second.value
    low = middle - math.hypot(first.value - first.low, second.high - second.value)
    high = middle + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(middle, low, high)


def t_interval(values: Sequence[float]) -> Estimate:
    """The mean of a figure over seeds and Student's interval of it, which one seed does not have."""
    from scipy import stats

    n = len(values)
    middle = math.fsum(values) / n
    if n < 2:
        return Estimate(middle, math.nan, math.nan)
    spread = math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (n - 1))
    half = float(stats.t.ppf(0.975, n - 1)) * spread / math.sqrt(n)
    return Estimate(middle, middle - half, middle + half)
