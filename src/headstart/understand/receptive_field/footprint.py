"""What a tensor's units see of the image, and what stays of it where they are read through windows or laid together.

A tensor's dimensions are told apart by what runs along them: the image's rows, its columns, or something else
(channels). So a map may lie in any order, be flattened and be unfolded again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from headstart.understand.receptive_field.axis import AxisField, Window
from headstart.understand.receptive_field.tracing import Call, Value

ROWS, COLUMNS = "rows", "columns"


class DimensionFactor(NamedTuple):
    """What runs along a dimension, ``""`` for what is no part of the image's plane, and how many there are of it."""

    axis: str
    size: int


Dimension = tuple[DimensionFactor, ...]


@dataclass(frozen=True, eq=False)
class Footprint:
    """What a tensor's units see of the image.

    Args:
        dims: what runs along each dimension, several things where it was flattened.
        axes: what they see along rows and columns; None where nothing is left but what sees all of the image.
        whole: whether something on the way saw all of the image.
        sources: the tensors that they read it from, and how along rows and columns; None for unit by unit.
    """

    dims: tuple[Dimension, ...]
    axes: tuple[AxisField, AxisField] | None
    whole_image: bool = False
    sources: tuple[tuple["Footprint", Window | None, Window | None], ...] = ()

    def length(self, along: str) -> int:
        """Units along rows or columns."""
        return prod(factor.size for dim in self.dims for factor in dim if factor.axis == along)

    def has_full_coverage(self) -> bool:
        """Whether each of its units sees all of the image by the local way."""
        image = self
        while image.sources:
            image = image.sources[0][0]
        return self.axes is not None and all(
            set(axis.clipped_spans) == {(0, image.length(along))}
            for axis, along in zip(self.axes, (ROWS, COLUMNS), strict=True)
        )

    def as_source(self) -> tuple[tuple["Footprint", None, None], ...]:
        """Itself as the one source of a tensor that reads it unit by unit."""
        return ((self, None, None),) if self.axes else ()


class UnsupportedUseError(Exception):
    """A known operation in a use that is not known."""


def channel_dimension(size: int) -> Dimension:
    """A dimension of channels, or whatever else is no part of the image's plane."""
    return (DimensionFactor("", size),)


def dimension_size(dim: Dimension) -> int:
    """Its size in the tensor."""
    return prod(factor.size for factor in dim)


def image_axes(dims: Sequence[Dimension]) -> set[str]:
    """Which of rows and columns run along some dimensions."""
    return {factor.axis for dim in dims for factor in dim} - {""}


def input_footprint(call: Call, footprints: dict[Value, Footprint | None], name: str) -> Footprint:
    """What is seen by the tensor that an operation takes by this name."""
    value = call.arguments[name]
    found = footprints.get(value) if isinstance(value, Value) else None
    if found is None:
        raise UnsupportedUseError(f"without a map as its {name}")
    return found


def loses_image_axes(dims: Sequence[Dimension]) -> bool:
    """Whether all of the image is lost with some dimensions; losing rows alone or columns alone is not known."""
    if not image_axes(dims):
        return False
    if image_axes(dims) != {ROWS, COLUMNS}:
        raise UnsupportedUseError(f"over {image_axes(dims).pop()} alone")
    return True


def apply_windows(call: Call, source: Footprint, windows: dict[int, Callable[[int, int], Window]]) -> Footprint:
    """What is seen through ``windows``, by dimension, each made from the units given and taken along it."""
    dims, axes = list(source.dims), dict(zip((ROWS, COLUMNS), source.axes or (None, None), strict=True))
    ways: dict[str, Window | None] = {ROWS: None, COLUMNS: None}
    given = call.outputs[0].shape
    for k in range(len(given)):
        if image_axes([dims[k]]) and k in windows:
            if len(dims[k]) != 1:
                raise UnsupportedUseError("over a flattened map")
            along, axis = dims[k][0].axis, axes[dims[k][0].axis]
            window = windows[k](given[k], dims[k][0].size)
            dims[k] = (DimensionFactor(along, given[k]),)
            if axis is not None:
                axes[along], ways[along] = axis.apply_window(window), window
        elif not image_axes([dims[k]]):
            dims[k] = channel_dimension(given[k])
        elif dimension_size(dims[k]) != given[k]:
            raise UnsupportedUseError("across a flattened map")
    rows, columns = axes[ROWS], axes[COLUMNS]
    if rows is None or columns is None:
        return Footprint(tuple(dims), None, source.whole_image)
    return Footprint(tuple(dims), (rows, columns), source.whole_image, ((source, ways[ROWS], ways[COLUMNS]),))


def footprint_union(shape: tuple[int, ...], inputs: list[Footprint], concat_dim: int | None = None) -> Footprint:
    """Units that read all of some tensors, which lie over each other as broadcasting has it.

    Args:
        channel: the dimension along which they stand one after the other instead.
    """
    dims: list[Dimension] = [channel_dimension(size) for size in shape]
    for each in inputs:
        for k, dim in enumerate(each.dims, start=len(shape) - len(each.dims)):
            if image_axes([dim]) and dimension_size(dim) == shape[k] and not image_axes([dims[k]]):
                dims[k] = dim
    lengthwise = [factor.axis for dim in dims for factor in dim if factor.axis]
    if len(lengthwise) != len(set(lengthwise)):
        raise UnsupportedUseError("of maps that lie otherwise")
    axes, sources, whole = None, [], any(each.whole_image for each in inputs)
    for each in (each for each in inputs if each.axes is not None):
        assert each.axes is not None
        own = [(k, d) for k, d in enumerate(each.dims, start=len(shape) - len(each.dims)) if image_axes([d])]
        if any(dimension_size(dim) == 1 and shape[k] > 1 for k, dim in own):
            if not each.has_full_coverage():
                raise UnsupportedUseError("of a part of a map, spread over many units")
            whole = True  # a map of one unit, spread over many
            continue
        if concat_dim in [k for k, _ in own] or any(dims[k] != dim for k, dim in own):
            raise UnsupportedUseError("of maps that lie otherwise")
        if axes is None:
            axes = each.axes
        else:
            rows, columns = axes[0].union_with(each.axes[0]), axes[1].union_with(each.axes[1])
            if rows is None or columns is None:
                raise UnsupportedUseError("of maps of other strides")
            axes = rows, columns
        sources.append((each, None, None))
    return Footprint(tuple(dims), axes, whole, tuple(sources))


PropagationRule = Callable[[Call, dict[Value, Footprint | None]], Footprint | list[Footprint | None]]
