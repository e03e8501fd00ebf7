"""Parameter sharing: a network's weights beside those of twins that share nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from torch import nn

from headstart.networks.hooks import LayerInfo
from headstart.understand.claims import ClaimVerdict

DRAMATIC_RATIO = 10.0  # times fewer weights, from which on the lesson's "dramatically" is granted


@dataclass(frozen=True)
class ParameterCounts:
    """The weights of a convolution, biases left out, and of layers that would do as much without sharing.

    Args:
        name: of the layer.
        own: its weights.
        local: with a kernel of its own at each place of the output ("locally connected").
        dense: with a weight for each pair of an input and an output number ("fully connected").
    """

    name: str
    convolutional: int
    locally_connected: int
    fully_connected: int


def count_layer_parameters(layer: LayerInfo) -> ParameterCounts:
    """Counts for a convolution; the windows at the border are counted whole."""
    convolution = layer.module
    assert isinstance(convolution, nn.Conv2d)
    own = convolution.weight.numel()
    return ParameterCounts(
        layer.name, own, own * prod(layer.output_shape[1:]), prod(layer.input_shape) * prod(layer.output_shape)
    )


def build_lesson_network(channels: int = 1, classes: int = 10) -> nn.Sequential:
    """The lesson's network for images of 28×28, its functions as layers."""
    return nn.Sequential(
        nn.Conv2d(channels, 4, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, kernel_size=3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 7 * 7, 32), nn.ReLU(), nn.Linear(32, classes),
    )  # fmt: skip


def first_dense_share(network: nn.Module) -> tuple[str, float] | None:
    """The first fully connected layer and its share of all parameters, biases too; None where there is none."""
    total = sum(p.numel() for p in network.parameters())
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            return name, sum(p.numel() for p in module.parameters()) / total
    return None


def sharing_verdict(counts: Sequence[ParameterCounts]) -> ClaimVerdict:
    """Whether sharing saves much, beside the fully connected twin, which is the one that the lesson compares with.

    Holds from ten times fewer weights on; depends where it saves less than that; fails where nothing.
    """
    ratio = sum(t.fully_connected for t in counts) / sum(t.convolutional for t in counts)
    return "holds" if ratio >= DRAMATIC_RATIO else "depends" if ratio > 1 else "fails"
