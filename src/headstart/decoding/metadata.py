"""Removes metadata from PNG and JPEG files, so that damaged metadata does not prevent decoding."""

from collections.abc import Iterator

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf"}  # eXIf: which way is up
JPEG_SIGNATURE = b"\xff\xd8"
START_OF_SCAN, COMMENT = 0xDA, 0xFE
APPLICATION_SEGMENTS = range(0xE0, 0xF0)  # the segments APP0 to APP15
# Those that tell the colors or which way is up, by what they begin with, and the bytes that they have at least.
JPEG_SEGMENTS = {0xE0: (b"JFIF\0", 14), 0xE1: (b"Exif\0\0", 6), 0xEE: (b"Adobe", 12)}


def strip_metadata(content: bytes) -> bytes | None:
    """A PNG or JPEG file without texts, profiles, maker's notes and the like.

    Args:
        content: of a file.

    Returns:
        The same image; None where nothing can be left away.
    """
    if content.startswith(PNG_SIGNATURE):
        stripped = PNG_SIGNATURE + b"".join(_iter_png_chunks(content))
    elif content.startswith(JPEG_SIGNATURE):
        stripped = JPEG_SIGNATURE + b"".join(_iter_jpeg_segments(content))
    else:
        return None
    return stripped if len(stripped) < len(content) else None


def _iter_png_chunks(content: bytes) -> Iterator[bytes]:
    start = len(PNG_SIGNATURE)
    while start < len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        if content[start + 4 : start + 8] in PNG_CHUNKS:
            yield content[start:end]
        start = end


def _iter_jpeg_segments(content: bytes) -> Iterator[bytes]:
    start = len(JPEG_SIGNATURE)
    while start + 4 <= len(content) and content[start] == 0xFF and content[start + 1] != START_OF_SCAN:
        marker, end = content[start + 1], start + 2 + int.from_bytes(content[start + 2 : start + 4])
        begins, least = JPEG_SEGMENTS.get(marker, (b"", 0))
        known = marker in JPEG_SEGMENTS and content[start + 4 : end].startswith(begins) and end - start - 4 >= least - 2
        if known or not (marker in APPLICATION_SEGMENTS or marker == COMMENT):
            yield content[start:end]
        start = end
    yield content[start:]
