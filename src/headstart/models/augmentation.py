"""Augmentation of a training batch: one random geometric and one random color change per image.

The model does it, on its device, because augmentation is part of a recipe. All random numbers come from torch's
default CPU generator, which the classifier seeds for each batch. (A torchvision v2 transform draws one random number
for a whole batch, and a loop over images takes about 0.1 ms per image of 64 pixels.)
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.errors import HeadstartError

# A preset has strengths for photographs (which may be mirrored) and for glyphs (which may not).
PHOTO_AUGMENTATION = {"crop": 0.35, "mirror": True, "color": 0.3}
GLYPH_AUGMENTATION = {"rotate": 12.0, "shift": 0.08, "zoom": 0.1}
AUGMENTATION_PRESETS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "auto": (PHOTO_AUGMENTATION, GLYPH_AUGMENTATION),
    "light": ({"mirror": True}, GLYPH_AUGMENTATION),
}
AUGMENTATION_KEYS = {"crop", "rotate", "shift", "zoom", "color", "mirror"}
AUGMENTATION_RANGES = {"crop": "a share above 0, up to 1", "mirror": "true or false"}  # of the others: 0 or more


def parse_augmentation(augment: str | dict[str, float] | None, mirror: bool) -> dict[str, float]:
    """The strengths of an ``augment`` argument.

    Args:
        augment: ``"auto"``, ``"light"``, None for no augmentation, or a dict with some of ``crop``
            (smallest share of the area that a random crop keeps), ``rotate`` (degrees either way), ``shift``
            (share of the side), ``zoom`` (log-scale either way), ``color`` (brightness, contrast and saturation
            either way), ``mirror`` (true: half of the images, where the data allow it).
        mirror: whether a mirrored image keeps its class.

    Raises:
        HeadstartError: an unknown preset or strength, or a strength that is not a number or out of range.
    """
    if augment is None:
        return {}
    if isinstance(augment, str) and augment in AUGMENTATION_PRESETS:
        photo, glyph = AUGMENTATION_PRESETS[augment]
        return dict(photo if mirror else glyph)
    numbers = isinstance(augment, dict) and all(isinstance(v, int | float) for v in augment.values())
    if not isinstance(augment, dict) or not numbers or not set(augment) <= AUGMENTATION_KEYS:
        raise HeadstartError(
            f"model.augment={augment}: give auto, light, null or a dict of {', '.join(sorted(AUGMENTATION_KEYS))}"
        )
    for key, value in augment.items():
        is_valid = value in (0, 1) if key == "mirror" else 0 < value <= 1 if key == "crop" else 0 <= value < math.inf
        if not is_valid:
            raise HeadstartError(
                f"model.augment.{key}={value}: give {AUGMENTATION_RANGES.get(key, 'a number of 0 or more')}"
            )
    return {**augment, "mirror": bool(augment.get("mirror")) and mirror}


def augment_images(images: Tensor, strengths: dict[str, float]) -> Tensor:
    """A randomly changed copy of ``images``, float (N, C, H, W) in [0, 1]; each image gets its own random numbers."""
    if not strengths:
        return images
    images = _apply_random_affine(images, strengths)
    return _apply_color_jitter(images, strengths["color"]) if strengths.get("color") else images


def _apply_random_affine(images: Tensor, strengths: dict[str, float]) -> Tensor:
    """Crop, rotation, shift, zoom and mirror as one affine resampling (bilinear)."""
    n = len(images)
    keep = 1 - torch.rand(n) * (1 - strengths.get("crop", 1.0))
    ratio = torch.exp((torch.rand(n) * 2 - 1) * (math.log(4 / 3) if "crop" in strengths else 0.0))
    width = (keep * ratio).sqrt().clamp(max=1.0)
    height = (keep / ratio).sqrt().clamp(max=1.0)
    shift = strengths.get("shift", 0.0) * 2
    x = (torch.rand(n) * 2 - 1) * (1 - width + shift)
    y = (torch.rand(n) * 2 - 1) * (1 - height + shift)
    zoom = torch.exp((torch.rand(n) * 2 - 1) * strengths.get("zoom", 0.0))
    angle = (torch.rand(n) * 2 - 1) * math.radians(strengths.get("rotate", 0.0))
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0) if strengths.get("mirror") else torch.ones(n)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    theta = torch.stack(
        [
            torch.stack([cos * width * flip, -sin * height, x], dim=1),
            torch.stack([sin * width * flip, cos * height, y], dim=1),
        ],
        dim=1,
    ).to(images.device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _apply_color_jitter(images: Tensor, strength: float) -> Tensor:
    """Brightness, contrast and saturation, each scaled by a random factor around 1."""
    n = len(images)
    brightness, contrast, saturation = (
        (1 + (torch.rand(n, 1, 1, 1) * 2 - 1) * strength).to(images.device) for _ in range(3)
    )
    images = images * brightness
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = (images - mean) * contrast + mean
    gray = images.mean(dim=1, keepdim=True)
    return ((images - gray) * saturation + gray).clamp(0, 1)
