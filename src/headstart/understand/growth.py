"""How fields grow: stacks of layers, their strides, and what they cost in parameters."""

from collections.abc import Sequence

import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.chapter import Verdict
from headstart.understand.receptive_field import Field, receptive_fields, stages
from headstart.understand.subject import copied


@torch.random.fork_rng(devices=[])  # fresh layers draw from the stream that everybody shares
def stack(layers: Sequence[str]) -> int:
    """The field of a stack of 3×3 convolutions (``"3"``; of stride 2: ``"s"``) and 2×2 pools (``"p"``)."""
    made = {"3": lambda: nn.Conv2d(1, 1, 3), "s": lambda: nn.Conv2d(1, 1, 3, stride=2), "p": lambda: nn.MaxPool2d(2)}
    return receptive_fields(nn.Sequential(*(made[each]() for each in layers)), (1, 128, 128))[-1].size[0]


@torch.random.fork_rng(devices=[])  # fresh layers draw from the stream that everybody shares
def costs_of_stacks(channels: int) -> list[tuple[str, int, int]]:
    """Parameters of stacks of 3×3 layers and of one layer that sees as much: between equal widths, and at the image."""

    def weights(*layers: tuple[int, int, int]) -> int:
        return sum(p.numel() for a, b, k in layers for p in nn.Conv2d(a, b, k).parameters())

    wide = 64
    return [
        (f"two layers between {wide} channels", weights((wide, wide, 3), (wide, wide, 3)), weights((wide, wide, 5))),
        (f"three between {wide}", weights(*[(wide, wide, 3)] * 3), weights((wide, wide, 7))),
        (
            f"two from the image's {channels} to {wide}",
            weights((channels, wide, 3), (wide, wide, 3)),
            weights((channels, wide, 5)),
        ),
    ]


def first_stride_doubled(
    network: nn.Module, shape: tuple[int, int, int], fields: list[Field]
) -> list[tuple[str, int, int]]:
    """(layer, its field now, its field with the first convolution's stride doubled), for each stage; heights in pixels.

    The image is doubled along with it, so that all maps keep their sizes. Empty where the network takes no such image.
    """
    copy = copied(network)
    first = next((module for module in copy.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None:
        return []
    first.stride = tuple(2 * each for each in first.stride)
    try:
        then = {each.name: each for each in receptive_fields(copy, (shape[0], 2 * shape[1], 2 * shape[2]))}
    except HeadstartError:
        return []
    told = [each for each in stages(fields) if each.name in then and then[each.name].local]
    return [(each.name, each.size[0], then[each.name].size[0]) for each in told]


def stacks_verdict(sizes: Sequence[int]) -> Verdict:
    """Holds where one, two and three layers see 3, 5 and 7 pixels."""
    return "holds" if list(sizes) == [3, 5, 7] else "fails"


def faster_verdict(pairs: Sequence[tuple[int, int]]) -> Verdict:
    """Fields (without, with) strides or pools: holds where each is larger with, fails where none is."""
    return _share([wide > plain for plain, wide in pairs])


def cheaper_verdict(costs: Sequence[tuple[int, int]]) -> Verdict:
    """Parameters (of the stack, of one kernel): holds where each stack has fewer, fails where none has."""
    return _share([stacked < single for stacked, single in costs])


def _share(cases: Sequence[bool]) -> Verdict:
    return "holds" if all(cases) else "depends" if any(cases) else "fails"
