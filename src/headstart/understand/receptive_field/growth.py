"""How fields grow: stacks of layers, and their strides."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.networks.copying import clone_network
from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_cases
from headstart.understand.receptive_field.effective import center_unit
from headstart.understand.receptive_field.fields import ReceptiveField, last_fields_per_stride, receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork

MAX_STACK_DEPTH = 3  # layers of a stack that the lesson speaks of, and those that are measured at each stride


class FieldGrowth(NamedTuple):
    """What a convolution adds to the field, along the rows.

    Args:
        layer: its field by arithmetic.
        kernel: its height and width.
        step: pixels between the units that it reads.
        read: pixels that each of those sees.
        sees: pixels that its own units see, by gradients.
    """

    layer: ReceptiveField
    kernel: tuple[int, ...]
    input_stride: int | float
    input_field_size: int
    field_size: int

    @property
    def increment(self) -> int:
        return self.field_size - self.input_field_size

    @property
    def increment_per_weight(self) -> float:
        return self.increment / (self.kernel[0] - 1)

    @property
    def layer_stride(self) -> int:
        """Its own stride."""
        return round(self.layer.stride[0] / self.input_stride)

    @property
    def layer_dilation(self) -> int:
        """Its own dilation."""
        return round((self.layer.size[0] - self.input_field_size) / self.input_stride / (self.kernel[0] - 1))


@torch.random.fork_rng(devices=[])  # fresh layers draw from the stream that everybody shares
def theoretical_stack_field(layers: Sequence[str]) -> int:
    """The field of a stack of 3×3 convolutions (``"3"``; of stride 2: ``"s"``) and 2×2 pools (``"p"``)."""
    made = {"3": lambda: nn.Conv2d(1, 1, 3), "s": lambda: nn.Conv2d(1, 1, 3, stride=2), "p": lambda: nn.MaxPool2d(2)}
    return receptive_fields(nn.Sequential(*(made[each]() for each in layers)), (1, 128, 128))[-1].size[0]


def compare_doubled_first_stride(
    network: nn.Module, shape: tuple[int, int, int], fields: list[ReceptiveField]
) -> list[tuple[str, int, int]]:
    """(layer, its field now, its field with the first convolution's stride doubled), for each stage; heights in pixels.

    The image is doubled along with it, so that all maps keep their sizes. Empty where the network takes no such image.
    """
    copy = clone_network(network)
    first = next((module for module in copy.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None:
        return []
    first.stride = tuple(2 * each for each in first.stride)
    try:
        then = {each.name: each for each in receptive_fields(copy, (shape[0], 2 * shape[1], 2 * shape[2]))}
    except HeadstartError:
        return []
    told = [each for each in last_fields_per_stride(fields) if each.name in then and then[each.name].is_local]
    return [(each.name, each.size[0], then[each.name].size[0]) for each in told]


def measure_field_growth(
    network: nn.Module, fields: Sequence[ReceptiveField], linearized: LinearizedNetwork
) -> list[FieldGrowth]:
    """What the convolutions of a network add to the field, by gradients of their centre units.

    The first three at each stride; those with a kernel one pixel high add nothing, and those whose field the image cuts
    cannot be measured: both are left out.

    Args:
        network: stays as it was.
        fields: of it, in order.
        uniform: the same network made linear.
    """
    convolutions = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    found: list[FieldGrowth] = []
    for each in fields:
        module = convolutions.get(each.name)
        if module is None or module.kernel_size[0] == 1 or not each.is_local or not linearized.has_map(each):
            continue
        i, j = center_unit(each)
        top, _, bottom, _ = each.box(i, j)
        step = each.stride[0] / module.stride[0]
        if bottom - top < each.size[0] or sum(one.input_stride == step for one in found) == MAX_STACK_DEPTH:
            continue
        read = each.size[0] - round((module.kernel_size[0] - 1) * module.dilation[0] * step)
        rows = (linearized.pixel_weights(each, i, j) > 0).any(1).nonzero()
        sees = int(rows[-1] - rows[0]) + 1 if len(rows) else 0
        found.append(FieldGrowth(each, module.kernel_size, int(step) if step == int(step) else step, read, sees))
    return found


def find_stacks(layers: Sequence[FieldGrowth]) -> list[list[FieldGrowth]]:
    """The network's own stacks of two 3×3 layers or more, of each the first three.

    Two lie on top of each other where the second reads units that see and step as the first's own do: neither a pool
    nor a stride lies between them. A stride or a dilation of their own counts.
    """
    runs: list[list[FieldGrowth]] = []
    for each in (each for each in layers if each.kernel == (3, 3)):
        below = runs[-1][-1].layer if runs else None
        if below is None or (each.input_field_size, each.input_stride) != (below.size[0], below.stride[0]):
            runs.append([])
        runs[-1].append(each)
    return [run[:MAX_STACK_DEPTH] for run in runs if len(run) > 1]


def stack_field_sizes(stack: Sequence[FieldGrowth]) -> list[int]:
    """What each layer of a stack sees, in units of the map below the first."""
    return [round((each.field_size - stack[0].input_field_size) / stack[0].input_stride) + 1 for each in stack]


def growth_by_stride(layers: Sequence[FieldGrowth]) -> dict[int | float, float]:
    """Pixels that a convolution adds to the field for each weight after the first along its kernel, so that a large
    kernel and a small one compare: mean over those that read units of the same stride; by stride."""
    steps = sorted({each.input_stride for each in layers})
    return {step: fmean(each.increment_per_weight for each in layers if each.input_stride == step) for step in steps}


def is_plain_stack(stack: Sequence[FieldGrowth]) -> bool:
    """Whether no layer of a stack dilates, and none that another reads strides."""
    return all(each.layer_stride == 1 for each in stack[:-1]) and all(each.layer_dilation == 1 for each in stack)


def stacks_verdict(sizes: Sequence[Sequence[int]], plain: Sequence[bool]) -> ClaimVerdict:
    """What the layers of each stack see: holds where that is 3, 5 and 7 in each, fails where it is not although no
    layer of the stack strides or dilates; depends where such layers are the reason.

    Args:
        sizes: what the first layer, two, three of a stack see.
        plain: whether its layers neither stride nor dilate.
    """
    right = [list(each) == [3, 5, 7][: len(each)] for each in sizes]
    if not right:
        return "not measured"
    if any(not seen and alike for seen, alike in zip(right, plain, strict=True)):
        return "fails"
    return "holds" if all(right) else "depends"


def stride_growth_verdict(increments: Sequence[float]) -> ClaimVerdict:
    """What a layer adds, from the smallest stride to the largest: holds where each is more than the one before."""
    return decide_cases([after > before for before, after in pairwise(increments)])
