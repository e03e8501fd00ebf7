"""Effective receptive fields: how much each pixel moves a unit, instead of whether it can.

Luo, Li, Urtasun and Zemel, NeurIPS 2016. The absolute value is taken before images are averaged, so that what moves a
unit up in one image and down in another counts, and no logarithm is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.call_recorder import CallRecorder
from headstart.networks.copying import clone_network
from headstart.understand.receptive_field.fields import ReceptiveField
from headstart.understand.receptive_field.gradient_support import select_unit
from headstart.understand.statistics import Estimate, jackknife_intervals

BATCH_SIZE = 16
# Luo's measure: pixels that weigh more than 1 − this of the heaviest; it is a Gaussian's share within two σ.
TWO_SIGMA = 0.9545


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """The effective field of a layer's centre unit; the intervals are over the luck of which images these are.

    Args:
        layer: what it is a field of.
        weights: float64 (H, W), the share of each pixel, sum 1.
        sigma: (rows, columns), standard deviations in pixels.
        side: of a square of as many pixels as weigh more than 4.55 % of the heaviest.
        mass95: side in pixels of the smallest centred square that holds 95 % of the weight.
        r2: how much of the weights' variance over the field a fitted Gaussian explains.
        central: the share that the middle quarter of the seen field holds; 0.25 where all pixels weigh the same.
        ratio: 4σ over the side of the theoretical field, mean over both axes.
        clipped: whether the image cuts the theoretical field, so that σ is of what is left of it.
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


def center_unit(layer: ReceptiveField) -> tuple[int, int]:
    return layer.shape[1] // 2, layer.shape[2] // 2


def pixel_gradients(network: nn.Module, images: Tensor, layers: Sequence[ReceptiveField]) -> list[Tensor]:
    """|∂ centre unit / ∂ pixel| for each image, summed over channels: float64 (N, H, W) for each layer.

    Args:
        network: stays as it was; it is measured in eval mode.
        images: as the network takes them, float32 (N, C, H, W).
        layers: of the network (``receptive_fields``); a unit is the sum over its channels.

    Raises:
        HeadstartError: a layer is none of the network, does not give one tensor, or passes no gradient on.
    """
    copy = clone_network(network).requires_grad_(False)
    kept: dict[str, Tensor] = {}

    def keep(name: str, _kind: str, output: object, _layer: bool) -> None:
        if name in names and isinstance(output, Tensor):
            kept[name] = output.clone()  # before anything writes into it

    names = {each.name for each in layers}
    maps: list[list[Tensor]] = [[] for _ in layers]
    for batch in images.split(BATCH_SIZE):
        batch = batch.detach().requires_grad_(True)
        kept.clear()
        with torch.enable_grad(), CallRecorder(copy, keep):
            copy(batch)
        for layer, found in zip(layers, maps, strict=True):
            if layer.name not in kept:
                raise HeadstartError(f"{layer.name!r} is no layer of the network that gives one tensor: choose another")
            unit = select_unit(kept[layer.name], layer, *center_unit(layer)).sum()
            try:
                [slope] = torch.autograd.grad(unit, batch, retain_graph=True)
            except RuntimeError as error:
                reason = str(error).splitlines()[0]
                raise HeadstartError(f"no gradient leads from {layer.name!r} back to the image: {reason}") from error
            found.append(slope.double().abs().sum(1))
    return [torch.cat(found) for found in maps]


def effective_fields(network: nn.Module, images: Tensor, layers: Sequence[ReceptiveField]) -> list[EffectiveField]:
    """The effective field of each layer's centre unit, mean over the images: take at least 50 for a steady figure.

    Raises:
        HeadstartError: no pixel moves a unit at all (a dead layer), or ``influences`` raises it.
    """
    found = pixel_gradients(network, images, layers)
    return [summarize_effective_field(each, layer) for each, layer in zip(found, layers, strict=True)]


def summarize_effective_field(gradients: Tensor, layer: ReceptiveField) -> EffectiveField:
    """What maps of influence, float64 (N, H, W) ≥ 0, say of a layer's centre unit."""
    mean = gradients.mean(0)
    if not mean.any():
        raise HeadstartError(
            f"no pixel moves the centre unit of {layer.name!r} in any image: its effective field is empty"
        )
    weights = mean / mean.sum()
    top, left, bottom, right = layer.box(*center_unit(layer))
    bell = _fit_gaussian(weights[top:bottom, left:right])
    sigma = weight_std(weights)

    def figures(some: Tensor) -> Tensor:
        share = gradients[some].sum(0)
        share = share / share.sum()
        seen = share[top:bottom, left:right]
        # The bell stays: it is where R² is greatest, so that to fit it again would change R² next to nothing.
        found = [_explained_variance(seen, bell), _central_share(seen), _field_ratio(weight_std(share), layer.size)]
        return torch.tensor(found, dtype=torch.float64)

    r2, central, ratio = jackknife_intervals(figures, len(gradients), len(gradients))
    begins = [c * s - p for c, s, p in zip(center_unit(layer), layer.stride, layer.padding, strict=True)]
    ends = [begin + size for begin, size in zip(begins, layer.size, strict=True)]
    clipped = min(begins) < 0 or ends[0] > weights.shape[0] or ends[1] > weights.shape[1]
    middle = [(begin + end - 1) / 2 for begin, end in zip(begins, ends, strict=True)]
    return EffectiveField(
        layer,
        weights,
        sigma,
        float((weights > (1 - TWO_SIGMA) * weights.max()).sum()) ** 0.5,
        _mass_side(weights, middle, 0.95),
        r2,
        central,
        ratio,
        clipped,
    )


def weight_std(weights: Tensor) -> tuple[float, float]:
    """The standard deviation of weights (H, W), sum 1, along rows and columns, in pixels."""
    down, across = (weighted_variance(weights.sum(dim)) ** 0.5 for dim in (1, 0))
    return down, across


def weighted_variance(profile: Tensor) -> float:
    """Of positions that weigh as ``profile`` (n,) says."""
    at = torch.arange(len(profile), dtype=torch.float64)
    share = profile.double() / profile.double().sum()
    mean = (at * share).sum()
    return float(((at - mean) ** 2 * share).sum())


def uniform_stack_variance(layers: Sequence[tuple[int, int, int]]) -> float:
    """The variance, in pixels², of the field of a chain of layers that weigh all they read alike: Σ (d·j)²(k² − 1)/12.

    Variances of independent steps add up, and k taps that lie d·j pixels apart have that one; j, the jump, is the
    product of the strides before.

    Args:
        layers: (kernel, stride, dilation) of each convolution or pool, in order, along one axis.
    """
    jump, total = 1, 0.0
    for kernel, stride, dilation in layers:
        total += (dilation * jump) ** 2 * (kernel**2 - 1) / 12
        jump *= stride
    return total


def gaussian_r2(weights: Tensor) -> float:
    """The share of the weights' variance over the pixels that the best Gaussian explains; NaN below 5×5 pixels."""
    return _explained_variance(weights, _fit_gaussian(weights))


def _fit_gaussian(weights: Tensor) -> Tensor:
    """The best Gaussian on pixels (H, W), up to its height; zeros where none comes near, NaN below 5×5 pixels."""
    from scipy.optimize import curve_fit

    height, width = weights.shape
    if min(height, width) < 5:  # a bell has five parameters, and nine pixels show none
        return torch.full_like(weights, torch.nan)
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype(float)
    share = (weights / weights.max()).numpy().ravel()
    middle = [float((place * share).sum() / share.sum()) for place in (y, x)]
    sigma = [max(each, 0.5) for each in weight_std(weights / weights.sum())]

    def bell(_: object, top: float, row: float, column: float, down: float, across: float) -> np.ndarray:
        return top * np.exp(-((y - row) ** 2) / (2 * down**2) - (x - column) ** 2 / (2 * across**2))

    try:
        found, _ = curve_fit(bell, None, share, p0=[1.0, *middle, *sigma], maxfev=200)
    except RuntimeError:  # no Gaussian comes near
        return torch.zeros_like(weights)
    return torch.from_numpy(bell(None, *found)).view(height, width)


def _explained_variance(weights: Tensor, gaussian: Tensor) -> float:
    """The share of the weights' variance that a bell of the best height explains."""
    height = (weights * gaussian).sum() / gaussian.square().sum().clamp(min=1e-300)
    left, whole = (weights - height * gaussian).square().sum(), (weights - weights.mean()).square().sum()
    return float(1 - left / whole) if gaussian.any() and whole > 0 else 0.0


def _field_ratio(sigma: tuple[float, float], size: tuple[int, int]) -> float:
    return sum(4 * each / max(side, 1) for each, side in zip(sigma, size, strict=True)) / 2


def _mass_side(weights: Tensor, center: Sequence[float], mass: float) -> int:
    """The side of the smallest square about a middle that holds this share; at most the image's."""
    away = [(torch.arange(length) - at).abs() for length, at in zip(weights.shape, center, strict=True)]
    distance, order = torch.maximum(away[0][:, None], away[1]).flatten().sort()
    reached = weights.flatten()[order].cumsum(0) >= mass - 1e-12
    return min(round(2 * float(distance[reached][0]) + 1), max(weights.shape))


def _central_share(weights: Tensor) -> float:
    """The share of the middle half of rows and columns, a pixel that lies in it in part counted in part."""
    down, across = (_middle_half_coverage(length) for length in weights.shape)
    return float(down @ weights.double() @ across / weights.sum())


def _middle_half_coverage(length: int) -> Tensor:
    """How much of each of so many pixels in a row lies in the middle half of the row, float64 (length,)."""
    begins = torch.arange(length, dtype=torch.float64)
    return ((begins + 1).clamp(max=0.75 * length) - begins.clamp(min=0.25 * length)).clamp(min=0)
