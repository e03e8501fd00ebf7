"""Weights of one large kernel and of a stack of 3×3 kernels with the same receptive field."""

from collections.abc import Sequence

from torch import nn

from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_cases


def count_stack_weights(inputs: int, outputs: int, layers: int) -> int:
    """Weights of n consecutive 3×3 convolutions: 9·(in·out + (n−1)·out²)."""
    return 9 * (inputs * outputs + (layers - 1) * outputs**2)


def count_single_kernel_weights(inputs: int, outputs: int, layers: int) -> int:
    """Weights of the one convolution with the receptive field of n 3×3 convolutions: (2n+1)²·in·out."""
    return (2 * layers + 1) ** 2 * inputs * outputs


def list_spatial_convolutions(network: nn.Module) -> list[tuple[str, int, int]]:
    """Name, input channels and output channels of each convolution larger than 1×1.

    For a grouped convolution these are the channels of one group: stack and kernel have their weights once for each
    group.
    """
    return [
        (name, layer.in_channels // layer.groups, layer.out_channels // layer.groups)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1
    ]


def stack_cost_verdict(channels: Sequence[tuple[int, int]], layers: int) -> ClaimVerdict:
    """Whether the stack has fewer weights than the kernel: for all pairs of channels (in, out), some, or none."""
    return decide_cases(
        [count_stack_weights(i, o, layers) < count_single_kernel_weights(i, o, layers) for i, o in channels]
    )
