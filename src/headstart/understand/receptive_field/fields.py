"""Receptive fields of every layer of a network, by interval arithmetic over its traced operations.

Operations that see the whole image (global pooling, squeeze-excite, group normalization, attention) are flagged by
``whole_image`` and do not enlarge ``size``, which describes the local operations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.axis import AxisField
from headstart.understand.receptive_field.footprint import (
    COLUMNS,
    ROWS,
    Dimension,
    DimensionFactor,
    Footprint,
    Footprints,
    dimension_size,
)
from headstart.understand.receptive_field.rules import propagate
from headstart.understand.receptive_field.tracing import Graph, NamedOutput, trace_network


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field of a layer's units.

    Args:
        name: of the module, ``"layer1.0.conv1"``, or function, ``"layer1.0.add"``; repeated calls: ``"relu_1"``.
        kind: the module's class or the function's name.
        shape: (C, H, W) of the output.
        size: (height, width) in pixels of an interior unit's field; the largest where neighboring units differ.
        stride: (rows, columns) in pixels from one unit's field to the next.
        padding: (rows, columns) in pixels by which the field of unit (0, 0) begins outside of the image.
        whole_image: whether an operation on the way sees the whole image; ``size`` ignores it. Where no local
            operation is left, as after global pooling, size and stride are the image's.
        is_leaf: False for a module with children.
        is_local: False where the image is seen only by operations that see all of it.
        dims: factors of each output dimension for one image: rows, columns or channels.
        axes: fields along rows and columns.

    Example:
        >>> receptive_fields(network, (3, 224, 224))[0].size
        (7, 7)
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    size: tuple[int, int]
    stride: tuple[int | float, int | float]
    padding: tuple[int, int]
    whole_image: bool
    is_leaf: bool
    is_local: bool
    dims: tuple[Dimension, ...] = field(repr=False)
    axes: tuple[AxisField, AxisField] = field(repr=False)

    @property
    def center_unit(self) -> tuple[int, int]:
        """(row, column) of the center unit of the map."""
        return self.shape[1] // 2, self.shape[2] // 2

    def box(self, i: int, j: int) -> tuple[int, int, int, int]:
        """The bounding box (top, left, bottom, right) of unit (i, j)'s field within the image, ends excluded.

        Dilation leaves holes in it; ``ReceptiveFields.pixels`` returns the exact pixels.
        """
        (top, bottom), (left, right) = (axis.clipped_spans[unit] for axis, unit in zip(self.axes, (i, j), strict=True))
        return top, left, bottom, right

    def interior_mask(self, image_size: tuple[int, int]) -> Tensor:
        """The units whose fields lie within the image, so that no padding reaches them: bool (H, W) of the map.

        Args:
            image_size: (height, width) in pixels.
        """
        masks = []
        for axis, length, count in zip(self.axes, image_size, self.shape[1:], strict=True):
            spans = [axis.span_at(unit) for unit in range(count)]
            masks.append(torch.tensor([first >= 0 and last < length for first, last in spans]))
        return masks[0][:, None] & masks[1] & (self.is_local and not self.whole_image)

    def select_unit(self, output: Tensor, i: int, j: int) -> Tensor:
        """Unit (i, j) of the layer's output for N images, in whatever order its dimensions are: (N, C)."""
        sizes = [dimension_size(dim) for dim in self.dims]
        # The one dimension that is larger than for one image contains the images, as its outermost factor.
        batch_dim = next((k for k, size in enumerate(sizes) if output.shape[k] != size), 0)
        before = [factor for dim in self.dims[:batch_dim] for factor in dim]
        behind = [factor for dim in self.dims[batch_dim:] for factor in dim]
        output = output.reshape(*(factor.size for factor in before), -1, *(factor.size for factor in behind))
        unit = {ROWS: i, COLUMNS: j}
        index = [unit.get(factor.axis, slice(None)) for factor in (*before, *behind)]
        return output.movedim(len(before), 0)[:, *index].flatten(1)


class ReceptiveFields:
    """The receptive fields of a network, and the exact pixels of each unit.

    Args:
        network: not changed.
        shape: (C, H, W) of an image.

    Attributes:
        fields: of each module and of each named function beside them, in the order in which their calls end.

    Raises:
        HeadstartError: the network cannot be traced, has an unsupported operation, or has no layer with a tensor.

    Example:
        >>> ReceptiveFields(network, (3, 224, 224)).pixels("layer1", 28, 28).sum()
    """

    def __init__(self, network: nn.Module, shape: tuple[int, int, int]) -> None:
        if len(shape) != 3:
            raise HeadstartError(f"shape={tuple(shape)}: fields are those of images; give (channels, height, width)")
        graph = trace_network(network, shape)
        self.fields: list[ReceptiveField] = []
        self._shape, self._footprints = shape, _propagate_graph(graph)
        self._image = self._footprints[graph.image]
        self._footprints_by_name: dict[str, Footprint] = {}
        for output in graph.named_outputs:
            footprint = self._footprints.get(output.value)
            if footprint is not None:
                self.fields.append(_build_field(output, footprint, shape))
                self._footprints_by_name[output.name] = footprint
        if not self.fields:
            raise HeadstartError(
                f"{type(network).__name__} has no layers that give a tensor of the image: put it into a module, such "
                "as nn.Sequential, whose layers each give one, and not a tuple or a dict"
            )

    def pixels(self, name: str, i: int | None = None, j: int | None = None) -> Tensor:
        """The pixels that unit (i, j) of a layer sees, with the holes of dilation: bool (H, W).

        Without i and j: the pixels that any unit sees. Operations that see the whole image count only where no local
        operation is left; then all pixels are True.

        Raises:
            HeadstartError: there is no layer of this name.
        """
        if name not in self._footprints_by_name:
            raise HeadstartError(f"the network has no layer {name!r} that sees an image")
        layer = self._footprints_by_name[name]
        if layer.axes is None:
            return torch.ones(self._shape[1:], dtype=torch.bool)
        units = torch.zeros(layer.length(ROWS), layer.length(COLUMNS), dtype=torch.float64)
        units[slice(None) if i is None else i, slice(None) if j is None else j] = 1
        masks = {layer: units}
        for footprint in reversed([each for each in self._footprints.values() if each is not None]):
            if footprint is self._image or footprint not in masks:
                continue
            mask = masks.pop(footprint)
            for source, rows, columns in footprint.sources:
                part = mask if rows is None else rows.to_matrix().T @ mask
                part = part if columns is None else part @ columns.to_matrix()
                masks[source] = ((masks.get(source, 0) + part) > 0).double()
        assert self._image is not None
        return masks.get(self._image, torch.zeros(self._shape[1:])) > 0


def receptive_fields(network: nn.Module, shape: tuple[int, int, int]) -> list[ReceptiveField]:
    """The fields of all modules and named functions of a network on images of ``shape`` (C, H, W)."""
    return ReceptiveFields(network, shape).fields


def last_fields_per_stride(fields: Sequence[ReceptiveField]) -> list[ReceptiveField]:
    """The last local layer at each stride, smallest stride first.

    A block that reduces the map has inner layers at the stride before; these end no stage.

    Raises:
        HeadstartError: every layer sees the whole image.
    """
    local = [layer for layer in fields if layer.is_local]
    if not local:
        raise HeadstartError("every layer of this network sees all of the image: there is no field to tell")
    strides = {layer.name: layer.stride for layer in local}
    inner_strides: dict[str, set[object]] = {}
    for layer in local:
        for block in _enclosing_modules(layer.name):
            inner_strides.setdefault(block, set()).add(layer.stride)

    def is_within_reduction(layer: ReceptiveField) -> bool:
        return any(
            strides.get(block, layer.stride) != layer.stride and len(inner_strides[block]) == 2
            for block in _enclosing_modules(layer.name)
        )

    last = {layer.stride: layer for layer in local}
    last |= {layer.stride: layer for layer in local if not is_within_reduction(layer)}
    return sorted(last.values(), key=lambda layer: layer.stride[0] * layer.stride[1])


def fields_by_module(network: nn.Module, fields: Sequence[ReceptiveField]) -> dict[str, ReceptiveField]:
    """The field of each module's last call, by the module's name."""
    modules = {name for name, _ in network.named_modules()}
    last = {}
    for layer in fields:
        name = layer.name if layer.name in modules else layer.name.rpartition("_")[0]
        if name in modules:
            last[name] = replace(layer, name=name)
    return last


def _enclosing_modules(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:k]) for k in range(1, len(parts))]


def _propagate_graph(graph: Graph) -> Footprints:
    """The footprint of each tensor, in order."""
    _, channels, height, width = graph.image.shape
    dims = tuple((DimensionFactor(*factor),) for factor in (("", 1), ("", channels), (ROWS, height), (COLUMNS, width)))
    image = Footprint(dims, (AxisField.of_image(height), AxisField.of_image(width)))
    footprints: Footprints = {graph.image: image}
    for call in graph.calls:
        footprints.update(zip(call.outputs, propagate(call, footprints), strict=True))
    return footprints


def _build_field(output: NamedOutput, footprint: Footprint, image_shape: tuple[int, int, int]) -> ReceptiveField:
    height, width = footprint.length(ROWS), footprint.length(COLUMNS)
    rows, columns = footprint.axes or map(AxisField.of_whole_image, image_shape[1:])
    return ReceptiveField(
        name=output.name,
        kind=output.kind,
        shape=(prod(output.value.shape) // (height * width), height, width),
        size=(rows.size, columns.size),
        stride=(rows.stride, columns.stride),
        padding=(-rows.span_at(0)[0], -columns.span_at(0)[0]),
        whole_image=footprint.whole_image or footprint.axes is None,
        is_leaf=output.is_leaf,
        is_local=footprint.axes is not None,
        dims=footprint.dims,
        axes=(rows, columns),
    )
