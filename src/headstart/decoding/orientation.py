"""Reads and applies the orientation in the metadata of a photograph."""

import struct
from typing import Any

from PIL import Image

ORIENTATION_TAG = 274
EXIF_INTEGER_TYPES = {1: "B", 3: "H", 4: "I"}  # types of an EXIF value that may be an orientation
TRANSPOSES = {  # by the orientation, what turns an image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

SIDEWAYS = (5, 6, 7, 8)  # orientations that exchange width and height


def load_pixels(image: Image.Image) -> None:
    """Loads an image as it is stored, or a TIFF upright.

    Pillow maps an uncompressed TIFF into memory with the sides that it has when it is turned, which shears the image.
    It does so only where it knows the file's name.
    """
    if _is_mapped_turned(image):
        image.filename = ""  # type: ignore[attr-defined]
    image.load()


def find_orientation(image: Image.Image) -> int:
    """The orientation of a loaded image, 1 to 8; 1 where none can be read, whatever else the metadata hold."""
    orientation = read_orientation(image.info.get("exif") or b"")
    if orientation is None:
        try:
            orientation = image.getexif().get(ORIENTATION_TAG)  # which looks into XMP and PNG texts, too
        except Exception:  # of any kind, as with pixels: the pixels are right without it
            return 1
    return orientation if orientation in TRANSPOSES else 1


def read_orientation(exif: bytes) -> int | None:
    """The orientation in EXIF data, read without any other tag, any of which may be broken; None: there is none."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, entry)
            if tag == ORIENTATION_TAG and kind in EXIF_INTEGER_TYPES:
                return int(struct.unpack_from(f"{order}{EXIF_INTEGER_TYPES[kind]}", exif, entry + 8)[0])
    except struct.error:  # cut short
        pass
    return None


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(TRANSPOSES[orientation]) if orientation in TRANSPOSES else image


def tiff_tags(image: Image.Image) -> Any:
    """The tags of a TIFF; empty for other files."""
    return getattr(image, "tag_v2", {})


def _is_mapped_turned(image: Image.Image) -> bool:
    tiles: Any = getattr(image, "tile", ())
    return tiff_tags(image).get(ORIENTATION_TAG) in SIDEWAYS and bool(tiles) and tiles[0].codec_name == "raw"
