"""Finds images of more than 8 bits per value, measures the range of their values and reduces them to 8 bits."""

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from headstart.decoding import bit_depth as depths
from headstart.decoding.bit_depth import Extent, PixelError
from headstart.decoding.orientation import load_pixels, tiff_tags

BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
WHITE_IS_0 = 0  # of PHOTOMETRIC
SIGNED_INTEGER = 2  # of SAMPLE_FORMAT


def is_deep(image: Image.Image) -> bool:
    """Whether an image, or the file that it is opened from, has more than 8 bits a value."""
    return _has_deep_mode(image) or _is_deep_color(image)


def image_extent(image: Image.Image) -> Extent:
    """The range of the values of a deep image.

    Raises:
        PixelError: they cannot be read as brightness.
    """
    is_color, mask = _is_deep_color(image), image.info.get("transparency")
    if tiff_tags(image).get(PHOTOMETRIC) == WHITE_IS_0:
        raise PixelError("a TIFF of more than 8 bits in which white is 0; store it with black as 0")
    load_pixels(image)
    if not is_color:
        return replace(depths.measure_extent(np.asarray(image)), has_mask=mask is not None)
    if mask is not None:
        raise PixelError("16-bit color with a transparent color; store it as RGBA")
    colors: Any = np.asarray(image)
    upper = int(colors[:, :, :3].max() if image.mode == "RGBA" else colors.max())
    return Extent(is_float=False, low=0, high=256 * upper + 255, is_color=True)


def reduce_depth(image: Image.Image, depth: str | None) -> Image.Image:
    """The image with 8 bits a value, loaded; Pillow alone would cut every value off at 255.

    Raises:
        PixelError: its values cannot be read by ``depth``.
    """
    if not is_deep(image):
        if SIGNED_INTEGER in tiff_tags(image).get(SAMPLE_FORMAT, ()):
            raise PixelError("signed 8-bit values; store them as 0 to 255")
        load_pixels(image)
        return image
    extent = image_extent(image)
    if extent.is_color:
        depths.resolve_depth(extent, depth)
        return image
    values: Any = np.asarray(image)
    scaled = scale_values(values, extent, depth)
    if extent.has_mask:
        scaled[values == image.info["transparency"]] = 255  # on white, as all that is transparent
    return Image.fromarray(scaled)


def scale_values(values: np.ndarray, extent: Extent, depth: str | None) -> np.ndarray:
    """Values of this extent as uint8; raises PixelError where ``depth`` does not tell their range."""
    return depths.scale_to_uint8(values, depths.resolve_depth(extent, depth))


def _has_deep_mode(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _is_deep_color(image: Image.Image) -> bool:
    """Whether a file stores 16 bits a channel, of which Pillow gives the upper 8."""
    if _has_deep_mode(image):
        return False
    if tags := tiff_tags(image):
        return max(tags.get(BITS_PER_SAMPLE, (8,))) > 8
    tiles: Any = getattr(image, "tile", ())  # none once the image is loaded: what it holds then are 8 bits
    return image.format == "PNG" and bool(tiles) and ";16" in str(tiles[0].args)
