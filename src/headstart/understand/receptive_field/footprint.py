"""What a tensor's units see of the image, and what stays of it where they are read through windows or laid together.

A tensor's dimensions are told apart by what runs along them: the image's rows, its columns, or something else
(channels). So a map may lie in any order, be flattened and be unfolded again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from headstart.understand.receptive_field.axis import Axis, Window
from headstart.understand.receptive_field.tracing import Call, Value

ROWS, COLUMNS = "rows", "columns"


class Factor(NamedTuple):
    """What runs along a dimension, ``""`` for what is no part of the image's plane, and how many there are of it."""

    along: str
    size: int


Dimension = tuple[Factor, ...]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a tensor's units see of the image.

    Args:
        dims: what runs along each dimension, several things where it was flattened.
        axes: what they see along rows and columns; None where nothing is left but what sees all of the image.
        whole: whether something on the way saw all of the image.
        sources: the tensors that they read it from, and how along rows and columns; None for unit by unit.
    """

    dims: tuple[Dimension, ...]
    axes: tuple[Axis, Axis] | None
    whole: bool = False
    sources: tuple[tuple["Seen", Window | None, Window | None], ...] = ()

    def length(self, along: str) -> int:
        """Units along rows or columns."""
        return prod(factor.size for dim in self.dims for factor in dim if factor.along == along)

    def sees_all(self) -> bool:
        """Whether each of its units sees all of the image by the local way."""
        image = self
        while image.sources:
            image = image.sources[0][0]
        return self.axes is not None and all(
            set(axis.clipped) == {(0, image.length(along))}
            for axis, along in zip(self.axes, (ROWS, COLUMNS), strict=True)
        )

    def local(self) -> tuple[tuple["Seen", None, None], ...]:
        """Itself as the one source of a tensor that reads it unit by unit."""
        return ((self, None, None),) if self.axes else ()


class UnknownUseError(Exception):
    """A known operation in a use that is not known."""


def other(size: int) -> Dimension:
    """A dimension of channels, or whatever else is no part of the image's plane."""
    return (Factor("", size),)


def length_of(dim: Dimension) -> int:
    """Its size in the tensor."""
    return prod(factor.size for factor in dim)


def image_along(dims: Sequence[Dimension]) -> set[str]:
    """Which of rows and columns run along some dimensions."""
    return {factor.along for dim in dims for factor in dim} - {""}


def only(call: Call, of: dict[Value, Seen | None], name: str) -> Seen:
    """What is seen by the tensor that an operation takes by this name."""
    value = call.arguments[name]
    found = of.get(value) if isinstance(value, Value) else None
    if found is None:
        raise UnknownUseError(f"without a map as its {name}")
    return found


def gone(lost: Sequence[Dimension]) -> bool:
    """Whether all of the image is lost with some dimensions; losing rows alone or columns alone is not known."""
    if not image_along(lost):
        return False
    if image_along(lost) != {ROWS, COLUMNS}:
        raise UnknownUseError(f"over {image_along(lost).pop()} alone")
    return True


def windowed(call: Call, source: Seen, windows: dict[int, Callable[[int, int], Window]]) -> Seen:
    """What is seen through ``windows``, by dimension, each made from the units given and taken along it."""
    dims, axes = list(source.dims), dict(zip((ROWS, COLUMNS), source.axes or (None, None), strict=True))
    ways: dict[str, Window | None] = {ROWS: None, COLUMNS: None}
    given = call.outputs[0].shape
    for k in range(len(given)):
        if image_along([dims[k]]) and k in windows:
            if len(dims[k]) != 1:
                raise UnknownUseError("over a flattened map")
            along, axis = dims[k][0].along, axes[dims[k][0].along]
            window = windows[k](given[k], dims[k][0].size)
            dims[k] = (Factor(along, given[k]),)
            if axis is not None:
                axes[along], ways[along] = axis.through(window), window
        elif not image_along([dims[k]]):
            dims[k] = other(given[k])
        elif length_of(dims[k]) != given[k]:
            raise UnknownUseError("across a flattened map")
    rows, columns = axes[ROWS], axes[COLUMNS]
    if rows is None or columns is None:
        return Seen(tuple(dims), None, source.whole)
    return Seen(tuple(dims), (rows, columns), source.whole, ((source, ways[ROWS], ways[COLUMNS]),))


def united(shape: tuple[int, ...], inputs: list[Seen], channel: int | None = None) -> Seen:
    """Units that read all of some tensors, which lie over each other as broadcasting has it.

    Args:
        channel: the dimension along which they stand one after the other instead.
    """
    dims: list[Dimension] = [other(size) for size in shape]
    for each in inputs:
        for k, dim in enumerate(each.dims, start=len(shape) - len(each.dims)):
            if image_along([dim]) and length_of(dim) == shape[k] and not image_along([dims[k]]):
                dims[k] = dim
    lengthwise = [factor.along for dim in dims for factor in dim if factor.along]
    if len(lengthwise) != len(set(lengthwise)):
        raise UnknownUseError("of maps that lie otherwise")
    axes, sources, whole = None, [], any(each.whole for each in inputs)
    for each in (each for each in inputs if each.axes is not None):
        assert each.axes is not None
        own = [(k, d) for k, d in enumerate(each.dims, start=len(shape) - len(each.dims)) if image_along([d])]
        if any(length_of(dim) == 1 and shape[k] > 1 for k, dim in own):
            if not each.sees_all():
                raise UnknownUseError("of a part of a map, spread over many units")
            whole = True  # a map of one unit, spread over many
            continue
        if channel in [k for k, _ in own] or any(dims[k] != dim for k, dim in own):
            raise UnknownUseError("of maps that lie otherwise")
        if axes is None:
            axes = each.axes
        else:
            rows, columns = axes[0].joined(each.axes[0]), axes[1].joined(each.axes[1])
            if rows is None or columns is None:
                raise UnknownUseError("of maps of other strides")
            axes = rows, columns
        sources.append((each, None, None))
    return Seen(tuple(dims), axes, whole, tuple(sources))


Rule = Callable[[Call, dict[Value, Seen | None]], Seen | list[Seen | None]]
