"""How fields grow: stacks of layers, and their strides."""

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


def _share(cases: Sequence[bool]) -> Verdict:
    return "holds" if all(cases) else "depends" if any(cases) else "fails"
