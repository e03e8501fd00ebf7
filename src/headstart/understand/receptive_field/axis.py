"""Receptive fields along one axis of the image, in whole pixels.

Unit i of a plain stack sees ``size`` pixels from ``stride``·i − ``padding`` on (Araujo, Norris and Sim, Distill 2019).
Upsampling makes the fields of neighboring units differ, with a period of a few units. So a field is stored for each
unit of a period; plain stacks have a period of 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd, lcm

import torch
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """The input units that an operation reads for each output unit, along one axis.

    Args:
        num_outputs: number of output units.
        num_inputs: number of input units.
        input_indices: maps an output unit to the input units that it reads, in an input without ends.
        output_period, input_period: ``output_period`` units further, the window lies ``input_period`` units further.
        border_index: maps a unit beyond the ends to the unit that replaces it; None: units beyond read nothing.
    """

    num_outputs: int
    num_inputs: int
    input_indices: Callable[[int], Sequence[int]]
    output_period: int = 1
    input_period: int = 1
    border_index: Callable[[int], int] | None = None

    @cached_property
    def clipped_indices(self) -> list[list[int]]:
        """The existing input units that each output unit reads."""
        windows = [self.input_indices(i) for i in range(self.num_outputs)]
        if self.border_index is not None:
            return [sorted({self.border_index(unit) for unit in window}) for window in windows]
        return [[unit for unit in window if 0 <= unit < self.num_inputs] for window in windows]

    def to_matrix(self) -> Tensor:
        """Which output units (rows) read which input units (columns): float64, 0 or 1."""
        matrix = torch.zeros(self.num_outputs, self.num_inputs, dtype=torch.float64)
        for i, indices in enumerate(self.clipped_indices):
            matrix[i, indices] = 1
        return matrix


@dataclass(frozen=True)
class AxisField:
    """The pixels that each unit sees along an axis.

    Args:
        first_pixels, last_pixels: of the units of one period, in an image without ends.
        period_stride: pixels from one period to the next.
        clipped_spans: (first, end) pixels of each unit within the image, end excluded; (0, 0) for none.
    """

    first_pixels: tuple[int, ...]
    last_pixels: tuple[int, ...]
    period_stride: int
    clipped_spans: tuple[tuple[int, int], ...]

    @staticmethod
    def of_image(length: int) -> "AxisField":
        """The field of the image's own pixels."""
        return AxisField((0,), (0,), 1, tuple((i, i + 1) for i in range(length)))

    @staticmethod
    def of_whole_image(length: int) -> "AxisField":
        """The field of one unit that sees all pixels."""
        return AxisField((0,), (length - 1,), length, ((0, length),))

    @property
    def size(self) -> int:
        """Pixels that a unit sees; the largest within a period."""
        return max(last - first + 1 for first, last in zip(self.first_pixels, self.last_pixels, strict=True))

    @property
    def stride(self) -> int | float:
        """Pixels from one unit to the next."""
        period = len(self.first_pixels)
        return self.period_stride / period if self.period_stride % period else self.period_stride // period

    def span_at(self, unit: int) -> tuple[int, int]:
        """The first and last pixel of a unit in an image without ends."""
        periods, place = divmod(unit, len(self.first_pixels))
        offset = periods * self.period_stride
        return self.first_pixels[place] + offset, self.last_pixels[place] + offset

    def apply_window(self, window: Window) -> "AxisField":
        """The field of an operation's output, given that of its input."""
        repeats = len(self.first_pixels) // gcd(len(self.first_pixels), window.input_period)
        spans = [
            [self.span_at(unit) for unit in window.input_indices(i)] for i in range(repeats * window.output_period)
        ]
        return AxisField(
            tuple(min(first for first, _ in span) for span in spans),
            tuple(max(last for _, last in span) for span in spans),
            repeats * window.input_period * self.period_stride // len(self.first_pixels),
            tuple(_span_hull([self.clipped_spans[unit] for unit in units]) for units in window.clipped_indices),
        )

    def union_with(self, other: "AxisField") -> "AxisField | None":
        """The field of units that read both; None if the strides or the numbers of units differ."""
        is_same_stride = self.period_stride * len(other.first_pixels) == other.period_stride * len(self.first_pixels)
        if not is_same_stride or len(self.clipped_spans) != len(other.clipped_spans):
            return None
        period = lcm(len(self.first_pixels), len(other.first_pixels))
        pairs = [(self.span_at(i), other.span_at(i)) for i in range(period)]
        return AxisField(
            tuple(min(a[0], b[0]) for a, b in pairs),
            tuple(max(a[1], b[1]) for a, b in pairs),
            self.period_stride * period // len(self.first_pixels),
            tuple(_span_hull(list(pair)) for pair in zip(self.clipped_spans, other.clipped_spans, strict=True)),
        )


def _span_hull(spans: list[tuple[int, int]]) -> tuple[int, int]:
    spans = [span for span in spans if span[0] < span[1]]
    return (min(first for first, _ in spans), max(end for _, end in spans)) if spans else (0, 0)
