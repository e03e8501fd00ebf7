"""Receptive fields of every layer, by interval arithmetic over what the network does.

What an operation that sees all of the image adds (global pooling, squeeze-excite, group normalisation, attention) is
told apart, by ``whole_image``: the size then is that of the local way, which stays what it is without it.
"""

from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.axis import AxisField
from headstart.understand.receptive_field.footprint import COLUMNS, ROWS, Dimension, DimensionFactor, Footprint
from headstart.understand.receptive_field.rules import propagate
from headstart.understand.receptive_field.tracing import Graph, NamedOutput, Value, trace_network

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ReceptiveField:
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
        local: False where the image is seen only by what sees all of it.
        dims: what runs along each dimension of the tensor that it gives for one image: rows, columns or channels.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    size: tuple[int, int]
    stride: tuple[int | float, int | float]
    padding: tuple[int, int]
    whole_image: bool
    is_leaf: bool = True
    is_local: bool = True
    dims: tuple[Dimension, ...] = field(default=(), repr=False)
    _rows: Spans = field(default=(), repr=False)
    _columns: Spans = field(default=(), repr=False)

    def box(self, i: int, j: int) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of what unit (i, j) sees of the image; the last two are not in it.

        No pixel outside is seen. Within it there may be holes, and rims of branches that are cut off on the other axis:
        ``Sight.pixels`` gives the exact pixels.
        """
        (top, bottom), (left, right) = self._rows[i], self._columns[j]
        return top, left, bottom, right


class ReceptiveFields:
    """A network's receptive fields, and the pixels of each unit.

    Args:
        network: stays as it was.
        shape: (C, H, W) of an image.

    Attributes:
        fields: of each module and of each function that stands beside them, in the order in which they end.

    Raises:
        HeadstartError: the network cannot be traced, does something that is not known here, or has no layer to tell of.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, int, int]) -> None:
        if len(shape) != 3:
            raise HeadstartError(f"shape={tuple(shape)}: fields are those of images; give (channels, height, width)")
        graph = trace_network(network, shape)
        self.fields: list[ReceptiveField] = []
        self._shape, self._footprints = shape, _propagate_graph(graph)
        self._image = self._footprints[graph.image]
        self._footprints_by_name: dict[str, Footprint] = {}
        for point in graph.named_outputs:
            units = self._footprints.get(point.value)
            if units is not None:
                self.fields.append(_build_field(point, units, shape))
                self._footprints_by_name[point.name] = units
        if not self.fields:
            raise HeadstartError(
                f"{type(network).__name__} has no layers that give a tensor of the image: put it into a module, such "
                "as nn.Sequential, whose layers each give one, and not a tuple or a dict"
            )

    def pixels(self, name: str, i: int | None = None, j: int | None = None) -> Tensor:
        """The pixels that unit (i, j) of a layer sees, bool (H, W): with dilation's holes, within the image.

        Without i and j those that any of its units sees.

        What an operation that sees all of the image adds is left apart, unless there is no other way: then it is all.

        Raises:
            HeadstartError: there is no layer of this name.
        """
        if name not in self._footprints_by_name:
            raise HeadstartError(f"the network has no layer {name!r} that sees an image")
        units = self._footprints_by_name[name]
        if units.axes is None:
            return torch.ones(self._shape[1:], dtype=torch.bool)
        those = torch.zeros(units.length(ROWS), units.length(COLUMNS), dtype=torch.float64)
        those[slice(None) if i is None else i, slice(None) if j is None else j] = 1
        masks = {units: those}
        for each in reversed([each for each in self._footprints.values() if each is not None]):
            if each is self._image or each not in masks:
                continue
            mask = masks.pop(each)
            for source, rows, columns in each.sources:
                part = mask if rows is None else rows.to_matrix().T @ mask
                part = part if columns is None else part @ columns.to_matrix()
                masks[source] = ((masks.get(source, 0) + part) > 0).double()
        assert self._image is not None
        return masks.get(self._image, torch.zeros(self._shape[1:])) > 0


def receptive_fields(network: nn.Module, shape: tuple[int, int, int]) -> list[ReceptiveField]:
    """The field of each module and function of a network on images of ``shape`` (C, H, W), as ``Sight`` finds them."""
    return ReceptiveFields(network, shape).fields


def last_fields_per_stride(fields: list[ReceptiveField]) -> list[ReceptiveField]:
    """The last module or function at each stride, as long as units see the image locally: where the map gets smaller.

    A block that makes the map smaller begins at the stride before; what is inside of it is no end of a stage.

    Raises:
        HeadstartError: every layer sees all of the image.
    """
    local = [each for each in fields if each.is_local]
    if not local:
        raise HeadstartError("every layer of this network sees all of the image: there is no field to tell")
    strides = {each.name: each.stride for each in local}
    within: dict[str, set[object]] = {}
    for each in local:
        for block in _enclosing_modules(each.name):
            within.setdefault(block, set()).add(each.stride)

    def passed(each: ReceptiveField) -> bool:
        return any(
            strides.get(block, each.stride) != each.stride and len(within[block]) == 2
            for block in _enclosing_modules(each.name)
        )

    last = {each.stride: each for each in local} | {each.stride: each for each in local if not passed(each)}
    return sorted(last.values(), key=lambda each: each.stride[0] * each.stride[1])


def _enclosing_modules(name: str) -> list[str]:
    """The modules that a module or function lies in."""
    parts = name.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]


def unit_pixels(network: nn.Module, shape: tuple[int, int, int], name: str, i: int, j: int) -> Tensor:
    """The pixels that unit (i, j) of a layer sees, bool (H, W), as ``Sight.pixels`` finds them."""
    return ReceptiveFields(network, shape).pixels(name, i, j)


def _propagate_graph(graph: Graph) -> dict[Value, Footprint | None]:
    """What each tensor's units see, in order."""
    _, channels, height, width = graph.image.shape
    dims = tuple((DimensionFactor(*each),) for each in (("", 1), ("", channels), (ROWS, height), (COLUMNS, width)))
    of: dict[Value, Footprint | None] = {
        graph.image: Footprint(dims, (AxisField.of_image(height), AxisField.of_image(width)))
    }
    for call in graph.calls:
        of.update(zip(call.outputs, propagate(call, of), strict=True))
    return of


def _build_field(point: NamedOutput, footprint: Footprint, image: tuple[int, int, int]) -> ReceptiveField:
    height, width = footprint.length(ROWS), footprint.length(COLUMNS)
    shape = (prod(point.value.shape) // (height * width), height, width)
    if footprint.axes is None:
        rows, columns = (((0, length),) for length in image[1:])
        size = image[1:]
        whole = (True, point.is_leaf, False)
        return ReceptiveField(point.name, point.kind, shape, size, size, (0, 0), *whole, footprint.dims, rows, columns)
    down, across = footprint.axes
    return ReceptiveField(
        point.name,
        point.kind,
        shape,
        (down.size, across.size),
        (down.stride, across.stride),
        (-down.span_at(0)[0], -across.span_at(0)[0]),
        footprint.whole_image,
        point.is_leaf,
        True,
        footprint.dims,
        down.clipped_spans,
        across.clipped_spans,
    )
