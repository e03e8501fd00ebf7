"""Fits Gabors and color blobs to first-layer filters.

A Gabor is a wave under a Gaussian: cos(2πf·u + φ)·exp(−u²/2a² − v²/2b²), where (u, v) are pixel coordinates about a
center, rotated by an angle. It is the usual model of a simple cell in V1 (Jones & Palmer, J. Neurophysiol. 58:1233,
1987) and responds to edges, bars and gradients. A blob is a round Gaussian without a wave. Either has one color: a
weight for each input channel. A fit explains the share 1 − Σ(w − fit)² / Σw² of the filter's energy.

The weights of a fit have a closed form given its shape. So only the shape is searched: on a grid, then by random steps
from the best shapes of the grid, with the same random numbers each time. All filters are searched as one batch:
``scipy.optimize.least_squares`` from the same grid takes 40 to 120 times as long, for shares within 0.004.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import pi

import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.copying import clone_network
from headstart.networks.hooks import list_layers
from headstart.seeding import derive_key

GABOR_PARAMETERS = 7  # of a shape: center (2), angle, frequency, widths (2), phase
MIN_RELATIVE_NORM = 0.01  # a filter below this share of the largest norm is inactive
NUM_STARTS = 4  # shapes of the grid from which the random search starts
NUM_DRAWS = 16  # random steps from each in a round
NUM_ROUNDS = 24


@dataclass(frozen=True)
class FilterFits:
    """Fits of the A active filters of N.

    Args:
        active: which filters are active, bool (N,).
        gabor_share: share of the energy that a Gabor explains, float32 (A,).
        blob_share: share of the energy that a blob explains, float32 (A,).
        reconstruction: the better of the two fits, float32 (A, C, height, width).
        num_weights: of a filter.
        num_gabor_parameters: of a Gabor with its color.

    Example:
        >>> fit_filters(first_layer_filters(network, (3, 224, 224))).best_share.mean()
    """

    active: Tensor
    gabor_share: Tensor
    blob_share: Tensor
    reconstruction: Tensor
    num_weights: int
    num_gabor_parameters: int

    @property
    def best_share(self) -> Tensor:
        """The share that the better fit explains, float32 (A,)."""
        return torch.maximum(self.gabor_share, self.blob_share)


def first_layer_filters(network: nn.Module, shape: tuple[int, int, int]) -> Tensor:
    """The weights of the first convolution in the forward pass, float32 (N, C, height, width).

    Args:
        network: not changed.
        shape: (C, H, W) of an image.

    Raises:
        HeadstartError: there is no convolution.
    """
    layers = list_layers(clone_network(network), torch.zeros(1, *shape))
    if not layers:
        raise HeadstartError(f"{type(network).__name__}: no convolution, so no first-layer filters")
    weight = layers[0].module.weight
    assert isinstance(weight, Tensor)
    return weight.detach()


def fit_filters(filters: Tensor) -> FilterFits:
    """Fits a Gabor and a blob to each filter.

    Args:
        filters: float32 (N, C, height, width).
    """
    norms = filters.flatten(1).norm(dim=1)
    active = norms > MIN_RELATIVE_NORM * norms.max() if len(filters) else norms > 0
    count, channels, height, width = filters[active].shape
    weights = filters[active].reshape(count, channels, height * width)
    energy = weights.square().sum(dim=(1, 2))
    size = max(height, width)
    gabor_basis = partial(_gabor_basis, height=height, width=width)
    blob_basis = partial(_blob_basis, height=height, width=width)
    gabor_energy, gabors = _search_shapes(weights, gabor_basis, _build_shape_grid(size, with_waves=True), size)
    blob_energy, blobs = _search_shapes(weights, blob_basis, _build_shape_grid(size, with_waves=False), size)
    best = torch.where((gabor_energy >= blob_energy)[:, None, None], gabors, blobs)
    return FilterFits(
        active,
        gabor_energy / energy,
        blob_energy / energy,
        best.reshape(count, channels, height, width),
        channels * height * width,
        GABOR_PARAMETERS + channels,
    )


def shuffle_filter_pixels(filters: Tensor, repeats: int) -> Tensor:
    """Each filter with its pixels permuted in the same way in all channels, which keeps its weights and colors.

    Args:
        filters: float32 (N, C, height, width).
        repeats: permutations of each filter, the same ones at every call.

    Returns:
        float32 (repeats·N, C, height, width): all filters once, then again.
    """
    count, channels, height, width = filters.shape
    generator = torch.Generator().manual_seed(derive_key(0, "pixels"))
    order = torch.rand(repeats * count, 1, height * width, generator=generator).argsort(dim=2).expand(-1, channels, -1)
    return filters.flatten(2).repeat(repeats, 1, 1).gather(2, order).unflatten(2, (height, width))


def _build_shape_grid(size: int, with_waves: bool) -> Tensor:
    """The first shapes of the search, (S, 6): center (y, x), widths (along the wave, across it), angle, frequency.

    Frequencies go from a quarter of a wave over the kernel to a wave of two pixels, the finest possible.
    """
    centers = torch.linspace(-0.4, 0.4, 5 if size > 3 else 3) * size
    widths = torch.tensor([0.15, 0.3, 0.8]) * size
    angles = torch.arange(8) * pi / 8 if with_waves else torch.zeros(1)
    frequencies = torch.linspace(0.25 / size, 0.5, 6) if with_waves else torch.zeros(1)
    across = widths if with_waves else torch.ones(1)
    return _clamp_shapes(torch.cartesian_prod(centers, centers, widths, across, angles, frequencies), size)


def _clamp_shapes(shapes: Tensor, size: int) -> Tensor:
    center, widths = shapes[..., :2].clamp(-size / 2, size / 2), shapes[..., 2:4].clamp(0.4, size)
    return torch.cat([center, widths, shapes[..., 4:5], shapes[..., 5:].clamp(0.25 / size, 0.5)], dim=-1)


def _blob_basis(shapes: Tensor, height: int, width: int) -> Tensor:
    """Blobs of unit norm, (…, 1, height·width)."""
    v, u = _pixel_offsets(shapes, height, width)
    gaussian = torch.exp(-(u.square() + v.square()) / (2 * shapes[..., 2:3].square()))
    return _normalize(gaussian)[..., None, :]


def _gabor_basis(shapes: Tensor, height: int, width: int) -> Tensor:
    """Orthonormal even and odd waves, whose linear combinations have all phases, (…, 2, height·width)."""
    y, x = _pixel_offsets(shapes, height, width)
    angle = shapes[..., 4:5]
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    gaussian = torch.exp(-u.square() / (2 * shapes[..., 2:3].square()) - v.square() / (2 * shapes[..., 3:4].square()))
    phase = 2 * pi * shapes[..., 5:6] * u
    even, odd = _normalize(gaussian * phase.cos()), gaussian * phase.sin() / gaussian.norm(dim=-1, keepdim=True)
    odd = odd - (odd * even).sum(dim=-1, keepdim=True) * even
    # A tiny remainder is rounding error without a direction.
    odd = torch.where(odd.norm(dim=-1, keepdim=True) < 1e-3, 0.0, _normalize(odd))
    return torch.stack([even, odd], dim=-2)


def _normalize(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def _pixel_offsets(shapes: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Coordinates (y, x) of each pixel about the shapes' centers, each (…, height·width)."""
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    return y.flatten() - shapes[..., 0:1], x.flatten() - shapes[..., 1:2]


def _captured_energy(weights: Tensor, basis: Tensor) -> Tensor:
    """The energy of each filter's best fit of each shape, (N, S).

    A fit is an outer product of a color and a vector in the span of the basis; its energy is the largest squared
    singular value of the C×D coefficients.

    Args:
        weights: the filters, float32 (N, C, P).
        basis: orthonormal, (N or 1, S, D, P), D of 1 or 2.
    """
    coefficients = torch.einsum("ncp,nsdp->nscd", weights, basis.expand(len(weights), -1, -1, -1))
    gram = coefficients.mT @ coefficients
    if gram.shape[-1] == 1:
        return gram[..., 0, 0]
    first, second, mixed = gram[..., 0, 0], gram[..., 1, 1], gram[..., 0, 1]
    return (first + second + ((first - second).square() + 4 * mixed.square()).sqrt()) / 2


def _search_shapes(
    weights: Tensor, build_basis: Callable[[Tensor], Tensor], grid: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """The energy of the best fit of each filter (N,), and that fit (N, C, P).

    Args:
        weights: the filters, float32 (N, C, P).
        build_basis: maps shapes (…, 6) to the orthonormal basis of their fits (…, D, P).
        grid: first shapes, (S, 6).
        size: of the kernel, pixels.
    """
    best, indices = _captured_energy(weights, build_basis(grid)[None]).topk(min(NUM_STARTS, len(grid)), dim=1)
    shapes = grid[indices]
    generator = torch.Generator().manual_seed(derive_key(0, "filters"))
    scale = torch.tensor([0.2 * size, 0.2 * size, 0.2 * size, 0.2 * size, 0.4, 0.1])
    for i in range(NUM_ROUNDS):
        steps = torch.randn(*shapes.shape[:2], NUM_DRAWS, 6, generator=generator) * scale * 0.8**i
        candidates = _clamp_shapes(shapes[:, :, None] + steps, size)
        energies = _captured_energy(weights, build_basis(candidates).flatten(1, 2)).view(*shapes.shape[:2], NUM_DRAWS)
        largest, index = energies.max(dim=2)
        is_better = largest > best
        best = torch.where(is_better, largest, best)
        winners = candidates.gather(2, index[:, :, None, None].expand(-1, -1, 1, 6))[:, :, 0]
        shapes = torch.where(is_better[..., None], winners, shapes)
    energy, index = best.max(dim=1)
    basis = build_basis(shapes[torch.arange(len(shapes)), index])
    left, values, right = torch.linalg.svd(torch.einsum("ncp,ndp->ncd", weights, basis), full_matrices=False)
    return energy, left[:, :, :1] * values[:, None, :1] @ right[:, :1] @ basis
