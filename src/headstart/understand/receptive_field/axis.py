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

    num_outputs: int
    num_inputs: int
    input_indices: Callable[[int], Sequence[int]]
    output_period: int = 1
    input_period: int = 1
    border_index: Callable[[int], int] | None = None

    @cached_property
    def clipped_indices(self) -> list[list[int]]:
        """The units of its input that each unit reads."""
        if self.border_index is not None:
            return [
                sorted({self.border_index(unit) for unit in self.input_indices(i)}) for i in range(self.num_outputs)
            ]
        return [
            [unit for unit in self.input_indices(i) if 0 <= unit < self.num_inputs] for i in range(self.num_outputs)
        ]

    def to_matrix(self) -> Tensor:
        """Which units (rows) read which units of the input (columns): float64, 0 or 1."""
        reads = torch.zeros(self.num_outputs, self.num_inputs, dtype=torch.float64)
        for i, units in enumerate(self.clipped_indices):
            reads[i, units] = 1
        return reads


@dataclass(frozen=True)
class AxisField:
    """What each unit along an axis sees.

    Args:
        firsts, lasts: the first and last pixel of the units of a period, in an image without ends.
        jump: pixels from one period to the next.
        clipped: for each unit from which pixel up to which (not with it) it sees of the image; (0, 0) for nothing.
    """

    first_pixels: tuple[int, ...]
    last_pixels: tuple[int, ...]
    period_stride: int
    clipped_spans: tuple[tuple[int, int], ...]

    @staticmethod
    def of_image(count: int) -> "AxisField":
        """The image itself."""
        return AxisField((0,), (0,), 1, tuple((i, i + 1) for i in range(count)))

    @property
    def size(self) -> int:
        """Pixels that a unit sees; the most, where neighbours differ."""
        return max(last - first + 1 for first, last in zip(self.first_pixels, self.last_pixels, strict=True))

    @property
    def stride(self) -> int | float:
        """Pixels from one unit to the next."""
        period = len(self.first_pixels)
        return self.period_stride / period if self.period_stride % period else self.period_stride // period

    def span_at(self, unit: int) -> tuple[int, int]:
        """The first and last pixel of a unit in an image without ends."""
        periods, place = divmod(unit, len(self.first_pixels))
        return self.first_pixels[place] + periods * self.period_stride, self.last_pixels[
            place
        ] + periods * self.period_stride

    def apply_window(self, window: Window) -> "AxisField":
        """What the units of an operation see whose input this is."""
        repeats = len(self.first_pixels) // gcd(len(self.first_pixels), window.input_period)
        seen = [[self.span_at(unit) for unit in window.input_indices(i)] for i in range(repeats * window.output_period)]
        return AxisField(
            tuple(min(first for first, _ in each) for each in seen),
            tuple(max(last for _, last in each) for each in seen),
            repeats * window.input_period * self.period_stride // len(self.first_pixels),
            tuple(_span_hull([self.clipped_spans[unit] for unit in units]) for units in window.clipped_indices),
        )

    def union_with(self, other: "AxisField") -> "AxisField | None":
        """What units see that read both; None where the two do not go the same way from unit to unit."""
        if self.period_stride * len(other.first_pixels) != other.period_stride * len(self.first_pixels) or len(
            self.clipped_spans
        ) != len(other.clipped_spans):
            return None
        period = lcm(len(self.first_pixels), len(other.first_pixels))
        both = [(self.span_at(i), other.span_at(i)) for i in range(period)]
        return AxisField(
            tuple(min(a[0], b[0]) for a, b in both),
            tuple(max(a[1], b[1]) for a, b in both),
            self.period_stride * period // len(self.first_pixels),
            tuple(_span_hull(list(pair)) for pair in zip(self.clipped_spans, other.clipped_spans, strict=True)),
        )


def _span_hull(parts: list[tuple[int, int]]) -> tuple[int, int]:
    parts = [part for part in parts if part[0] < part[1]]
    return (min(low for low, _ in parts), max(high for _, high in parts)) if parts else (0, 0)
