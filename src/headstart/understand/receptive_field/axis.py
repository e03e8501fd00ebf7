"""Receptive fields along one axis of the image, by whole numbers: what an operation reads, what its units then see.

Unit i of a plain stack sees ``size`` pixels from ``stride``·i − ``padding`` on. Where maps are made larger on their
way, neighbours differ, and what they see comes again after a few units: so a field is kept for each unit of a period,
and one of a period of 1 is the rule (Araujo, Norris and Sim, Distill 2019, give that case in closed form).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd, lcm

import torch
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """How an operation reads along an axis.

    Args:
        units: that it gives.
        taken: that it takes.
        reads: the units of its input that unit i reads, in an input without ends.
        up, down: ``up`` units further, it reads ``down`` units further.
        edge: which unit stands in for one beyond the ends; None: nothing does.
    """

    units: int
    taken: int
    reads: Callable[[int], Sequence[int]]
    up: int = 1
    down: int = 1
    edge: Callable[[int], int] | None = None

    @cached_property
    def within(self) -> list[list[int]]:
        """The units of its input that each unit reads."""
        if self.edge is not None:
            return [sorted({self.edge(unit) for unit in self.reads(i)}) for i in range(self.units)]
        return [[unit for unit in self.reads(i) if 0 <= unit < self.taken] for i in range(self.units)]

    def matrix(self) -> Tensor:
        """Which units (rows) read which units of the input (columns): float64, 0 or 1."""
        reads = torch.zeros(self.units, self.taken, dtype=torch.float64)
        for i, units in enumerate(self.within):
            reads[i, units] = 1
        return reads


@dataclass(frozen=True)
class Axis:
    """What each unit along an axis sees.

    Args:
        firsts, lasts: the first and last pixel of the units of a period, in an image without ends.
        jump: pixels from one period to the next.
        clipped: for each unit from which pixel up to which (not with it) it sees of the image; (0, 0) for nothing.
    """

    firsts: tuple[int, ...]
    lasts: tuple[int, ...]
    jump: int
    clipped: tuple[tuple[int, int], ...]

    @staticmethod
    def pixels(count: int) -> "Axis":
        """The image itself."""
        return Axis((0,), (0,), 1, tuple((i, i + 1) for i in range(count)))

    @property
    def size(self) -> int:
        """Pixels that a unit sees; the most, where neighbours differ."""
        return max(last - first + 1 for first, last in zip(self.firsts, self.lasts, strict=True))

    @property
    def stride(self) -> int | float:
        """Pixels from one unit to the next."""
        period = len(self.firsts)
        return self.jump / period if self.jump % period else self.jump // period

    def at(self, unit: int) -> tuple[int, int]:
        """The first and last pixel of a unit in an image without ends."""
        periods, place = divmod(unit, len(self.firsts))
        return self.firsts[place] + periods * self.jump, self.lasts[place] + periods * self.jump

    def through(self, window: Window) -> "Axis":
        """What the units of an operation see whose input this is."""
        repeats = len(self.firsts) // gcd(len(self.firsts), window.down)
        seen = [[self.at(unit) for unit in window.reads(i)] for i in range(repeats * window.up)]
        return Axis(
            tuple(min(first for first, _ in each) for each in seen),
            tuple(max(last for _, last in each) for each in seen),
            repeats * window.down * self.jump // len(self.firsts),
            tuple(_hull([self.clipped[unit] for unit in units]) for units in window.within),
        )

    def joined(self, other: "Axis") -> "Axis | None":
        """What units see that read both; None where the two do not go the same way from unit to unit."""
        if self.jump * len(other.firsts) != other.jump * len(self.firsts) or len(self.clipped) != len(other.clipped):
            return None
        period = lcm(len(self.firsts), len(other.firsts))
        both = [(self.at(i), other.at(i)) for i in range(period)]
        return Axis(
            tuple(min(a[0], b[0]) for a, b in both),
            tuple(max(a[1], b[1]) for a, b in both),
            self.jump * period // len(self.firsts),
            tuple(_hull(list(pair)) for pair in zip(self.clipped, other.clipped, strict=True)),
        )


def _hull(parts: list[tuple[int, int]]) -> tuple[int, int]:
    parts = [part for part in parts if part[0] < part[1]]
    return (min(low for low, _ in parts), max(high for _, high in parts)) if parts else (0, 0)
