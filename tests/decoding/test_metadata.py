"""Metadata that are odd or broken keep no pixel from being read."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from headstart.decoding import decoder
from headstart.decoding.metadata import strip_metadata
from headstart.errors import HeadstartError

PIXELS = np.arange(16 * 12 * 3, dtype=np.uint8).reshape(16, 12, 3)
UPRIGHT = PIXELS.transpose(2, 0, 1)
TURNED = np.rot90(PIXELS, -1).transpose(2, 0, 1)  # orientation 6: a quarter to the right
TEXT_LIMIT = 2**20  # bytes of one text; what Pillow allows


def encode(form, **options):
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, form, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks):
    """A PNG with more chunks behind its header."""
    content = encode("PNG")
    return content[:33] + b"".join(chunks) + content[33:]


def jpeg(segment, marker):
    content = encode("JPEG", quality=95)
    return content[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(segment) + 2) + segment + content[2:]


def exif(*entries):
    """Entries (tag, type, count, four bytes) as EXIF; 6 is the orientation of a camera held upright."""
    entries = [(0x112, 3, 1, struct.pack("<HH", 6, 0)), *entries]
    entries.sort()
    body = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", 0)


def zipped(size):
    return zlib.compress(b"x" * size)


ODD_EXIF = {
    "resolution unit as text": exif((0x128, 2, 1, b"i\0\0\0")),
    "unknown type": exif((0x110, 77, 4, b"abcd")),
    "huge count": exif((0x110, 2, 2**32 - 1, b"abcd")),
    "GPS as text": exif((0x8825, 2, 4, b"abcd")),
    "EXIF in a circle": exif((0x8769, 4, 1, struct.pack("<I", 8))),
    "maker's note beyond the end": exif((0x8769, 4, 1, struct.pack("<I", 99_999))),
    "text beyond the end, before it": exif((0x10F, 2, 8, b"\xff\xff\0\0")),
    "number as text": exif((0x11A, 2, 4, b"abcd")),
    "cut short": exif((0x9999, 2, 4, b"abcd"))[:-8],
}
ODD_PNG = {
    "no EXIF": chunk(b"eXIf", b"garbage"),
    "large text": chunk(b"tEXt", b"a\0" + b"x" * 65 * TEXT_LIMIT),
    "large zipped text": chunk(b"zTXt", b"a\0\0" + zipped(2 * TEXT_LIMIT)),
    "large international text": chunk(b"iTXt", b"a\0\1\0\0\0" + zipped(2 * TEXT_LIMIT)),
    "large profile": chunk(b"iCCP", b"a\0\0" + zipped(2 * TEXT_LIMIT)),
    "no profile": chunk(b"iCCP", b"a\0\x09garbage"),
    "text of another checksum": chunk(b"tEXt", b"a\0b")[:-1] + b"\0",
    "short resolution": chunk(b"pHYs", b"ab"),
    "short gamma": chunk(b"gAMA", b"ab"),
    "short animation": chunk(b"acTL", b"ab"),
}
ODD_JPEG = {
    "no profile": (b"ICC_PROFILE\0", 0xE2),
    "no Photoshop data": (b"Photoshop 3.0\x008BIM\x04\x04", 0xED),
    "short JFIF": (b"JFIF\0", 0xE0),
    "short Adobe": (b"Adobe", 0xEE),
    "no EXIF": (b"Exif\0\0garbage", 0xE1),
    "no frames": (b"MPF\0garbage", 0xE2),
}


class TestOddMetadata:
    @pytest.mark.parametrize("content", ODD_EXIF.values(), ids=ODD_EXIF)
    @pytest.mark.parametrize("form", ["PNG", "WEBP"])
    def test_orientation_is_read_beside_odd_tags(self, content, form):
        options = {"lossless": True} if form == "WEBP" else {}
        np.testing.assert_array_equal(decoder.decode(encode(form, exif=content, **options), None, 3), TURNED)

    @pytest.mark.parametrize("content", ODD_PNG.values(), ids=ODD_PNG)
    def test_png_is_read_whatever_its_texts(self, tmp_path, content):
        path = tmp_path / "a.png"
        path.write_bytes(png(content))
        np.testing.assert_array_equal(decoder.decode(path, None, 3), UPRIGHT)

    @pytest.mark.parametrize("segment", ODD_JPEG.values(), ids=ODD_JPEG)
    def test_jpeg_is_read_whatever_its_segments(self, segment):
        plain = decoder.decode(encode("JPEG", quality=95), None, 3)
        np.testing.assert_array_equal(decoder.decode(jpeg(*segment), None, 3), plain)

    @pytest.mark.parametrize("orientation", [0, 9, 65535])
    def test_orientation_that_does_not_exist_is_none(self, orientation):
        content = exif()[:18] + struct.pack("<H", orientation) + exif()[20:]
        np.testing.assert_array_equal(decoder.decode(encode("PNG", exif=content), None, 3), UPRIGHT)

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("compression", [None, "tiff_lzw"])
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_tiff_is_turned_as_a_photograph_is(self, tmp_path, orientation, compression, dtype):
        path, values = tmp_path / "a.tif", PIXELS[:, :, 0].astype(dtype) * (1 if dtype is np.uint8 else 257)
        Image.fromarray(values).save(path, tiffinfo={0x112: orientation}, compression=compression)
        tags = Image.Exif()
        tags[0x112] = orientation
        photograph = encode("PNG", exif=tags)
        expected = decoder.decode(photograph, None, 3)[:1]
        with Image.open(path) as picture:
            for image in (path, path.read_bytes(), picture):
                np.testing.assert_array_equal(decoder.decode(image, None, 1, "uint16"), expected)

    def test_pixels_that_are_damaged_stay_damaged(self):
        content = png(ODD_PNG["short gamma"])
        with pytest.raises(HeadstartError):
            decoder.decode(content[:-60], None, 3)
        with pytest.raises(HeadstartError):  # transparency belongs to the pixels
            decoder.decode(png(chunk(b"tRNS", b"ab")), None, 3)


class TestStripMetadata:
    @given(kind=st.sampled_from([b"tEXt", b"iTXt", b"zTXt", b"iCCP", b"eXIf", b"pHYs"]), data=st.binary(max_size=40))
    def test_random_chunks_change_no_pixel(self, kind, data):
        np.testing.assert_array_equal(decoder.decode(png(chunk(kind, data)), None, 3).ravel().sum(), UPRIGHT.sum())

    @given(marker=st.sampled_from([0xE1, 0xE2, 0xED, 0xFE]), data=st.binary(max_size=40))
    def test_random_segments_change_no_pixel(self, marker, data):
        plain = decoder.decode(encode("JPEG", quality=95), None, 3)
        assert decoder.decode(jpeg(data, marker), None, 3).sum() == plain.sum()

    @given(content=st.binary(max_size=60))
    def test_any_bytes_are_answered(self, content):
        for start in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8"):
            stripped = strip_metadata(start + content)
            assert stripped is None or len(stripped) < len(start + content)
