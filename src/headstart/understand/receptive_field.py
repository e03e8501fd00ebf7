"""Receptive fields of every layer, by interval arithmetic over what the network does.

What an operation that sees all of the image adds (global pooling, squeeze-excite, group normalisation, attention) is
told apart, by ``whole_image``: the size then is that of the local way, which stays what it is without it.
"""

from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.understand.axis import Axis
from headstart.understand.graph import Graph, Value, traced
from headstart.understand.operations import COLUMNS, ROWS, Factor, Seen, seen

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Field:
    """What the units of a layer see of the image.

    Args:
        name: of the module, such as ``"layer1.0.conv1"``, or of a function, ``"layer1.0.add"``; again: ``"relu_1"``.
        kind: the module's class, or the function's name.
        shape: (C, H, W) of what it gives.
        size: (height, width) in pixels of an interior unit's field, not clipped; the largest, where neighbours differ.
        stride: (rows, columns) in pixels from one unit's field to the next.
        padding: (rows, columns) in pixels by which the field of unit (0, 0) begins outside of the image.
        whole_image: whether something on the way saw all of the image; ``size`` leaves that apart. Where no other way
            is left, as after global pooling, size and stride are the image's.
        layer: False for a module that is made of others.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    size: tuple[int, int]
    stride: tuple[int | float, int | float]
    padding: tuple[int, int]
    whole_image: bool
    layer: bool = True
    _rows: Spans = field(default=(), repr=False)
    _columns: Spans = field(default=(), repr=False)

    def box(self, i: int, j: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of the pixels that unit (i, j) sees within the image, bottom and right not in it."""
        (top, bottom), (left, right) = self._rows[i], self._columns[j]
        return top, left, bottom, right


def receptive_fields(network: nn.Module, shape: tuple[int, int, int]) -> list[Field]:
    """The field of each module and of each function that stands beside them, in the order in which they end.

    Args:
        network: stays as it was.
        shape: (C, H, W) of an image.

    Raises:
        HeadstartError: the network cannot be traced, or does something that is not known here.
    """
    graph = traced(network, shape)
    of = _all_seen(graph)
    found = []
    for point in graph.points:
        units = of.get(point.value)
        if units is not None:
            found.append(_field(point.name, point.kind, point.layer, units, point.value, shape))
    return found


def pixels(network: nn.Module, shape: tuple[int, int, int], name: str, i: int, j: int) -> Tensor:
    """The pixels that unit (i, j) of a module or function sees, bool (H, W): with dilation's holes, within the image.

    What an operation that sees all of the image adds is left apart, unless there is no other way: then it is all.

    Raises:
        HeadstartError: the network has nothing of this name, or ``receptive_fields`` raises it.
    """
    graph = traced(network, shape)
    of = _all_seen(graph)
    point = next((point for point in graph.points if point.name == name and of.get(point.value) is not None), None)
    if point is None:
        raise HeadstartError(f"{type(network).__name__} has no layer {name!r} that sees an image")
    units = of[point.value]
    assert units is not None
    if units.axes is None:
        return torch.ones(shape[1:], dtype=torch.bool)
    one = torch.zeros(units.length(ROWS), units.length(COLUMNS), dtype=torch.float64)
    one[i, j] = 1
    masks = {units: one}
    for each in reversed([each for each in of.values() if each is not None]):
        if each not in masks:
            continue
        mask = masks.pop(each) if each.sources else masks[each]
        for source, rows, columns in each.sources:
            part = mask if rows is None else (rows.matrix().T @ mask)
            part = part if columns is None else part @ columns.matrix()
            masks[source] = ((masks.get(source, 0) + part) > 0).double()
    image = of[graph.image]
    return masks[image] > 0 if image in masks else torch.zeros(shape[1:], dtype=torch.bool)


def _all_seen(graph: Graph) -> dict[Value, Seen | None]:
    """What each tensor's units see, in order."""
    _, channels, height, width = graph.image.shape
    dims = tuple((Factor(*each),) for each in (("", 1), ("", channels), (ROWS, height), (COLUMNS, width)))
    of: dict[Value, Seen | None] = {graph.image: Seen(dims, (Axis.pixels(height), Axis.pixels(width)))}
    for call in graph.calls:
        of.update(zip(call.outputs, seen(call, of), strict=True))
    return of


def _field(name: str, kind: str, layer: bool, units: Seen, value: Value, image: tuple[int, int, int]) -> Field:
    height, width = units.length(ROWS), units.length(COLUMNS)
    shape = (prod(value.shape) // (height * width), height, width)
    if units.axes is None:
        size, whole = image[1:], tuple(((0, length),) for length in image[1:])
        return Field(name, kind, shape, size, size, (0, 0), True, layer, *whole)
    rows, columns = units.axes
    return Field(
        name,
        kind,
        shape,
        (rows.size, columns.size),
        (rows.stride, columns.stride),
        (-rows.at(0)[0], -columns.at(0)[0]),
        units.whole,
        layer,
        rows.clipped,
        columns.clipped,
    )
