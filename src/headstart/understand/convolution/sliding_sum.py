"""Convolution as a sliding sum of products, its output size, and the verdicts on both."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by, decide_cases

IntOrPair = int | tuple[int, ...]  # for both axes, or (vertical, horizontal)

# Sobel and Feldman's operator for vertical edges (1968): a difference across, smoothed along.
SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def output_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """The number of kernel positions along an axis: ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1.

    The formula is that of Dumoulin and Visin, "A guide to convolution arithmetic" (2016), relationship 15.

    Raises:
        HeadstartError: the kernel is larger than the padded image.
    """
    remainder = size + 2 * padding - dilation * (kernel - 1) - 1
    if remainder < 0:
        raise HeadstartError(
            f"a kernel of {kernel} with dilation {dilation} does not fit into {size} pixels with padding {padding}; "
            "pad more, or take a smaller kernel"
        )
    return remainder // stride + 1


def unfold_windows(
    images: Tensor, kernel: IntOrPair, stride: IntOrPair = 1, padding: IntOrPair = 0, dilation: IntOrPair = 1
) -> Tensor:
    """The window of each kernel position: (N, C, H, W) to (N, C, H', W', kernel height, kernel width).

    The value at [i, j, m, n] is the padded image's at [i·stride + m·dilation, j·stride + n·dilation].
    """
    (kh, kw), (sy, sx), (py, px), (dy, dx) = map(_to_pair, (kernel, stride, padding, dilation))
    height = output_size(images.shape[2], kh, sy, py, dy)
    width = output_size(images.shape[3], kw, sx, px, dx)
    padded = F.pad(images, (px, px, py, py))
    taps = [
        padded[:, :, m * dy : m * dy + sy * (height - 1) + 1 : sy, n * dx : n * dx + sx * (width - 1) + 1 : sx]
        for m in range(kh)
        for n in range(kw)
    ]
    return torch.stack(taps, dim=-1).unflatten(-1, (kh, kw))


def window_products(
    images: Tensor, kernel: Tensor, stride: IntOrPair = 1, padding: IntOrPair = 0, dilation: IntOrPair = 1
) -> Tensor:
    """Each window times the kernel (C, kernel height, kernel width), as (N, C, H', W', kernel height, kernel width).

    Their sum over channels and taps is the convolution's output for that kernel.
    """
    shape = (kernel.shape[1], kernel.shape[2])
    return unfold_windows(images, shape, stride, padding, dilation) * kernel[:, None, None]


def convolve(
    images: Tensor,
    kernels: Tensor,
    stride: IntOrPair = 1,
    padding: IntOrPair = 0,
    dilation: IntOrPair = 1,
    groups: int = 1,
) -> Tensor:
    """The sum of products at each position: convolution in deep learning, correlation in signal processing.

    out[o, i, j] = Σ over c, m, n of image[c, i·stride + m·dilation, j·stride + n·dilation] · kernel[o, c, m, n];
    the kernel is not rotated by half a turn, as in mathematics.

    Args:
        images: (N, C, H, W).
        kernels: (O, C / groups, kernel height, kernel width).
        groups: equal parts of the channels, each with its own equal part of the kernels.

    Returns:
        (N, O, H', W').

    Raises:
        HeadstartError: the kernel is larger than the padded image.
    """
    windows = unfold_windows(images, (kernels.shape[2], kernels.shape[3]), stride, padding, dilation)
    windows, kernels = windows.unflatten(1, (groups, -1)), kernels.unflatten(0, (groups, -1))
    return torch.einsum("bgcijmn,gocmn->bgoij", windows, kernels).flatten(1, 2)


def _to_pair(value: IntOrPair) -> tuple[int, int]:
    return (value[0], value[1]) if isinstance(value, tuple) else (value, value)


def build_square_image(size: int = 5, square: int = 3) -> Tensor:
    """The course's picture: a white square on black, float32 (1, 1, size, size)."""
    image = torch.zeros(1, 1, size, size)
    start = (size - square) // 2
    image[:, :, start : start + square, start : start + square] = 1
    return image


def sample_output_sizes(count: int, seed: int = 0) -> list[tuple[tuple[int, ...], int, int]]:
    """Random settings (size, kernel, stride, padding, dilation), the output size by the formula, and by torch."""
    generator = torch.Generator().manual_seed(seed)
    trials: list[tuple[tuple[int, ...], int, int]] = []
    while len(trials) < count:
        size, kernel, stride, padding, dilation = (
            int(torch.randint(low, high + 1, (), generator=generator))
            for low, high in ((1, 40), (1, 7), (1, 5), (0, 4), (1, 4))
        )
        if dilation * (kernel - 1) < size + 2 * padding:
            line, weights = torch.zeros(1, 1, size), torch.zeros(1, 1, kernel)
            measured = F.conv1d(line, weights, None, stride, padding, dilation).shape[2]
            formula = output_size(size, kernel, stride, padding, dilation)
            trials.append(((size, kernel, stride, padding, dilation), formula, measured))
    return trials


@torch.no_grad()
def convolution_error(layer: nn.Conv2d) -> float | None:
    """The largest difference between a layer's output and the sum by hand, relative to the largest value.

    In float64, on a small random input. None for a layer with another padding than zeros, or a subclass.
    """
    if type(layer) is not nn.Conv2d or isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        return None
    (kh, kw), (sy, sx), (dy, dx) = layer.kernel_size, layer.stride, layer.dilation
    shape = (1, layer.in_channels, dy * (kh - 1) + 1 + sy, dx * (kw - 1) + 1 + sx)
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kernels, bias = layer.weight.detach().double(), None if layer.bias is None else layer.bias.detach().double()
    by_hand = convolve(image, kernels, layer.stride, layer.padding, layer.dilation, layer.groups)
    if bias is not None:
        by_hand = by_hand + bias[:, None, None]
    output = F.conv2d(image, kernels, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
    return float((by_hand - output).abs().max() / output.abs().max().clamp(min=1e-12))


def sliding_sum_verdict(differences: Sequence[float], tolerance: float = 1e-9) -> ClaimVerdict:
    """Whether differences from the sum by hand are rounding: holds if all are, depends if some, fails if none."""
    return decide_cases([difference <= tolerance for difference in differences])


def stride_halving_verdict(sizes: Sequence[tuple[int, int]]) -> ClaimVerdict:
    """Whether outputs are half of inputs, given (input, output): holds if all, depends if some, fails if none."""
    return decide_cases([2 * output == size for size, output in sizes])


def padding_verdict(sizes: Sequence[tuple[int, int]]) -> ClaimVerdict:
    """Whether each output is as large as its input: holds if all are, depends if some, fails if none."""
    return decide_cases([output == size for size, output in sizes])


def dilation_verdict(fields: Sequence[int], weights: Sequence[int]) -> ClaimVerdict:
    """Whether fields grow at no cost.

    Holds if each is wider than the one before with the same number of weights; depends if they grow with more weights;
    fails if one does not grow.
    """
    return decide_by(holds=len(set(weights)) == 1, fails=any(b <= a for a, b in pairwise(fields)))


def edge_detection_verdict(response: Tensor, edges: Tensor) -> ClaimVerdict:
    """Whether bright spots mark the edges.

    Holds if each edge is brighter than all other positions; depends if that is true of absolute values only, so that
    some edges are dark; fails if an edge is no stronger than another position.

    Args:
        response: (H, W), with at least one edge and one other position.
        edges: where the edges are, bool (H, W).
    """
    return decide_by(
        holds=bool(response[edges].min() > response[~edges].max()),
        fails=not response[edges].abs().min() > response[~edges].abs().max(),
    )
