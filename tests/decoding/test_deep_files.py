"""Files with more than 8 bits a value that Pillow cannot write: each is read rightly or refused with a reason."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from headstart.decoding import decoder
from headstart.errors import HeadstartError

COUNTS = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040  # up to 65,520
COLORS = np.stack([COUNTS, COUNTS[::-1], COUNTS.T], axis=2)
UNSIGNED, SIGNED, FLOAT = 1, 2, 3  # sample formats of TIFF
WHITE_IS_0, BLACK_IS_0, RGB = 0, 1, 2  # photometric interpretations


def tiff(array, photometric, sample_format, order="<"):
    """An uncompressed TIFF of one strip."""
    array = np.ascontiguousarray(array)
    height, width, samples = (*array.shape, 1)[:3]
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    bits = 8 * array.dtype.itemsize
    tags = {256: [width], 257: [height], 258: [bits] * samples, 259: [1], 262: [photometric], 273: [0], 277: [samples],
            278: [height], 279: [len(data)], 339: [sample_format] * samples}  # fmt: skip
    start = 8 + 2 + 12 * len(tags) + 4
    extra = {tag: struct.pack(f"{order}{len(v)}H", *v) for tag, v in tags.items() if len(v) > 2}
    tags[273] = [start + sum(map(len, extra.values()))]
    entries = b""
    for tag, values in tags.items():
        kind, letter = (3, "H") if tag in (258, 259, 262, 277, 339) else (4, "I")
        if tag in extra:
            content = struct.pack(f"{order}I", start + sum(len(extra[t]) for t in extra if t < tag))
        else:
            content = struct.pack(f"{order}{len(values)}{letter}", *values).ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + content
    magic = b"II*\0" if order == "<" else b"MM\0*"
    head = magic + struct.pack(f"{order}IH", 8, len(tags)) + entries + struct.pack(f"{order}I", 0)
    return head + b"".join(extra.values()) + data


def png(array, *chunks):
    """A PNG of 16 bits: grey, grey with opacity, RGB or RGBA."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[(*array.shape, 1)[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 16, kind, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    sealed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(sealed)


def refusal(content, depth):
    with pytest.raises(HeadstartError) as caught:
        decoder.decode(content, None, 3, depth)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestGrey:
    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize(
        ("values", "sample_format", "depth", "white"),
        [(COUNTS, UNSIGNED, "uint16", 65535), (COUNTS // 16, UNSIGNED, "uint12", 4095),
         ((COUNTS // 16).astype(np.int16), SIGNED, "uint12", 4095), (COUNTS.astype(np.int32), SIGNED, "uint16", 65535),
         ((COUNTS / 65535).astype(np.float32), FLOAT, "float1", 1)],
    )  # fmt: skip
    def test_tiff(self, order, values, sample_format, depth, white):
        pixels = decoder.decode(tiff(values, BLACK_IS_0, sample_format, order), None, 1, depth)
        np.testing.assert_array_equal(pixels[0], np.rint(values * 255.0 / white))

    def test_png(self):
        pixels = decoder.decode(png(COUNTS), None, 1, "uint16")
        np.testing.assert_array_equal(pixels[0], np.rint(COUNTS / 257))

    def test_transparent_value_becomes_white(self):
        pixels = decoder.decode(png(COUNTS, (b"tRNS", struct.pack(">H", 1040))), None, 1, "uint16")[0]
        assert pixels[0, 1] == 255 and pixels[0, 2] == round(2080 / 257)

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize(
        ("values", "photometric", "sample_format"),
        [(COUNTS, WHITE_IS_0, UNSIGNED), ((COUNTS / 65535).astype(np.float32), WHITE_IS_0, FLOAT),
         (COUNTS.astype(np.int32) - 32768, BLACK_IS_0, SIGNED),
         (COUNTS.astype(np.int16), BLACK_IS_0, SIGNED),  # above 32,767 such values turn negative
         (COUNTS.astype(np.uint32) * 2**15, BLACK_IS_0, UNSIGNED),
         ((COUNTS // 256).astype(np.int8), BLACK_IS_0, SIGNED), (COUNTS / 65535, BLACK_IS_0, FLOAT),
         ((COUNTS / 65535).astype(np.float16), BLACK_IS_0, FLOAT)],
    )  # fmt: skip
    def test_rejects_what_has_another_meaning(self, order, values, photometric, sample_format):
        depth = "float1" if sample_format == FLOAT else "uint16"
        assert "not an image" not in refusal(tiff(values, photometric, sample_format, order), depth)


class TestColor:
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_full_range_keeps_its_upper_8_bits(self, order):
        for content in (tiff(COLORS, RGB, UNSIGNED, order), png(COLORS)):
            pixels = decoder.decode(content, None, 3, "uint16").transpose(1, 2, 0)
            np.testing.assert_array_equal(pixels, COLORS >> 8)

    @pytest.mark.parametrize("depth", ["uint12", "float1"])
    def test_rejects_other_depths(self, depth):
        for content in (tiff(COLORS, RGB, UNSIGNED), png(COLORS), png(COLORS[:, :, :2])):
            assert refusal(content, depth)

    def test_rejects_a_transparent_color_of_16_bits(self):
        content = png(COLORS, (b"tRNS", struct.pack(">HHH", *COLORS[0, 0])))
        assert "store it as RGBA" in refusal(content, "uint16")

    def test_folder_of_few_bits_is_refused(self, tmp_path):
        from headstart.data import ImageFolder

        for label in "ab":
            (tmp_path / label).mkdir()
            for i in range(3):
                (tmp_path / label / f"{i}.png").write_bytes(png(COLORS // 16 + i))
        with pytest.raises(HeadstartError, match=r"color images with values up to about 4,\d+: only the upper 8"):
            ImageFolder(root=str(tmp_path), image_size=8).catalog  # noqa: B018


class TestModes:
    @pytest.mark.parametrize(
        "mode", ["RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "P", "PA", "L", "LA", "La", "1", "LAB"]
    )
    @pytest.mark.parametrize("channels", [1, 3])
    def test_every_8_bit_mode_is_read(self, mode, channels):
        """A grey picture, so that each mode can hold it; HSV and LAB round."""
        picture = Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 8, axis=0)).convert("RGB")
        if mode == "LAB":
            from PIL import ImageCms

            profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
            changed = ImageCms.applyTransform(picture, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
        else:
            steps = {"La": ["LA", "La"], "RGBa": ["RGBA", "RGBa"], "PA": ["P", "PA"]}.get(mode, [mode])
            changed = picture
            for step in steps:
                changed = changed.convert(step)
        pixels = decoder.decode(changed, None, channels)
        np.testing.assert_allclose(pixels, decoder.decode(picture, None, channels), atol=2)

    @pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I", "F"])
    def test_every_deep_mode_is_read(self, mode):
        depth = "float65535" if mode == "F" else "uint16"
        pixels = decoder.decode(Image.new(mode, (2, 2), 25700), None, 1, depth)
        assert (pixels == 100).all()

    def test_first_frame_of_several(self, tmp_path):
        frames = [Image.new("L", (8, 8), value) for value in (10, 200)]
        for name in ("a.gif", "a.tif"):
            frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
            assert (decoder.decode(tmp_path / name, None, 1) == 10).all()
