"""Parameter sharing: the weights of convolutions compared with those of layers without sharing."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from torch import nn

from headstart.networks.hooks import LayerInfo
from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by

DRAMATIC_RATIO = 10.0  # times fewer weights, from which they count as dramatically fewer


@dataclass(frozen=True)
class ParameterCounts:
    """The weights of a convolution and of layers with the same input and output, biases left out.

    Args:
        name: of the layer.
        convolutional: the convolution's weights.
        locally_connected: with a separate kernel at each place of the output.
        fully_connected: with a weight for each pair of an input and an output number.
    """

    name: str
    convolutional: int
    locally_connected: int
    fully_connected: int


def count_layer_parameters(layer: LayerInfo) -> ParameterCounts:
    """The counts for a convolution; windows at the border count in full."""
    convolution = layer.module
    assert isinstance(convolution, nn.Conv2d)
    weights = convolution.weight.numel()
    return ParameterCounts(
        layer.name,
        convolutional=weights,
        locally_connected=weights * prod(layer.output_shape[1:]),
        fully_connected=prod(layer.input_shape) * prod(layer.output_shape),
    )


def build_lesson_network(channels: int = 1, classes: int = 10) -> nn.Sequential:
    """The lesson's network for images of 28×28."""
    return nn.Sequential(
        nn.Conv2d(channels, 4, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 7 * 7, 32),
        nn.ReLU(),
        nn.Linear(32, classes),
    )


def first_dense_share(network: nn.Module) -> tuple[str, float] | None:
    """The first fully connected layer and its share of all parameters, biases included; None if there is none."""
    total = sum(parameter.numel() for parameter in network.parameters())
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            return name, sum(parameter.numel() for parameter in module.parameters()) / total
    return None


def sharing_verdict(counts: Sequence[ParameterCounts]) -> ClaimVerdict:
    """The verdict on the claim that sharing saves dramatically many weights, against fully connected layers.

    Holds from ten times fewer weights on; fails where there are not fewer.
    """
    ratio = sum(count.fully_connected for count in counts) / sum(count.convolutional for count in counts)
    return decide_by(holds=ratio >= DRAMATIC_RATIO, fails=ratio <= 1)
