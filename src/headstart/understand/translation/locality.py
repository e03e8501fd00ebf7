"""Locality: which pixels a unit depends on, found by staining the image, and proved by changing all others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from headstart.networks.hooks import capture_outputs
from headstart.understand.claims import ClaimVerdict

LOCALITY_TOLERANCE = 1e-6  # relative change that is rounding alone


class Box(NamedTuple):
    """Pixels from ``top`` to before ``bottom``, ``left`` to before ``right``."""

    top: int
    left: int
    bottom: int
    right: int


class MapUnit(NamedTuple):
    """A place in the map of a layer."""

    layer: str
    row: int
    column: int


@dataclass(frozen=True)
class LocalityResult:
    """A unit's field and what changes in it.

    Args:
        unit: which one, all of its channels.
        box: the pixels that it depends on.
        share: of the image that the box covers.
        outside: its relative change when every pixel outside the box is another picture's; None where the box is
            the whole image, so that there is no outside.
        inside: its relative change when one pixel, in the middle of the box, is.
    """

    unit: MapUnit
    box: Box
    image_share: float
    outside_change: float | None
    inside_change: float


def nan_dependency(network: nn.Module, images: Tensor, masks: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Where each layer's map is touched by the stained pixels: bool (N, H', W') for stains, bool (N, H, W).

    A stain is "not a number": all that is computed from it is none either, whatever the weights, so it marks
    exactly what depends on a pixel. It tells where the wiring leads, not how much a pixel counts.

    Args:
        images: (N, C, H, W); their values matter only in not being stained.
    """
    spoiled = images.masked_fill(masks[:, None], torch.nan)
    return {name: values.isnan().any(dim=1) for name, values in capture_outputs(network, spoiled, names).items()}


def unit_boxes(network: nn.Module, units: Sequence[MapUnit], shape: tuple[int, int, int]) -> list[Box]:
    """The box of pixels that holds all that each unit depends on, clipped to the image (C, H, W).

    Where a gradient is not zero, the unit depends on the pixel: so a box around those is not too large. Where the
    unit stays clean with all outside the box stained, it depends on none of that: so it is not too small either.
    A box that is too small, since units on the way were switched off, grows until it is not.
    """
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(2, *shape, generator=draw).requires_grad_()
    given = capture_outputs(network, noise, list(dict.fromkeys(unit.layer for unit in units)))
    found = []
    for unit in units:
        value = given[unit.layer][:, :, unit.row, unit.column].abs().sum()
        (slope,) = torch.autograd.grad(value, noise, retain_graph=True)
        box = _bounding_box(slope.ne(0).any(dim=1).any(dim=0))
        while not (within := box_mask(box, shape)).all():
            with torch.no_grad():
                stain = nan_dependency(network, noise[:1].detach(), ~within[None], [unit.layer])[unit.layer]
            if not stain[0, unit.row, unit.column]:
                break
            box = Box(
                max(0, box.top - 1), max(0, box.left - 1), min(shape[1], box.bottom + 1), min(shape[2], box.right + 1)
            )
        found.append(box)
    return found


def _bounding_box(pixels: Tensor) -> Box:
    """The smallest box around the pixels that are true; all of the image where none is."""
    rows, columns = (pixels.any(dim=1 - axis).nonzero().flatten() for axis in (0, 1))
    if not len(rows):
        return Box(0, 0, *pixels.shape)
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def box_mask(box: Box, shape: tuple[int, int, int]) -> Tensor:
    """The pixels of the box, bool (H, W)."""
    within = torch.zeros(shape[1:], dtype=torch.bool)
    within[box.top : box.bottom, box.left : box.right] = True
    return within


@torch.no_grad()
def relative_change(network: nn.Module, unit: MapUnit, images: Tensor, pixels: Tensor) -> float:
    """How much a unit changes, relative to itself, when these pixels, bool (H, W), become another image's."""
    other = torch.where(pixels, images.roll(1, 0) + 1, images)
    before, after = (
        capture_outputs(network, x, [unit.layer])[unit.layer][:, :, unit.row, unit.column] for x in (images, other)
    )
    return float((after - before).norm() / before.norm().clamp(min=1e-12))


def measure_locality(network: nn.Module, units: Sequence[MapUnit], images: Tensor) -> list[LocalityResult]:
    """Changes the pixels outside and inside each unit's field, and sees whether the unit changes.

    Args:
        network: in eval mode.
        images: (N, C, H, W), two or more, not all alike; each gets its changed pixels from the next.
    """
    shape = (images.shape[1], images.shape[2], images.shape[3])
    found = []
    for unit, box in zip(units, unit_boxes(network, units, shape), strict=True):
        within = box_mask(box, shape)
        middle = torch.zeros_like(within)
        middle[(box.top + box.bottom) // 2, (box.left + box.right) // 2] = True
        outside = None if within.all() else relative_change(network, unit, images, ~within)
        share = float(within.float().mean())
        found.append(LocalityResult(unit, box, share, outside, relative_change(network, unit, images, middle)))
    return found


def locality_verdict(results: Sequence[LocalityResult]) -> ClaimVerdict:
    """Whether a unit depends on a small region only.

    Holds where no unit sees the whole image; depends where some do; fails where all do, or where a unit changed
    with pixels outside its field or with none inside.
    """
    if any((local.outside_change or 0) > LOCALITY_TOLERANCE for local in results) or all(
        local.inside_change <= LOCALITY_TOLERANCE for local in results
    ):
        return "fails"
    whole = [local.outside_change is None for local in results]
    return "fails" if all(whole) else "depends" if any(whole) else "holds"
