"""Decodes image files to pixels: upright, on white, 8 bits per channel, square."""

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError, features

from headstart.decoding.bit_depth import Extent, PixelError, measure_extent
from headstart.decoding.deep_images import image_extent, is_deep, reduce_depth, scale_values
from headstart.decoding.metadata import JPEG_SIGNATURE, strip_metadata
from headstart.decoding.orientation import find_orientation, turn_upright
from headstart.decoding.square import make_square
from headstart.errors import HeadstartError

_T = TypeVar("_T")

DECODER_VERSION = 2  # another number whenever other pixels come out of the same file: it names the caches
IMAGE_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
IMAGE_SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".jp2", ".j2k", ".jpx"}
HEIC_SUFFIXES = {".heic", ".heif"}
# No other format is tried, whatever a file contains: Pillow would run PostScript, for one. A file's content says
# which of them it is, never its name: so formats without a signature of their own (TGA) are left out.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000")
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
AVIF_BRANDS = {b"avif", b"avis"}
HEADER_BYTES = 64  # bytes that tell HEIC from AVIF
EMPTY_FILE = "empty"
HEIC_HINT = "HEIC needs another decoder: pip install headstart[heic]"
GRAY_MODES = {"1", "L", "LA", "La", "I", "F"}
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # what such files begin with


def has_image_suffix(path: Path) -> bool:
    """Whether the name is that of an image; hidden files are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES | HEIC_SUFFIXES and not path.name.startswith(".")


def decode(
    image: Path | str | bytes | Image.Image,
    size: int | None,
    channels: int,
    depth: str | None = None,
    name: str = "the image",
    resize: str = "crop",
) -> np.ndarray:
    """An image file, its bytes, or a PIL image, as a model wants it: equal pixels from all three.

    Args:
        image: a path, the content of a file, or a PIL image (at the frame where it stands; else the first).
        size: pixels of a side; None: the image stays as large as it is.
        channels: 1 or 3.
        depth: how values of more than 8 bits are read, a key of ``bit_depth.WHITE_VALUES``; None: they are refused.
        name: what a message calls an image that is no file.
        resize: how it becomes square, one of ``square.RESIZE_MODES`` (see :func:`square.make_square`).

    Returns:
        uint8 (channels, size, size), or (channels, height, width).

    Raises:
        HeadstartError: it cannot be read as an image.
    """
    try:
        return _process_image(image, lambda opened: _to_array(opened, size, channels, depth, resize))
    except (HeadstartError, MemoryError):
        raise
    except Exception as error:  # Pillow's decoders raise whatever a broken file leads them to
        remedy = ""
        if isinstance(image, str | Path):
            name, remedy = str(image), "" if isinstance(error, PixelError) else "; mend or remove the file"
        raise HeadstartError(f"{name}: {describe_decode_error(error)}{remedy}") from error


def has_image_header(path: Path) -> bool:
    """Whether the file begins like an image, HEIC included, whatever its name."""
    try:
        with _open_image(path):
            return True
    except Exception as error:  # Pillow's readers raise whatever a broken file leads them to
        return str(error).endswith(HEIC_HINT)


def is_heic(header: bytes) -> bool:
    """Whether a file that begins with these bytes is HEIC: its brand, or one that it is compatible with, says so."""
    if header[4:8] != b"ftyp":
        return False
    major, end = header[8:12], min(int.from_bytes(header[:4]), HEADER_BYTES)
    brands = {major, *(header[i : i + 4] for i in range(16, end, 4))}
    return major not in AVIF_BRANDS and bool(brands & HEIC_BRANDS)


def readable_formats() -> list[str]:
    """Pillow's names of the formats that are read here: AVIF and HEIC depend on what is installed."""
    missing = {name for name, feature in (("AVIF", "avif"), ("JPEG2000", "jpg_2000")) if not features.check(feature)}
    return [name for name in FORMATS if name not in missing] + ["HEIF"] * can_read_heic()


def is_gray_file(path: Path) -> bool:
    """Whether a file's header tells of no colors; a file that cannot be read counts as gray: the others decide."""
    try:
        return _process_image(path, _is_gray)
    except Exception:  # decoding will name it
        return True


def is_deep_file(path: Path) -> bool:
    """Whether a file's header tells of more than 8 bits a value; no file that cannot be read does."""
    try:
        with path.open("rb", buffering=0) as file:
            is_jpeg = file.read(len(JPEG_SIGNATURE)) == JPEG_SIGNATURE
        return not is_jpeg and _process_image(path, is_deep)  # of a JPEG, nothing more than 8 bits is read
    except Exception:  # decoding will name it
        return False


def read_shorter_side(path: Path) -> int:
    """Pixels of the shorter side, by the file's header; 0 for a file that cannot be read."""
    try:
        return _process_image(path, lambda image: min(image.size))
    except Exception:  # decoding will name it
        return 0


def read_extent(path: Path) -> Extent:
    """The range of the values of an image that is deeper than 8 bits; raises what broken files lead to."""
    return _process_image(path, image_extent)


def from_array(array: np.ndarray, depth: str | None = None) -> Image.Image:
    """Numbers of any type, (H, W) or (H, W, C) with up to four channels, as a PIL image of 8 bits.

    Raises:
        PixelError: these are no numbers, or ``depth`` does not tell their range.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype != np.uint8:
        if array.dtype.kind not in "iuf":
            raise PixelError(f"{array.dtype} values are no pixels")
        array = scale_values(array, measure_extent(array), depth)
    return Image.fromarray(np.ascontiguousarray(array))


@cache
def can_read_heic() -> bool:
    """Whether the extra that decodes an iPhone's HEIC is installed; then it is switched on."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def describe_decode_error(error: BaseException) -> str:
    """What is wrong with a file, in a few words."""
    text = str(error)
    if isinstance(error, PixelError):
        return text
    if text.endswith(HEIC_HINT):
        return HEIC_HINT
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    if isinstance(error, Image.DecompressionBombError):
        return "too many pixels to be a photograph"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if text == EMPTY_FILE:
        return text
    if "truncated" in text.lower():
        return "truncated"
    return f"damaged: {text.splitlines()[0][:80]}" if text else "damaged"


def _process_image(source: Path | str | bytes | Image.Image, function: Callable[[Image.Image], _T]) -> _T:
    """Calls ``function`` with the opened image; if Pillow fails, tries again without the file's metadata."""
    if isinstance(source, Image.Image):
        return function(source)
    if isinstance(source, str):
        source = Path(source)
    try:
        with _open_image(source) as image:
            return function(image)
    except (HeadstartError, PixelError, MemoryError, Image.DecompressionBombError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise
        content = source if isinstance(source, bytes) else source.read_bytes()
        if isinstance(error, UnidentifiedImageError) and content.startswith(TIFF_SIGNATURES):
            raise PixelError(
                "a TIFF of a kind that is not read (such as 64-bit values or floating-point color), or damaged; "
                "store it as PNG or as a TIFF of 8 or 16 bits"
            ) from error
        stripped = strip_metadata(content)
        if stripped is None:
            raise
        try:
            with _open_image(stripped) as image:
                return function(image)
        except PixelError:
            raise
        except Exception:
            raise error from None


def _open_image(source: Path | bytes) -> Image.Image:
    if isinstance(source, Path):
        with source.open("rb") as file:
            header = file.read(HEADER_BYTES)
    else:
        header = source[:HEADER_BYTES]
    if not header:
        raise ValueError(EMPTY_FILE)
    content = source if isinstance(source, Path) else io.BytesIO(source)
    if not is_heic(header):
        return Image.open(content, formats=FORMATS)
    if not can_read_heic():
        raise HeadstartError(f"{source}: {HEIC_HINT}" if isinstance(source, Path) else HEIC_HINT)
    return Image.open(content, formats=["HEIF"])


def _to_array(image: Image.Image, size: int | None, channels: int, depth: str | None, resize: str) -> np.ndarray:
    if not all(image.size):
        raise PixelError("no pixels in it")
    image = turn_upright(reduce_depth(image, depth), find_orientation(image))
    if image.mode == "La":  # grey, multiplied by its opacity
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode == "LAB":
        image = image.convert("RGB")
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:  # converting copies
        image = image.convert(mode)
    if size:
        image = make_square(image, size, resize)
    array: Any = np.asarray(image)
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1))


def _is_gray(image: Image.Image) -> bool:
    return image.mode in GRAY_MODES or image.mode.startswith("I;16")
