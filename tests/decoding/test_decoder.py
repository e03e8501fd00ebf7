"""A file becomes pixels: upright, on white, 8 bits a channel, the centre of its shorter side."""

import numpy as np
import pytest
from PIL import Image, features

from headstart.decoding import decoder
from headstart.errors import HeadstartError

RED, BLUE = (200, 30, 30), (30, 30, 200)


def saved(tmp_path, image, name, **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def halves(size=(16, 16), mode="RGB"):
    """Red above, blue below."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (0, size[1] // 2, *size))
    return image.convert(mode)


def refusal(path):
    with pytest.raises(HeadstartError) as caught:
        decoder.decode(path, 8, 3)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(f"{path}: ")
    return line


NAMES = ["a.png", "a.JPG", "a.jpeg", "a.jfif", "a.jpe", "a.Bmp", "a.gif", "a.webp", "a.tif", "a.TIFF"]
NAMES += ["a.ppm", "a.PNM", "a.apng", "a.jp2", "a.j2k"] + ["a.avif"] * features.check("avif")


@pytest.mark.parametrize("name", NAMES)
def test_each_format_gives_the_same_picture_in_any_suffix_case(tmp_path, name):
    path = saved(tmp_path, halves(), name)
    pixels = decoder.decode(path, 8, 3)
    assert decoder.has_image_suffix(path) and pixels.shape == (3, 8, 8) and pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels[:, 1, 4], RED, atol=25)
    np.testing.assert_allclose(pixels[:, 6, 4], BLUE, atol=25)


def test_a_rotated_photograph_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    path = saved(tmp_path, halves().rotate(90), "a.jpg", exif=exif, quality=95)
    pixels = decoder.decode(path, 16, 3)
    np.testing.assert_allclose(pixels[:, 2, 8], RED, atol=25)
    np.testing.assert_allclose(pixels[:, 13, 8], BLUE, atol=25)


def test_what_is_transparent_becomes_white(tmp_path):
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (decoder.decode(saved(tmp_path, clear, "a.png"), 8, 3) == 255).all()
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0])
    assert (decoder.decode(saved(tmp_path, palette, "b.png", transparency=0), 8, 3) == 255).all()


def test_sixteen_bits_keep_their_brightness(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 16).astype(np.uint16), (16, 1))
    pixels = decoder.decode(saved(tmp_path, Image.fromarray(ramp), "a.png"), 16, 1, "uint16")
    np.testing.assert_allclose(pixels[0, 0], np.linspace(0, 255, 16), atol=1)


def test_floating_point_between_0_and_1_is_a_picture_too(tmp_path):
    ramp = np.tile(np.linspace(0, 1, 16).astype(np.float32), (16, 1))
    pixels = decoder.decode(saved(tmp_path, Image.fromarray(ramp), "a.tiff"), 16, 1, "float1")
    np.testing.assert_allclose(pixels[0, 0], np.linspace(0, 255, 16), atol=1)


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("P", "a.gif"), ("CMYK", "a.jpg"), ("1", "a.png"), ("LA", "a.png")]
)
def test_grey_palette_and_print_colours_are_read(tmp_path, mode, name):
    path = saved(tmp_path, halves(mode=mode), name)
    assert decoder.decode(path, 8, 3).shape == (3, 8, 8)
    assert decoder.decode(path, 8, 1).shape == (1, 8, 8)


def test_the_shorter_side_is_resized_and_the_centre_cut_out(tmp_path):
    wide = Image.new("RGB", (48, 16), BLUE)
    wide.paste(RED, (16, 0, 32, 16))
    pixels = decoder.decode(saved(tmp_path, wide, "a.png"), 8, 3)
    np.testing.assert_allclose(pixels, np.broadcast_to(np.array(RED)[:, None, None], (3, 8, 8)), atol=15)


@pytest.mark.parametrize("resize", ["pad", "squash"])
def test_what_is_turned_and_transparent_is_squared_upright(tmp_path, resize):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGBA", (32, 16), (0, 0, 0, 0))
    pixels = decoder.decode(saved(tmp_path, image, "a.png", exif=exif), 16, 3, resize=resize)
    assert (pixels[:, :, 4:12] == 255).all()
    assert (pixels[:, :, :4] == (127 if resize == "pad" else 255)).all()


def test_a_picture_keeps_size_and_values_without_a_size(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, size=(30, 50, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decoder.decode(tmp_path / "a.png", None, 3), values.transpose(2, 0, 1))


def test_shrinking_is_antialiased(tmp_path):
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    pixels = decoder.decode(saved(tmp_path, Image.fromarray(board.astype(np.uint8)), "a.png"), 8, 1)
    np.testing.assert_allclose(pixels, 127.5, atol=3)


def test_a_picture_in_memory_is_decoded_like_its_file(tmp_path):
    path = saved(tmp_path, halves((20, 30)), "a.png")
    with Image.open(path) as image:
        np.testing.assert_array_equal(decoder.decode(image, 8, 3), decoder.decode(path, 8, 3))
    array = np.asarray(halves((20, 30)))
    np.testing.assert_array_equal(decoder.decode(decoder.from_array(array), 8, 3), decoder.decode(path, 8, 3))


def test_a_truncated_file_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for name in ("a.jpg", "a.png"):
        path = saved(tmp_path, Image.fromarray(noise), name)
        path.write_bytes(path.read_bytes()[:1000])
        assert "truncated" in refusal(path) or "damaged" in refusal(path)


def test_an_empty_file_text_and_a_missing_file_are_named(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("dear diary")
    assert refusal(tmp_path / "empty.jpg").endswith("empty.jpg: empty; mend or remove the file")
    assert "not an image" in refusal(tmp_path / "text.jpg")
    assert "no such file" in refusal(tmp_path / "gone.jpg")


def test_postscript_is_never_run_whatever_its_suffix(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    assert "not an image" in refusal(path)


def test_rejects_billions_of_pixels_by_the_header(tmp_path):
    path = saved(tmp_path, Image.new("1", (8, 8)), "a.png")
    header = path.read_bytes()
    path.write_bytes(
        header[:16] + (50_000).to_bytes(4) * 2 + header[24:29] + crc(header[12:16], 50_000, header) + header[33:]
    )
    assert "too many pixels" in refusal(path)


def crc(kind, side, header):
    import zlib

    return zlib.crc32(kind + side.to_bytes(4) * 2 + header[24:29]).to_bytes(4)


def test_hidden_files_and_other_files_are_no_images(tmp_path):
    for name in (".hidden.jpg", "._a.jpg", "Thumbs.db", "notes.txt", "jpg"):
        assert not decoder.has_image_suffix(tmp_path / name)


class TestFormats:
    @pytest.mark.parametrize(("name", "mode"), [("a.pgm", "L"), ("a.pbm", "1"), ("a.pgm", "I;16")])
    def test_reads_grey_netpbm(self, tmp_path, name, mode):
        path = saved(tmp_path, Image.new(mode, (8, 8), 1 if mode == "1" else 0), name)
        pixels = decoder.decode(path, 8, 1, "uint16" if mode == "I;16" else None)
        assert (pixels == (255 if mode == "1" else 0)).all() and decoder.is_gray_file(path)

    @pytest.mark.parametrize(
        ("name", "mode", "is_gray", "is_deep"),
        [
            ("a.jpg", "L", True, False),
            ("a.jpg", "RGB", False, False),
            ("a.png", "RGB", False, False),
            ("a.png", "I;16", True, True),
            ("a.tif", "F", True, True),
        ],
    )
    def test_header_tells_gray_and_deep(self, tmp_path, name, mode, is_gray, is_deep):
        path = saved(tmp_path, Image.new(mode, (8, 8)), name)
        assert (decoder.is_gray_file(path), decoder.is_deep_file(path)) == (is_gray, is_deep)

    def test_an_unreadable_file_decides_nothing(self, tmp_path):
        (tmp_path / "a.png").write_text("dear diary")
        for path in (tmp_path / "a.png", tmp_path / "gone.png"):
            assert decoder.is_gray_file(path) and not decoder.is_deep_file(path)

    def test_reads_plain_text_netpbm(self, tmp_path):
        (tmp_path / "a.pgm").write_text("P2\n# by hand\n8 8\n15\n" + "15 " * 64)
        assert (decoder.decode(tmp_path / "a.pgm", 8, 1) == 255).all()

    def test_reads_multi_picture_jpeg(self, tmp_path):
        path = saved(tmp_path, halves(), "a.jpg", format="MPO", save_all=True, append_images=[halves()])
        np.testing.assert_allclose(decoder.decode(path, 8, 3)[:, 1, 4], RED, atol=25)

    @pytest.mark.parametrize("name", ["a.HEIC", "a.heif", "a.png", "a", "a.txt"])
    def test_goes_by_content_not_by_name(self, tmp_path, name):
        path = saved(tmp_path, halves(), name, format="JPEG")
        np.testing.assert_array_equal(
            decoder.decode(path, 8, 3), decoder.decode(saved(tmp_path, halves(), "b.jpg", format="JPEG"), 8, 3)
        )
        assert decoder.has_image_header(path)

    @pytest.mark.parametrize("name", ["a.tga", "a.ico", "a.eps", "a.pdf", "a.pcx", "a.im"])
    def test_refuses_formats_not_in_the_list(self, tmp_path, name):
        path = saved(tmp_path, halves(), name)
        assert "not an image" in refusal(path) and not decoder.has_image_header(path)

    @pytest.mark.skipif(decoder.can_read_heic(), reason="the extra is installed")
    @pytest.mark.parametrize("name", ["a.HEIC", "a.jpg", "a"])
    @pytest.mark.parametrize(
        "header",
        [b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"],
    )
    def test_says_what_to_install_for_heic(self, tmp_path, name, header):
        (tmp_path / name).write_bytes(header)
        assert refusal(tmp_path / name).endswith("pip install headstart[heic]")
        assert decoder.has_image_header(tmp_path / name)

    def test_tells_avif_from_heic(self):
        assert not decoder.is_heic(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1heic")
        assert not decoder.is_heic(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
