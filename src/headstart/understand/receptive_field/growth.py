"""Growth of receptive fields: what stacked layers and strides add to a field."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.networks.copying import clone_network
from headstart.understand.receptive_field.fields import ReceptiveField, last_fields_per_stride, receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork

MAX_STACK_DEPTH = 3  # layers of a stack in the course's claim, and measured layers at each stride


class FieldGrowth(NamedTuple):
    """The increase of the field by a convolution, along the rows, in pixels.

    Args:
        layer: its field by arithmetic.
        kernel: height and width.
        input_stride: between the units that it reads.
        input_field_size: of the units that it reads.
        field_size: of its own units, by gradients.
    """

    layer: ReceptiveField
    kernel: tuple[int, ...]
    input_stride: int | float
    input_field_size: int
    field_size: int

    @property
    def increment(self) -> int:
        """Pixels added to the field."""
        return self.field_size - self.input_field_size

    @property
    def increment_per_weight(self) -> float:
        """Pixels added for each weight after the first along the kernel."""
        return self.increment / (self.kernel[0] - 1)

    @property
    def layer_stride(self) -> int:
        """The convolution's own stride, in units of its input."""
        return round(self.layer.stride[0] / self.input_stride)

    @property
    def layer_dilation(self) -> int:
        """The convolution's own dilation, in units of its input."""
        return round((self.layer.size[0] - self.input_field_size) / self.input_stride / (self.kernel[0] - 1))


@torch.random.fork_rng(devices=[])  # new layers draw from the global random stream
def theoretical_stack_field(layers: Sequence[str]) -> int:
    """The field of a stack of 3×3 convolutions (``"3"``; of stride 2: ``"s"``) and 2×2 pools (``"p"``)."""
    builders = {
        "3": lambda: nn.Conv2d(1, 1, 3),
        "s": lambda: nn.Conv2d(1, 1, 3, stride=2),
        "p": lambda: nn.MaxPool2d(2),
    }
    return receptive_fields(nn.Sequential(*(builders[layer]() for layer in layers)), (1, 128, 128))[-1].size[0]


def compare_doubled_first_stride(
    network: nn.Module, shape: tuple[int, int, int], fields: list[ReceptiveField]
) -> list[tuple[str, int, int]]:
    """Doubles the stride of the first convolution and the side of the image, so that all maps keep their sizes.

    Returns:
        (layer, field height before, field height after) for the last layer at each stride, in pixels. Empty if the
        network has no convolution or does not take the larger image.
    """
    copy = clone_network(network)
    first = next((module for module in copy.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None:
        return []
    first.stride = tuple(2 * stride for stride in first.stride)
    try:
        doubled = {field.name: field for field in receptive_fields(copy, (shape[0], 2 * shape[1], 2 * shape[2]))}
    except HeadstartError:
        return []
    return [
        (field.name, field.size[0], doubled[field.name].size[0])
        for field in last_fields_per_stride(fields)
        if field.name in doubled and doubled[field.name].is_local
    ]


def measure_field_growth(
    network: nn.Module, fields: Sequence[ReceptiveField], linearized: LinearizedNetwork
) -> list[FieldGrowth]:
    """Measures the growth of the field by convolutions, by gradients of their center units.

    Takes the first three convolutions at each stride. Leaves out kernels one pixel high, which add nothing, and fields
    that the image clips, which cannot be measured.

    Args:
        network: not changed.
        fields: of the network, in order.
        linearized: the same network.
    """
    convolutions = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    growths: list[FieldGrowth] = []
    for field in fields:
        module = convolutions.get(field.name)
        if module is None or module.kernel_size[0] == 1 or not field.is_local or not linearized.has_map(field):
            continue
        top, _, bottom, _ = field.box(*field.center_unit)
        input_stride = field.stride[0] / module.stride[0]
        if (
            bottom - top < field.size[0]
            or sum(each.input_stride == input_stride for each in growths) == MAX_STACK_DEPTH
        ):
            continue
        input_size = field.size[0] - round((module.kernel_size[0] - 1) * module.dilation[0] * input_stride)
        rows = (linearized.pixel_weights(field, *field.center_unit) > 0).any(1).nonzero()
        size = int(rows[-1] - rows[0]) + 1 if len(rows) else 0
        input_stride = int(input_stride) if input_stride == int(input_stride) else input_stride
        growths.append(FieldGrowth(field, module.kernel_size, input_stride, input_size, size))
    return growths


def find_stacks(layers: Sequence[FieldGrowth]) -> list[list[FieldGrowth]]:
    """The network's stacks of two or more 3×3 layers, the first three layers of each.

    Two layers are stacked if the second reads units with the field and stride of the first, so that no pool or stride
    lies between them. A layer's own stride or dilation is allowed.
    """
    stacks: list[list[FieldGrowth]] = []
    for growth in layers:
        if growth.kernel != (3, 3):
            continue
        below = stacks[-1][-1].layer if stacks else None
        if below is None or (growth.input_field_size, growth.input_stride) != (below.size[0], below.stride[0]):
            stacks.append([])
        stacks[-1].append(growth)
    return [stack[:MAX_STACK_DEPTH] for stack in stacks if len(stack) > 1]


def stack_field_sizes(stack: Sequence[FieldGrowth]) -> list[int]:
    """The field of each layer of a stack, in units of the map below the first."""
    bottom = stack[0]
    return [round((growth.field_size - bottom.input_field_size) / bottom.input_stride) + 1 for growth in stack]


def growth_by_stride(layers: Sequence[FieldGrowth]) -> dict[int | float, float]:
    """The mean growth for each weight after the first along the kernel, by the stride of the units read.

    The division by the weights makes large and small kernels comparable.
    """
    strides = sorted({growth.input_stride for growth in layers})
    return {
        stride: fmean(growth.increment_per_weight for growth in layers if growth.input_stride == stride)
        for stride in strides
    }


def is_plain_stack(stack: Sequence[FieldGrowth]) -> bool:
    """Whether no layer of a stack has a dilation, and none but the last a stride."""
    return all(growth.layer_stride == 1 for growth in stack[:-1]) and all(
        growth.layer_dilation == 1 for growth in stack
    )
