"""How a file becomes pixels: the only place that knows. Torch-free."""

import struct
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from headstart.errors import HeadstartError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
HEIC = {".heic", ".heif"}


def is_image(path: Path) -> bool:
    """Whether a file's name says that it is an image, and nothing hidden."""
    return path.suffix.lower() in SUFFIXES | HEIC and not path.name.startswith(".")


def decode(image: Any, size: int | None, channels: int) -> np.ndarray:
    """A path or PIL image as uint8 (C, H, W): turned upright, its shorter side ``size``, the centre cut out.

    Raises:
        HeadstartError: the file cannot be read as an image.
    """
    if isinstance(image, Image.Image):
        return _array(image, size, channels)
    try:
        with opened(image) as found:
            return _array(found, size, channels)
    except (OSError, ValueError, SyntaxError, EOFError, struct.error) as error:  # all of them Pillow's
        raise HeadstartError(f"{image}: {trouble(error)}") from error


def opened(path: Any) -> Image.Image:
    with warnings.catch_warnings():
        # Twice Pillow's limit is refused by Pillow itself; once is only a large photograph.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(path)
        except Image.DecompressionBombError as error:
            raise OSError("too large to be a photograph") from error


@cache
def reads_heic() -> bool:
    """Whether the extra that decodes an iPhone's HEIC is installed (and then it is switched on)."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def trouble(error: Exception) -> str:
    """What is wrong with a file, in a few words."""
    if isinstance(error, UnidentifiedImageError):
        return "no image"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if "truncated" in str(error):
        return "truncated"
    return str(error).split("\n")[0][:80] or type(error).__name__


def from_array(array: np.ndarray) -> Image.Image:
    """uint8 (H, W, C) as a PIL image."""
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "I", "F", "LA") or image.mode.startswith("I;16")


def _array(image: Image.Image, size: int | None, channels: int) -> np.ndarray:
    if size and image.format == "JPEG":
        image.draft("RGB", (size * 2, size * 2))  # JPEG's own halving; resizing then has less to do
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        deep = np.asarray(image, dtype=np.float64)
        image = Image.fromarray((deep / (257 if deep.max(initial=0) > 255 else 1)).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    array = np.asarray(image)
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))
