"""Translation equivariance: whether a layer's map moves with the image, in its interior and everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.networks.hooks import capture_outputs
from headstart.understand.claims import ClaimVerdict
from headstart.understand.receptive_field.fields import ReceptiveField
from headstart.understand.translation.shifts import relative_error, shift_images

EQUIVARIANCE_TOLERANCE = 1e-4  # relative error that is rounding alone, summed through a deep network in 32 bits


@dataclass(frozen=True)
class EquivarianceResult:
    """The change of a layer's map when the image is shifted to the right.

    Args:
        layer: its name.
        stride: pixels to one step in its map.
        shift: of the image, in pixels.
        interior_error: difference from the map shifted likewise, relative to the map, among units whose fields lie
            within the image before and after; None where there is no such unit.
        overall_error: the same among all units.
        unshifted_error: the difference from the map before the shift, for comparison.
    """

    layer: str
    stride: int
    shift: int
    interior_error: float | None
    overall_error: float
    unshifted_error: float

    @property
    def is_whole_step(self) -> bool:
        """Whether the shift is a whole number of steps."""
        return self.shift % self.stride == 0


def step_in_pixels(layer: ReceptiveField) -> int:
    """The layer's stride along the columns in whole pixels, at least 1."""
    return max(1, round(layer.stride[1]))


@torch.no_grad()
def measure_equivariance(
    network: nn.Module, layers: Sequence[ReceptiveField], images: Tensor, shifts: Sequence[int]
) -> list[EquivarianceResult]:
    """Shifts the images to the right and compares each layer's map with the one before, shifted likewise.

    A shift of no whole number of steps is compared with both neighboring steps, and the smaller error counts.

    Args:
        network: in eval mode.
        layers: fields of modules that output maps (N, C', H', W').
        images: (N, C, H, W).
        shifts: in pixels, each less than the width.
    """
    names = [layer.name for layer in layers]
    interiors = {layer.name: layer.interior_mask((images.shape[2], images.shape[3])) for layer in layers}
    before = capture_outputs(network, images, names)
    results = []
    for shift in shifts:
        after = capture_outputs(network, shift_images(images, 0, shift), names)
        for layer in layers:
            old, new, stride = before[layer.name], after[layer.name], step_in_pixels(layer)
            low = shift // stride
            steps = {min(step, old.shape[-1] - 1) for step in (low, low + (shift % stride > 0))}
            errors = [_shift_errors(old, new, interiors[layer.name], step) for step in sorted(steps)]
            interior_errors = [interior for interior, _ in errors if interior is not None]
            results.append(
                EquivarianceResult(
                    layer=layer.name,
                    stride=stride,
                    shift=shift,
                    interior_error=min(interior_errors, default=None),
                    overall_error=min(overall for _, overall in errors),
                    unshifted_error=relative_error(new, old),
                )
            )
    return results


def _shift_errors(before: Tensor, after: Tensor, interior: Tensor, step: int) -> tuple[float | None, float]:
    """Relative errors in the interior and overall, with the map shifted by ``step`` units to the right."""
    width = before.shape[-1]
    old, new = before[..., : width - step], after[..., step:]
    common = interior[:, : width - step] & interior[:, step:]
    return relative_error(new[..., common], old[..., common]) if common.any() else None, relative_error(new, old)


@torch.no_grad()
def equivariance_error_map(network: nn.Module, name: str, images: Tensor, shift: int, stride: int) -> Tensor:
    """The absolute difference between a layer's map and the shifted one, mean over images and channels: (H', W')."""
    before = capture_outputs(network, images, [name])[name]
    after = capture_outputs(network, shift_images(images, 0, shift), [name])[name]
    step = shift // stride
    error = torch.zeros(before.shape[-2:])
    error[:, step:] = (after[..., step:] - before[..., : before.shape[-1] - step]).abs().mean(dim=(0, 1))
    return error


def equivariance_verdict(results: Sequence[EquivarianceResult]) -> ClaimVerdict:
    """The verdict on the claim that maps move with the image.

    Holds where they do everywhere for each shift; depends where they do in the interior for whole steps; fails where
    an interior does not even then; not measured where no layer has an interior.
    """
    interior = [r.interior_error for r in results if r.is_whole_step and r.interior_error is not None]
    if results and all(result.overall_error <= EQUIVARIANCE_TOLERANCE for result in results):
        return "holds"
    if not interior:
        return "not measured"
    return "depends" if max(interior) <= EQUIVARIANCE_TOLERANCE else "fails"
