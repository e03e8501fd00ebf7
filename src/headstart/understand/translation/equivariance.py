"""Translation equivariance: when the image moves, does each layer's map move with it, and nothing else?"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.networks.hooks import capture_outputs
from headstart.understand.claims import ClaimVerdict
from headstart.understand.translation.locality import nan_dependency
from headstart.understand.translation.shifts import shift_images

EQUIVARIANCE_TOLERANCE = 1e-4  # relative error that is rounding alone, summed through a deep network in 32 bits


@dataclass(frozen=True)
class EquivarianceResult:
    """What a shift of the image to the right does to a layer's map.

    Args:
        layer: its name.
        stride: how many pixels one step in its map is.
        shift: of the image, in pixels.
        interior: difference from the map moved likewise, relative to the map, among units whose fields lie within
            the picture before and after; None where there is no such unit.
        everywhere: the same among all units.
        unmoved: the difference from the map as it was, for comparison.
    """

    layer: str
    stride: int
    shift: int
    interior_error: float | None
    overall_error: float
    unshifted_error: float

    @property
    def is_whole_step(self) -> bool:
        """The shift is a whole number of steps."""
        return self.shift % self.stride == 0


@torch.no_grad()
def estimate_strides(network: nn.Module, names: Sequence[str], images: Tensor) -> dict[str, int]:
    """How many pixels one step in each layer's map is, along the rows.

    The left quarter of the image is stained, then three quarters: what divides the pixels between the two edges by
    the steps between the first units that stay clean. Where none does, the ratio of the widths.
    """
    width = images.shape[3]
    edges = width // 4, width - width // 4
    stains = torch.arange(width).expand(2, images.shape[2], width) < torch.tensor(edges).view(2, 1, 1)
    found = {}
    for name, touched in nan_dependency(network, images[:1].expand(2, -1, -1, -1), stains, names).items():
        first, then = touched.any(dim=1).sum(dim=1).tolist()
        steps = then - first if then < touched.shape[2] else 0
        found[name] = max(1, round((edges[1] - edges[0]) / steps if steps else width / touched.shape[2]))
    return found


@torch.no_grad()
def interior_masks(network: nn.Module, strides: dict[str, int], images: Tensor) -> dict[str, Tensor]:
    """The units whose fields lie within the picture, so that no padding reaches them: bool (H', W') a layer.

    Found by staining the picture's rim, as wide as a layer's step: padding further in can only be seen past it.
    """
    height, width = images.shape[2:]
    holes = max((max(m.dilation) for m in network.modules() if isinstance(m, nn.Conv2d)), default=1)
    found: dict[str, Tensor] = {}
    for step in set(strides.values()):
        rim = torch.ones(1, height, width, dtype=torch.bool)
        rim[:, step * holes : height - step * holes, step * holes : width - step * holes] = False
        names = [name for name, own in strides.items() if own == step]
        found |= {name: ~touched[0] for name, touched in nan_dependency(network, images[:1], rim, names).items()}
    return {name: found[name] for name in strides}


@torch.no_grad()
def measure_equivariance(
    network: nn.Module, names: Sequence[str], images: Tensor, shifts: Sequence[int]
) -> list[EquivarianceResult]:
    """Moves the images to the right and compares each layer's map with the one before, moved likewise.

    A shift that is no whole number of a layer's steps is held against the nearer of its two neighbours.

    Args:
        network: in eval mode.
        names: of layers that give maps, (N, C', H', W').
        images: (N, C, H, W).
        shifts: in pixels, each less than the width.
    """
    steps = estimate_strides(network, names, images)
    inner = interior_masks(network, steps, images)
    before = capture_outputs(network, images, names)
    found = []
    for shift in shifts:
        after = capture_outputs(network, shift_images(images, 0, shift), names)
        for name, step in steps.items():
            low = shift // step
            tries = {min(n, before[name].shape[-1] - 1) for n in (low, low + (shift % step > 0))}
            errors = [_shift_errors(before[name], after[name], inner[name], n) for n in sorted(tries)]
            clear = [inside for inside, _ in errors if inside is not None]
            found.append(
                EquivarianceResult(
                    name, step, shift, min(clear, default=None), min(e for _, e in errors),
                    _relative_error(after[name], before[name]),
                )
            )  # fmt: skip
    return found


def _shift_errors(before: Tensor, after: Tensor, interior: Tensor, step: int) -> tuple[float | None, float]:
    """Relative error among the interior and among all, with the map ``step`` units further right."""
    width = before.shape[-1]
    old, new = before[..., : width - step], after[..., step:]
    both = interior[:, : width - step] & interior[:, step:]
    inside = _relative_error(new[..., both], old[..., both]) if both.any() else None
    return inside, _relative_error(new, old)


def _relative_error(new: Tensor, old: Tensor) -> float:
    return float((new - old).norm() / old.norm().clamp(min=1e-12))


@torch.no_grad()
def equivariance_error_map(network: nn.Module, name: str, images: Tensor, shift: int, stride: int) -> Tensor:
    """Where a layer's map did not move along: the size of the difference, mean over images and channels, (H', W')."""
    before = capture_outputs(network, images, [name])[name]
    after = capture_outputs(network, shift_images(images, 0, shift), [name])[name]
    step = shift // stride
    wrong = torch.zeros(before.shape[-2:])
    wrong[:, step:] = (after[..., step:] - before[..., : before.shape[-1] - step]).abs().mean(dim=(0, 1))
    return wrong


def equivariance_verdict(results: Sequence[EquivarianceResult]) -> ClaimVerdict:
    """Whether maps move with the image.

    Holds where they do everywhere and for each shift; depends where they do in the interior for each whole number
    of steps; fails where an interior does not move even then; not measured where no layer has an interior.
    """
    whole = [m.interior_error for m in results if m.is_whole_step and m.interior_error is not None]
    if results and all(m.overall_error <= EQUIVARIANCE_TOLERANCE for m in results):
        return "holds"
    if not whole:
        return "not measured"
    return "depends" if max(whole) <= EQUIVARIANCE_TOLERANCE else "fails"
