"""Locality: which part of the image a unit depends on, tested by changing the pixels outside and inside its field."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.networks.hooks import capture_outputs
from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by
from headstart.understand.receptive_field.fields import ReceptiveField
from headstart.understand.translation.shifts import relative_error

LOCALITY_TOLERANCE = 1e-6  # relative change that is rounding alone


@dataclass(frozen=True)
class LocalityResult:
    """The field of a layer's center unit and how the unit changes.

    Args:
        layer: its name.
        box: (top, left, bottom, right) of the field within the image, ends excluded.
        image_share: share of the image that the box covers.
        outside_change: the unit's relative change when all pixels outside the box become another picture's; None where
            the box is the whole image.
        inside_change: its relative change when one pixel, in the middle of the box, does.
    """

    layer: str
    box: tuple[int, int, int, int]
    image_share: float
    outside_change: float | None
    inside_change: float


@torch.no_grad()
def relative_change(network: nn.Module, layer: str, unit: tuple[int, int], images: Tensor, pixels: Tensor) -> float:
    """The change of a unit, relative to itself, when pixels become those of the next image.

    Args:
        network: in eval mode.
        layer: name of a module that outputs maps (N, C', H', W').
        unit: (row, column) of the unit, all channels of it.
        images: (N, C, H, W), two or more.
        pixels: those that change, bool (H, W).
    """
    changed = torch.where(pixels, images.roll(1, 0) + 1, images)
    before, after = (capture_outputs(network, x, [layer])[layer][:, :, *unit] for x in (images, changed))
    return relative_error(after, before)


def measure_locality(network: nn.Module, layers: Sequence[ReceptiveField], images: Tensor) -> list[LocalityResult]:
    """Changes the pixels outside and inside the field of each layer's center unit and measures the unit's change.

    Args:
        network: in eval mode.
        layers: fields of modules that output maps.
        images: (N, C, H, W), two or more, not all alike; each gets its changed pixels from the next.
    """
    height, width = images.shape[2:]
    results = []
    for layer in layers:
        is_whole = layer.whole_image or not layer.is_local
        box = (0, 0, height, width) if is_whole else layer.box(*layer.center_unit)
        top, left, bottom, right = box
        inside, middle = torch.zeros(2, height, width, dtype=torch.bool)
        inside[top:bottom, left:right] = True
        middle[(top + bottom) // 2, (left + right) // 2] = True
        unit = layer.center_unit if layer.is_local else (0, 0)
        results.append(
            LocalityResult(
                layer.name,
                box,
                float(inside.float().mean()),
                None if inside.all() else relative_change(network, layer.name, unit, images, ~inside),
                relative_change(network, layer.name, unit, images, middle),
            )
        )
    return results


def locality_verdict(results: Sequence[LocalityResult]) -> ClaimVerdict:
    """The verdict on the claim that a unit depends on a small region only.

    Holds where no unit sees the whole image, depends where some do. Fails where all do, where a unit changes with
    pixels outside its field, or where none changes with pixels inside.
    """
    whole = [result.outside_change is None for result in results]
    is_refuted = any((result.outside_change or 0) > LOCALITY_TOLERANCE for result in results)
    is_insensitive = all(result.inside_change <= LOCALITY_TOLERANCE for result in results)
    return decide_by(holds=not any(whole), fails=is_refuted or is_insensitive or all(whole))
