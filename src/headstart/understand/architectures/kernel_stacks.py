"""One large kernel or a stack of small ones: what each costs for the same field."""

from collections.abc import Sequence

from torch import nn

from headstart.understand.claims import ClaimVerdict


def count_stack_weights(inputs: int, outputs: int, layers: int) -> int:
    """Weights of ``layers`` 3×3 convolutions one after another: 9·(in·out + (n−1)·out²)."""
    return 9 * (inputs * outputs + (layers - 1) * outputs**2)


def count_single_kernel_weights(inputs: int, outputs: int, layers: int) -> int:
    """Weights of the one convolution that sees as many pixels as they do: (2n+1)²·in·out."""
    return (2 * layers + 1) ** 2 * inputs * outputs


def list_spatial_convolutions(network: nn.Module) -> list[tuple[str, int, int]]:
    """Name, channels in and channels out of each convolution that sees more than one place.

    Of a grouped convolution the channels of one group: stack and kernel both have their weights as often as there are
    groups.
    """
    return [
        (name, layer.in_channels // layer.groups, layer.out_channels // layer.groups)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and max(layer.kernel_size) > 1
    ]


def stack_cost_verdict(channels: Sequence[tuple[int, int]], layers: int) -> ClaimVerdict:
    """Whether the stack has fewer weights than the kernel at all pairs of channels (in, out), at some, or at none."""
    cheaper = [count_stack_weights(i, o, layers) < count_single_kernel_weights(i, o, layers) for i, o in channels]
    return "holds" if all(cheaper) else "depends" if any(cheaper) else "fails"
