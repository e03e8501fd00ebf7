"""Footprints: the pixels that a tensor's units see, and how windows, unions and reductions change them.

Each dimension of a tensor is described by the image axes along it: rows, columns or neither (channels). So maps may be
permuted, flattened and reshaped back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from headstart.understand.receptive_field.axis import AxisField, Window
from headstart.understand.receptive_field.tracing import Call, Value

ROWS, COLUMNS = "rows", "columns"


class DimensionFactor(NamedTuple):
    """An image axis along a dimension (``""`` for neither) and its number of units."""

    axis: str
    size: int


Dimension = tuple[DimensionFactor, ...]


@dataclass(frozen=True, eq=False)
class Footprint:
    """The pixels that a tensor's units see.

    Args:
        dims: the factors of each dimension, several where dimensions were flattened.
        axes: fields along rows and columns; None where only global operations are left.
        whole_image: whether an operation on the way sees the whole image.
        sources: the tensors read locally, with the windows along rows and columns; None for unit by unit.
    """

    dims: tuple[Dimension, ...]
    axes: tuple[AxisField, AxisField] | None
    whole_image: bool = False
    sources: tuple[tuple["Footprint", Window | None, Window | None], ...] = ()

    def length(self, axis: str) -> int:
        """Number of units along rows or columns."""
        return prod(factor.size for dim in self.dims for factor in dim if factor.axis == axis)

    def has_full_coverage(self) -> bool:
        """Whether each unit sees the whole image locally."""
        image = self
        while image.sources:
            image = image.sources[0][0]
        return self.axes is not None and all(
            set(axis.clipped_spans) == {(0, image.length(name))}
            for axis, name in zip(self.axes, (ROWS, COLUMNS), strict=True)
        )

    def as_source(self) -> tuple[tuple["Footprint", None, None], ...]:
        """Itself as the only source of a tensor that reads it unit by unit."""
        return ((self, None, None),) if self.axes else ()

    def with_dims(self, dims: Sequence[Dimension], whole_image: bool = False) -> "Footprint":
        """The footprint of a tensor that reads this one unit by unit and has other dimensions.

        Args:
            dims: of the tensor.
            whole_image: whether its operation also sees the whole image.
        """
        return Footprint(tuple(dims), self.axes, self.whole_image or whole_image, self.as_source())


Footprints = dict[Value, Footprint | None]
PropagationRule = Callable[[Call, Footprints], Footprint | list[Footprint | None]]


class UnsupportedUseError(Exception):
    """A supported operation is used in an unsupported way."""


def channel_dimension(size: int) -> Dimension:
    """A dimension along which neither rows nor columns run."""
    return (DimensionFactor("", size),)


def dimension_size(dim: Dimension) -> int:
    """The dimension's size in the tensor."""
    return prod(factor.size for factor in dim)


def image_axes(dims: Sequence[Dimension]) -> set[str]:
    """Which of rows and columns run along these dimensions."""
    return {factor.axis for dim in dims for factor in dim} - {""}


def image_inputs(call: Call, footprints: Footprints) -> list[Footprint]:
    """The footprints of an operation's inputs that depend on the image."""
    inputs = [footprints[value] for value in call.input_values()]
    return [footprint for footprint in inputs if footprint is not None]


def input_footprint(call: Call, footprints: Footprints, name: str) -> Footprint:
    """The footprint of an operation's argument.

    Raises:
        UnsupportedUseError: the argument does not depend on the image.
    """
    value = call.arguments[name]
    footprint = footprints.get(value) if isinstance(value, Value) else None
    if footprint is None:
        raise UnsupportedUseError(f"without a map as its {name}")
    return footprint


def to_pair(value: int | Sequence[int], fallback: int | Sequence[int] | None = None) -> tuple[int, int]:
    """(rows, columns) of an argument that is one number or a sequence; ``fallback`` replaces an empty one or None."""
    value = fallback if value in ((), [], None) else value  # type: ignore[assignment]
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def loses_image_axes(dims: Sequence[Dimension]) -> bool:
    """Whether a reduction over these dimensions sees the whole image.

    Raises:
        UnsupportedUseError: over rows alone or columns alone.
    """
    if not image_axes(dims):
        return False
    if image_axes(dims) != {ROWS, COLUMNS}:
        raise UnsupportedUseError(f"over {image_axes(dims).pop()} alone")
    return True


def apply_windows(
    shape: Sequence[int], source: Footprint, windows: Mapping[int, Callable[[int, int], Window]]
) -> Footprint:
    """The footprint of an operation that reads its input through windows.

    Args:
        shape: of the output.
        source: footprint of the input.
        windows: by dimension, builds a window from the numbers of output and input units along it.
    """
    dims, axes = list(source.dims), dict(zip((ROWS, COLUMNS), source.axes or (None, None), strict=True))
    applied: dict[str, Window | None] = {ROWS: None, COLUMNS: None}
    for k, size in enumerate(shape):
        if image_axes([dims[k]]) and k in windows:
            if len(dims[k]) != 1:
                raise UnsupportedUseError("over a flattened map")
            [factor] = dims[k]
            axis = axes[factor.axis]
            window = windows[k](size, factor.size)
            dims[k] = (DimensionFactor(factor.axis, size),)
            if axis is not None:
                axes[factor.axis], applied[factor.axis] = axis.apply_window(window), window
        elif not image_axes([dims[k]]):
            dims[k] = channel_dimension(size)
        elif dimension_size(dims[k]) != size:
            raise UnsupportedUseError("across a flattened map")
    rows, columns = axes[ROWS], axes[COLUMNS]
    if rows is None or columns is None:
        return Footprint(tuple(dims), None, source.whole_image)
    sources = ((source, applied[ROWS], applied[COLUMNS]),)
    return Footprint(tuple(dims), (rows, columns), source.whole_image, sources)


def footprint_union(shape: Sequence[int], inputs: list[Footprint], concat_dim: int | None = None) -> Footprint:
    """The footprint of units that read several tensors, aligned as broadcasting aligns them.

    Args:
        shape: of the output.
        inputs: footprints of the tensors.
        concat_dim: the dimension along which the tensors are concatenated; None: they are broadcast.
    """
    dims: list[Dimension] = [channel_dimension(size) for size in shape]
    for footprint in inputs:
        for k, dim in enumerate(footprint.dims, start=len(shape) - len(footprint.dims)):
            if image_axes([dim]) and dimension_size(dim) == shape[k] and not image_axes([dims[k]]):
                dims[k] = dim
    factors = [factor.axis for dim in dims for factor in dim if factor.axis]
    if len(factors) != len(set(factors)):
        raise UnsupportedUseError("of maps with different dimensions")
    axes, sources, whole_image = None, [], any(footprint.whole_image for footprint in inputs)
    for footprint in inputs:
        if footprint.axes is None:
            continue
        map_dims = [
            (k, dim)
            for k, dim in enumerate(footprint.dims, start=len(shape) - len(footprint.dims))
            if image_axes([dim])
        ]
        if any(dimension_size(dim) == 1 and shape[k] > 1 for k, dim in map_dims):  # one unit, broadcast to many
            if not footprint.has_full_coverage():
                raise UnsupportedUseError("of a part of a map, spread over many units")
            whole_image = True
            continue
        if concat_dim in [k for k, _ in map_dims] or any(dims[k] != dim for k, dim in map_dims):
            raise UnsupportedUseError("of maps with different dimensions")
        if axes is None:
            axes = footprint.axes
        else:
            rows, columns = axes[0].union_with(footprint.axes[0]), axes[1].union_with(footprint.axes[1])
            if rows is None or columns is None:
                raise UnsupportedUseError("of maps with different strides")
            axes = rows, columns
        sources.append((footprint, None, None))
    return Footprint(tuple(dims), axes, whole_image, tuple(sources))
