"""First-layer filters: how much of each a Gabor or a colour blob explains.

A Gabor is a wave under a bell: cos(2πf·u + φ)·exp(−u²/2a² − v²/2b²), where (u, v) are the pixel's coordinates about a
centre, turned by an angle; it is the usual model of a simple cell in V1 (Jones & Palmer, J. Neurophysiol. 58:1233,
1987) and answers to edges, bars and gradients. A blob is a round bell without a wave. Either has one colour: a weight
for each input channel. What a fit explains is its share of the filter's energy, 1 − Σ(w − fit)² / Σw².

Given its shape, a fit's weights have a closed form; so only the shape is searched, first on a grid and then around
the best of it, by the same draws each time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import pi

import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.copying import clone_network
from headstart.seeding import derive_key

GABOR_PARAMETERS = 7  # numbers of a Gabor's shape: centre (2), angle, frequency, widths (2), phase
BELL = 3  # of a blob's: centre (2), width
MIN_RELATIVE_NORM = 0.01  # a filter of less than this share of the strongest one's norm has faded: it says nothing
NUM_STARTS, NUM_DRAWS, NUM_ROUNDS = 4, 16, 24  # how many shapes of the grid are followed, by how many draws, how often


@dataclass(frozen=True)
class FilterFits:
    """How much of each filter is explained; the faded ones are left out.

    Args:
        kept: which filters have not faded, bool (N,).
        gabor: share of the energy that a Gabor explains, float32 (kept,).
        blob: share that a blob of one colour explains, float32 (kept,).
        fitted: the better of the two, float32 (kept, C, k, k).
        values: numbers of a filter.
        parameters: numbers of a Gabor.
    """

    active: Tensor
    gabor_share: Tensor
    blob_share: Tensor
    reconstruction: Tensor
    num_weights: int
    num_gabor_parameters: int

    @property
    def best_share(self) -> Tensor:
        """By the better of the two, float32 (kept,)."""
        return torch.maximum(self.gabor_share, self.blob_share)


def first_layer_filters(network: nn.Module, shape: tuple[int, int, int]) -> Tensor:
    """The weights of the first convolution that an image meets, float32 (N, C, k, k).

    Args:
        network: stays as it is.
        shape: of an image: (C, H, W).

    Raises:
        HeadstartError: there is no convolution.
    """
    network = clone_network(network)
    met: list[nn.Conv2d] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, taken, given: met.append(module))
    with torch.no_grad():
        network(torch.zeros(1, *shape))
    if not met:
        raise HeadstartError(f"{type(network).__name__}: no convolution, so no first-layer filters")
    return met[0].weight.detach()


def fit_filters(filters: Tensor) -> FilterFits:
    """Fit a Gabor and a blob to each filter.

    Args:
        filters: float32 (N, C, height, width).
    """
    strength = filters.flatten(1).norm(dim=1)
    kept = strength > MIN_RELATIVE_NORM * strength.max() if len(filters) else strength > 0
    count, channels, height, width = filters[kept].shape
    weights = filters[kept].reshape(count, channels, height * width)
    energy = weights.square().sum(dim=(1, 2))
    size = max(height, width)
    waves, bells = partial(_gabor_basis, height=height, width=width), partial(_blob_basis, height=height, width=width)
    gabor, gabors = _search_shapes(weights, waves, _build_shape_grid(size, waves=True), size)
    blob, blobs = _search_shapes(weights, bells, _build_shape_grid(size, waves=False), size)
    fitted = torch.where((gabor >= blob)[:, None, None], gabors, blobs).reshape(count, channels, height, width)
    parameters = GABOR_PARAMETERS + channels
    return FilterFits(kept, gabor / energy, blob / energy, fitted, channels * height * width, parameters)


def shuffle_filter_pixels(filters: Tensor, repeats: int) -> Tensor:
    """Each filter with its pixels in another order, the same for all its channels: its numbers and colours without
    its shape.

    Args:
        filters: float32 (N, C, height, width).
        times: how many orders are drawn for each; the same ones at every call.

    Returns:
        float32 (times·N, C, height, width), all filters once, then again.
    """
    count, channels, height, width = filters.shape
    draw = torch.Generator().manual_seed(derive_key(0, "pixels"))
    order = torch.rand(repeats * count, 1, height * width, generator=draw).argsort(dim=2).expand(-1, channels, -1)
    return filters.flatten(2).repeat(repeats, 1, 1).gather(2, order).unflatten(2, (height, width))


def _build_shape_grid(size: int, waves: bool) -> Tensor:
    """Shapes to begin with, (S, 6): centre (y, x), widths (along the wave, across it), angle, frequency.

    A wave between a quarter of one over the kernel and the finest that pixels can hold, two pixels long.
    """
    centres = torch.linspace(-0.4, 0.4, 5 if size > 3 else 3) * size
    widths = torch.tensor([0.15, 0.3, 0.8]) * size
    angles = torch.arange(8) * pi / 8 if waves else torch.zeros(1)
    frequencies = torch.linspace(0.25 / size, 0.5, 6) if waves else torch.zeros(1)
    across = widths if waves else torch.ones(1)
    return _clamp_shapes(torch.cartesian_prod(centres, centres, widths, across, angles, frequencies), size)


def _clamp_shapes(shapes: Tensor, size: int) -> Tensor:
    centre, widths = shapes[..., :2].clamp(-size / 2, size / 2), shapes[..., 2:4].clamp(0.4, size)
    return torch.cat([centre, widths, shapes[..., 4:5], shapes[..., 5:].clamp(0.25 / size, 0.5)], dim=-1)


def _blob_basis(shapes: Tensor, height: int, width: int) -> Tensor:
    """Blobs of unit norm, (…, 1, height·width)."""
    v, u = _pixel_offsets(shapes, height, width)
    bell = torch.exp(-(u.square() + v.square()) / (2 * shapes[..., 2:3].square()))
    return _normalize(bell)[..., None, :]


def _gabor_basis(shapes: Tensor, height: int, width: int) -> Tensor:
    """The two waves under a bell whose sums are all its phases, orthonormal, (…, 2, height·width)."""
    y, x = _pixel_offsets(shapes, height, width)
    angle = shapes[..., 4:5]
    u, v = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    bell = torch.exp(-u.square() / (2 * shapes[..., 2:3].square()) - v.square() / (2 * shapes[..., 3:4].square()))
    wave = 2 * pi * shapes[..., 5:6] * u
    even, odd = _normalize(bell * wave.cos()), bell * wave.sin() / bell.norm(dim=-1, keepdim=True)
    odd = odd - (odd * even).sum(dim=-1, keepdim=True) * even
    # Where next to nothing is left of it, what is left is rounding, and no direction of its own.
    odd = torch.where(odd.norm(dim=-1, keepdim=True) < 1e-3, 0.0, _normalize(odd))
    return torch.stack([even, odd], dim=-2)


def _normalize(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-12)


def _pixel_offsets(shapes: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Each pixel's coordinates (y, x) about the shapes' centres, each (…, height·width)."""
    y, x = torch.meshgrid(torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2, indexing="ij")
    return y.flatten() - shapes[..., 0:1], x.flatten() - shapes[..., 1:2]


def _captured_energy(weights: Tensor, basis: Tensor) -> Tensor:
    """The energy of filters (N, C, P) in the best outer product of a colour and one direction of each basis
    (N or 1, S, D, P), D of 1 or 2: (N, S).

    It is the largest squared singular value of the C×D coefficients.
    """
    coefficients = torch.einsum("ncp,nsdp->nscd", weights, basis.expand(len(weights), -1, -1, -1))
    gram = coefficients.mT @ coefficients
    if gram.shape[-1] == 1:
        return gram[..., 0, 0]
    first, second, mixed = gram[..., 0, 0], gram[..., 1, 1], gram[..., 0, 1]
    return (first + second + ((first - second).square() + 4 * mixed.square()).sqrt()) / 2


def _search_shapes(
    weights: Tensor, family: Callable[[Tensor], Tensor], grid: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """The energy of the best fit of each filter (N,), and that fit (N, C, P).

    Args:
        weights: the filters, float32 (N, C, P).
        family: shapes (…, 6) to the orthonormal vectors (…, D, P) that fits of that shape are made of.
        grid: shapes to begin with, (S, 6).
        size: of the kernel, in pixels.
    """
    at_first = _captured_energy(weights, family(grid)[None])
    best, chosen = at_first.topk(min(NUM_STARTS, len(grid)), dim=1)
    shapes = grid[chosen]
    draw = torch.Generator().manual_seed(derive_key(0, "filters"))
    reach = torch.tensor([0.2 * size, 0.2 * size, 0.2 * size, 0.2 * size, 0.4, 0.1])
    for turn in range(NUM_ROUNDS):
        steps = torch.randn(*shapes.shape[:2], NUM_DRAWS, 6, generator=draw) * reach * 0.8**turn
        tried = _clamp_shapes(shapes[:, :, None] + steps, size)
        held = _captured_energy(weights, family(tried).flatten(1, 2)).view(*shapes.shape[:2], NUM_DRAWS)
        most, which = held.max(dim=2)
        better = most > best
        best = torch.where(better, most, best)
        stepped = tried.gather(2, which[:, :, None, None].expand(-1, -1, 1, 6))[:, :, 0]
        shapes = torch.where(better[..., None], stepped, shapes)
    energy, which = best.max(dim=1)
    basis = family(shapes[torch.arange(len(shapes)), which])
    left, strengths, right = torch.linalg.svd(torch.einsum("ncp,ndp->ncd", weights, basis), full_matrices=False)
    one = left[:, :, :1] * strengths[:, None, :1] @ right[:, :1] @ basis
    return energy, one
