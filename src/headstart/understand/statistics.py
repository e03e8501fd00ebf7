"""A figure and the interval within which luck may have moved it."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from headstart.reporting import html


class Interval(NamedTuple):
    """A figure and its 95 % interval; the ends are NaN where it has none."""

    middle: float
    low: float
    high: float

    def points(self) -> str:
        """Of a difference of shares: ``+2.0 points (−1.1 to +5.1)``."""
        return f"{html.points(self.middle)} points{self._ends(html.points)}"

    def percent(self) -> str:
        """Of a share: ``80.1 % (75.2 to 84.5)``."""
        return f"{html.percent(self.middle)} %{self._ends(html.percent)}"

    def decimal(self) -> str:
        """Of any number: ``0.85 (0.80 to 0.89)``; a dash where it is none."""
        return "–" if math.isnan(self.middle) else f"{_decimal(self.middle)}{self._ends(_decimal)}"

    def times(self, factor: float) -> tuple[float, float] | None:
        """The interval in another unit."""
        return None if math.isnan(self.low) else (factor * self.low, factor * self.high)

    @property
    def ends(self) -> tuple[float, float]:
        """Where it begins and ends: a figure that has no interval is taken as it is."""
        return (self.middle, self.middle) if math.isnan(self.low) else (self.low, self.high)

    def of_shares(self) -> "Interval":
        """With an interval that does not leave 0 to 1."""
        return Interval(self.middle, max(self.low, 0.0), min(self.high, 1.0))

    def plain(self) -> list[float | None]:
        """Of JSON, which has no NaN."""
        return [number if math.isfinite(number) else None for number in self]

    def _ends(self, shown: Callable[[float], str]) -> str:
        return "" if math.isnan(self.low) else f" ({shown(self.low)} to {shown(self.high)})"


def _decimal(number: float) -> str:
    return html.decimal(number, 2).replace("-", "−")


NO_FIGURE = Interval(math.nan, math.nan, math.nan)


def of_share(share: float, count: int) -> Interval:
    """A share of ``count`` and its interval (Wilson, J. Am. Statist. Assoc. 22:209, 1927); of none, 0 to 1."""
    if not count:
        return Interval(0.0, 0.0, 1.0)
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * (share * (1 - share) / count + z * z / (4 * count * count)) ** 0.5
    return Interval(share, middle - half, middle + half).of_shares()


def surplus(first: Interval, second: Interval) -> Interval:
    """By how much one share exceeds another of other cases (Newcombe, Statist. Med. 17:873, 1998, method 10)."""
    middle = first.middle - second.middle
    low = middle - math.hypot(first.middle - first.low, second.high - second.middle)
    high = middle + math.hypot(first.high - first.middle, second.middle - second.low)
    return Interval(middle, low, high)


def of_seeds(values: Sequence[float]) -> Interval:
    """The mean of a figure over seeds and Student's interval of it, which one seed does not have."""
    from scipy import stats

    n = len(values)
    middle = math.fsum(values) / n
    if n < 2:
        return Interval(middle, math.nan, math.nan)
    spread = math.sqrt(math.fsum((v - middle) ** 2 for v in values) / (n - 1))
    half = float(stats.t.ppf(0.975, n - 1)) * spread / math.sqrt(n)
    return Interval(middle, middle - half, middle + half)
