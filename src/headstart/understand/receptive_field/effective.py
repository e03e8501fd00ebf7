"""Effective receptive fields: how much each pixel moves a unit (Luo, Li, Urtasun and Zemel, NeurIPS 2016).

Gradients are averaged over images as absolute values, so that opposite effects in two images do not cancel, and without
a logarithm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError, first_line
from headstart.networks.call_recorder import CallRecorder
from headstart.networks.copying import clone_network
from headstart.understand.receptive_field.fields import ReceptiveField
from headstart.understand.statistics import Estimate, jackknife_intervals

GRADIENT_BATCH_SIZE = 16
TWO_SIGMA = 0.9545  # a Gaussian's share within 2σ; Luo counts pixels heavier than 1 − this of the heaviest


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """The effective field of a layer's center unit; intervals are over images.

    Args:
        layer: its receptive field.
        weights: share of each pixel, float64 (H, W), sum 1.
        sigma: (rows, columns), standard deviations in pixels.
        side: of a square with as many pixels as weigh more than 4.55 % of the heaviest.
        mass95: side in pixels of the smallest centered square with 95 % of the weight.
        r2: share of the weights' variance within the field that a fitted Gaussian explains.
        central: share of the weight in the middle quarter of the field within the image; 0.25 if uniform.
        ratio: 4σ over the side of the theoretical field, mean over both axes.
        clipped: whether the image clips the theoretical field, so that σ is that of the rest.
    """

    layer: ReceptiveField
    weights: Tensor
    sigma: tuple[float, float]
    side: float
    mass95: int
    r2: Estimate
    central: Estimate
    ratio: Estimate
    clipped: bool


def pixel_gradients(network: nn.Module, images: Tensor, layers: Sequence[ReceptiveField]) -> list[Tensor]:
    """|∂ center unit / ∂ pixel| for each image, summed over channels: float64 (N, H, W) for each layer.

    Args:
        network: not changed; measured in eval mode.
        images: as the network takes them, float32 (N, C, H, W).
        layers: of the network; a unit is the sum over its channels.

    Raises:
        HeadstartError: the network has no such layer with one tensor, or no gradient reaches the image.
    """
    copy = clone_network(network).requires_grad_(False)
    names = {layer.name for layer in layers}
    outputs: dict[str, Tensor] = {}

    def record(name: str, _kind: str, output: object, _is_leaf: bool) -> None:
        if name in names and isinstance(output, Tensor):
            outputs[name] = output.clone()  # an in-place operation may follow

    gradients: list[list[Tensor]] = [[] for _ in layers]
    for batch in images.split(GRADIENT_BATCH_SIZE):
        batch = batch.detach().requires_grad_(True)
        outputs.clear()
        with torch.enable_grad(), CallRecorder(copy, record):
            copy(batch)
        for layer, parts in zip(layers, gradients, strict=True):
            if layer.name not in outputs:
                raise HeadstartError(f"{layer.name!r} is no layer of the network that gives one tensor: choose another")
            unit = layer.select_unit(outputs[layer.name], *layer.center_unit).sum()
            try:
                [gradient] = torch.autograd.grad(unit, batch, retain_graph=True)
            except RuntimeError as error:
                reason = first_line(error)
                raise HeadstartError(f"no gradient leads from {layer.name!r} back to the image: {reason}") from error
            parts.append(gradient.double().abs().sum(1))
    return [torch.cat(parts) for parts in gradients]


def effective_fields(network: nn.Module, images: Tensor, layers: Sequence[ReceptiveField]) -> list[EffectiveField]:
    """The effective field of each layer's center unit, mean over images; 50 images or more give steady figures.

    Raises:
        HeadstartError: no pixel moves a unit (a dead layer), or as ``pixel_gradients``.
    """
    gradients = pixel_gradients(network, images, layers)
    return [summarize_effective_field(each, layer) for each, layer in zip(gradients, layers, strict=True)]


def summarize_effective_field(gradients: Tensor, layer: ReceptiveField) -> EffectiveField:
    """The effective field from gradients of a layer's center unit.

    Args:
        gradients: absolute values, float64 (N, H, W), as from ``pixel_gradients``.
        layer: its receptive field.

    Raises:
        HeadstartError: all gradients are 0.
    """
    mean = gradients.mean(0)
    if not mean.any():
        raise HeadstartError(
            f"no pixel moves the center unit of {layer.name!r} in any image: its effective field is empty"
        )
    weights = mean / mean.sum()
    top, left, bottom, right = layer.box(*layer.center_unit)
    gaussian = _fit_gaussian(weights[top:bottom, left:right])

    def compute_statistics(images: Tensor) -> Tensor:
        share = gradients[images].sum(0)
        share = share / share.sum()
        inner = share[top:bottom, left:right]
        # The Gaussian is not refitted: it maximizes R², so refitting changes R² little.
        values = [
            _explained_variance(inner, gaussian),
            _central_share(inner),
            _field_ratio(weight_std(share), layer.size),
        ]
        return torch.tensor(values, dtype=torch.float64)

    r2, central, ratio = jackknife_intervals(compute_statistics, len(gradients), len(gradients))
    starts = [
        unit * stride - padding
        for unit, stride, padding in zip(layer.center_unit, layer.stride, layer.padding, strict=True)
    ]
    ends = [start + size for start, size in zip(starts, layer.size, strict=True)]
    center = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    return EffectiveField(
        layer=layer,
        weights=weights,
        sigma=weight_std(weights),
        side=float((weights > (1 - TWO_SIGMA) * weights.max()).sum()) ** 0.5,
        mass95=_mass_side(weights, center, 0.95),
        r2=r2,
        central=central,
        ratio=ratio,
        clipped=min(starts) < 0 or ends[0] > weights.shape[0] or ends[1] > weights.shape[1],
    )


def weight_std(weights: Tensor) -> tuple[float, float]:
    """The standard deviation of weights (H, W), sum 1, along rows and columns, in pixels."""
    rows, columns = (weighted_variance(weights.sum(dim)) ** 0.5 for dim in (1, 0))
    return rows, columns


def weighted_variance(profile: Tensor) -> float:
    """The variance of positions 0, 1, … with weights ``profile`` (n,)."""
    positions = torch.arange(len(profile), dtype=torch.float64)
    share = profile.double() / profile.double().sum()
    mean = (positions * share).sum()
    return float(((positions - mean) ** 2 * share).sum())


def uniform_stack_variance(layers: Sequence[tuple[int, int, int]]) -> float:
    """The variance, in pixels², of the field of a chain of layers with uniform weights: Σ (d·j)²(k² − 1)/12.

    Variances of independent steps add up. k taps at distance d·j have the variance of one term; j, the jump, is the
    product of the strides before.

    Args:
        layers: (kernel, stride, dilation) of each convolution or pool, in order, along one axis.
    """
    jump, total = 1, 0.0
    for kernel, stride, dilation in layers:
        total += (dilation * jump) ** 2 * (kernel**2 - 1) / 12
        jump *= stride
    return total


def _fit_gaussian(weights: Tensor) -> Tensor:
    """The best Gaussian for weights (H, W), up to its height; 0 where the fit fails, NaN below 5×5 pixels."""
    from scipy.optimize import curve_fit

    height, width = weights.shape
    if min(height, width) < 5:  # a Gaussian has five parameters, too many for nine pixels
        return torch.full_like(weights, torch.nan)
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype(float)
    share = (weights / weights.max()).numpy().ravel()
    center = [float((positions * share).sum() / share.sum()) for positions in (y, x)]
    sigma = [max(value, 0.5) for value in weight_std(weights / weights.sum())]

    def gaussian(_: object, height: float, row: float, column: float, sigma_y: float, sigma_x: float) -> np.ndarray:
        return height * np.exp(-((y - row) ** 2) / (2 * sigma_y**2) - (x - column) ** 2 / (2 * sigma_x**2))

    try:
        parameters, _ = curve_fit(gaussian, None, share, p0=[1.0, *center, *sigma], maxfev=200)
    except RuntimeError:  # no convergence
        return torch.zeros_like(weights)
    return torch.from_numpy(gaussian(None, *parameters)).view(height, width)


def _explained_variance(weights: Tensor, gaussian: Tensor) -> float:
    """The share of the weights' variance that the Gaussian explains at its best height."""
    height = (weights * gaussian).sum() / gaussian.square().sum().clamp(min=1e-300)
    residual, total = (weights - height * gaussian).square().sum(), (weights - weights.mean()).square().sum()
    return float(1 - residual / total) if gaussian.any() and total > 0 else 0.0


def _field_ratio(sigma: tuple[float, float], size: tuple[int, int]) -> float:
    return sum(4 * std / max(side, 1) for std, side in zip(sigma, size, strict=True)) / 2


def _mass_side(weights: Tensor, center: Sequence[float], mass: float) -> int:
    """The side of the smallest square around ``center`` with this share of the weight; at most the image's."""
    rows, columns = (
        (torch.arange(length) - middle).abs() for length, middle in zip(weights.shape, center, strict=True)
    )
    distance, order = torch.maximum(rows[:, None], columns).flatten().sort()
    reached = weights.flatten()[order].cumsum(0) >= mass - 1e-12
    return min(round(2 * float(distance[reached][0]) + 1), max(weights.shape))


def _central_share(weights: Tensor) -> float:
    """The share in the middle half of rows and columns; pixels partly in it count in part."""
    rows, columns = (_middle_half_coverage(length) for length in weights.shape)
    return float(rows @ weights.double() @ columns / weights.sum())


def _middle_half_coverage(length: int) -> Tensor:
    """How much of each pixel lies in the middle half of an axis, float64 (length,)."""
    starts = torch.arange(length, dtype=torch.float64)
    return ((starts + 1).clamp(max=0.75 * length) - starts.clamp(min=0.25 * length)).clamp(min=0)
