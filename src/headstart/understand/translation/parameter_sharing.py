"""Parameter sharing: a network's weights beside those of twins that share nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from torch import nn

from headstart.networks.hooks import Layer
from headstart.understand.claims import Verdict

DRAMATIC = 10.0  # times fewer weights, from which on the lesson's "dramatically" is granted


@dataclass(frozen=True)
class Twins:
    """The weights of a convolution, biases left out, and of layers that would do as much without sharing.

    Args:
        name: of the layer.
        own: its weights.
        local: with a kernel of its own at each place of the output ("locally connected").
        dense: with a weight for each pair of an input and an output number ("fully connected").
    """

    name: str
    own: int
    local: int
    dense: int


def twins(layer: Layer) -> Twins:
    """Counts for a convolution; the windows at the border are counted whole."""
    convolution = layer.module
    assert isinstance(convolution, nn.Conv2d)
    own = convolution.weight.numel()
    return Twins(layer.name, own, own * prod(layer.given[1:]), prod(layer.taken) * prod(layer.given))


def lesson_network(channels: int = 1, classes: int = 10) -> nn.Sequential:
    """The lesson's network for images of 28×28, its functions as layers."""
    return nn.Sequential(
        nn.Conv2d(channels, 4, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 7 * 7, 32), nn.ReLU(), nn.Linear(32, classes),
    )  # fmt: skip


def first_dense(network: nn.Module) -> tuple[str, float] | None:
    """The first fully connected layer and its share of all parameters, biases too; None where there is none."""
    total = sum(p.numel() for p in network.parameters())
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            return name, sum(p.numel() for p in module.parameters()) / total
    return None


def sharing_verdict(found: Sequence[Twins]) -> Verdict:
    """Whether sharing saves much, beside the fully connected twin, which is the one that the lesson compares with.

    Holds from ten times fewer weights on; depends where it saves less than that; fails where nothing.
    """
    ratio = sum(t.dense for t in found) / sum(t.own for t in found)
    return "holds" if ratio >= DRAMATIC else "depends" if ratio > 1 else "fails"
