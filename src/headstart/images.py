"""How a file becomes pixels: upright, on white, 8 bits a channel, square."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError, features

from headstart.errors import HeadstartError

DECODER = 1  # another number whenever other pixels come out of the same file: it names the caches
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".j2k", ".jpx"}
HEIC = {".heic", ".heif"}
# No other format is tried, whatever a file contains: Pillow would run PostScript, for one. A file's content says
# which of them it is, never its name: so formats without a signature of their own (TGA) are left out.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000")
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
AVIF_BRANDS = {b"avif", b"avis"}
HEADER = 64  # bytes that tell HEIC from AVIF
EMPTY = "empty"
NO_HEIC = "HEIC needs another decoder: pip install headstart[heic]"
GREY = {"1", "L", "LA", "I", "F"}


def is_image(path: Path) -> bool:
    """Whether the name is that of an image; hidden files are none."""
    return path.suffix.lower() in SUFFIXES | HEIC and not path.name.startswith(".")


def decode(image: Path | str | Image.Image, size: int | None, channels: int) -> np.ndarray:
    """An image file, or a PIL image, as a model wants it.

    The shorter side becomes ``size`` (bicubic, antialiased) and the centre is cut out; None: it stays as large as
    it is.

    Returns:
        uint8 (channels, size, size), or (channels, height, width).

    Raises:
        HeadstartError: the file cannot be read as an image.
    """
    if isinstance(image, Image.Image):
        return _array(image, size, channels)
    try:
        with _opened(Path(image)) as found:
            if size:  # JPEG's own halving, down to twice the size, spares most of the work on a large photograph
                found.draft(None, (2 * size, 2 * size))
            return _array(found, size, channels)
    except HeadstartError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads them to
        raise HeadstartError(f"{image}: {trouble(error)}; mend or remove the file") from error


def has_image_header(path: Path) -> bool:
    """Whether the file begins like an image, HEIC included, whatever its name."""
    try:
        with _opened(path):
            return True
    except Exception as error:  # Pillow's readers raise whatever a broken file leads them to
        return str(error).endswith(NO_HEIC)


def is_heic(header: bytes) -> bool:
    """Whether a file that begins with these bytes is HEIC: its brand, or one that it is compatible with, says so."""
    major, end = header[8:12], min(int.from_bytes(header[:4]), HEADER)
    brands = {major, *(header[i : i + 4] for i in range(16, end, 4))}
    return header[4:8] == b"ftyp" and major not in AVIF_BRANDS and bool(brands & HEIC_BRANDS)


def readable_formats() -> list[str]:
    """Pillow's names of the formats that are read here: AVIF and HEIC depend on what is installed."""
    missing = {name for name, feature in (("AVIF", "avif"), ("JPEG2000", "jpg_2000")) if not features.check(feature)}
    return [name for name in FORMATS if name not in missing] + ["HEIF"] * reads_heic()


def is_grey(path: Path) -> bool:
    """Whether the file's header says so; a file that cannot be read does not count against it."""
    try:
        with _opened(path) as image:
            return image.mode in GREY or image.mode.startswith("I;16")
    except Exception:  # decoding will name it
        return True


def from_array(array: np.ndarray) -> Image.Image:
    """uint8 (H, W, C) as a PIL image."""
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


@cache
def reads_heic() -> bool:
    """Whether the extra that decodes an iPhone's HEIC is installed; then it is switched on."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def trouble(error: BaseException) -> str:
    """What is wrong with a file, in a few words."""
    text = str(error)
    if text.endswith(NO_HEIC):
        return NO_HEIC
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels to be a photograph"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if text == EMPTY:
        return text
    if "truncated" in text.lower():
        return "truncated"
    return f"damaged: {text.splitlines()[0][:80]}" if text else "damaged"


def _opened(path: Path) -> Image.Image:
    with path.open("rb") as file:
        header = file.read(HEADER)
    if not header:
        raise ValueError(EMPTY)
    if not is_heic(header):
        return Image.open(path, formats=FORMATS)
    if not reads_heic():
        raise HeadstartError(f"{path}: {NO_HEIC}")
    return Image.open(path, formats=["HEIF"])


def _array(image: Image.Image, size: int | None, channels: int) -> np.ndarray:
    image = _eight_bits(ImageOps.exif_transpose(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    if size and image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    array: Any = np.asarray(image)
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey by its full range; Pillow alone would cut every value off at 255."""
    if image.mode == "F":
        values: Any = np.asarray(image)
        values = values * 255 if values.max(initial=0) <= 1 else values
    elif image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image) / 257
    else:
        return image
    return Image.fromarray(np.nan_to_num(values).clip(0, 255).round().astype(np.uint8))
