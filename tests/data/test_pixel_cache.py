"""Nothing is decoded twice, whatever becomes of the cache."""

import errno

import numpy as np
import pytest
from PIL import Image

from headstart.data import paths, pixel_cache
from headstart.decoding import decoder
from headstart.errors import HeadstartError


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def files(image_folder):
    return sorted(image_folder(classes=1, per_class=5).rglob("*.png"))


DIGESTS = list("abcde")


def forbid_decoding(monkeypatch):
    monkeypatch.setattr(decoder, "decode", lambda *_: pytest.fail("an image was decoded again"))


def test_a_second_reading_decodes_nothing(files, monkeypatch):
    first = pixel_cache.decode_with_cache(files, DIGESTS, 8, 3)
    forbid_decoding(monkeypatch)
    again = pixel_cache.decode_with_cache(files, DIGESTS, 8, 3)
    assert isinstance(again.pixels, np.memmap) and again.pixels.shape == (5, 3, 8, 8)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(again.pixels[2], images_of(files[2]))


def test_another_depth_is_another_cache_file(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), 1000, np.uint16)).save(path)
    bright, dark = (pixel_cache.decode_with_cache([path], ["a"], 8, 1, depth).pixels for depth in ("uint10", "uint16"))
    assert (bright.max(), dark.max()) == (249, 4)


def images_of(path):
    with Image.open(path) as image:
        return np.asarray(image.resize((8, 8), Image.Resampling.BICUBIC)).transpose(2, 0, 1)


def test_a_file_that_could_not_be_read_stays_known(files, monkeypatch):
    files[1].write_text("text")
    first = pixel_cache.decode_with_cache(files, DIGESTS, 8, 3)
    forbid_decoding(monkeypatch)
    assert first.errors == pixel_cache.decode_with_cache(files, DIGESTS, 8, 3).errors == {1: "not an image"}
    assert not first.pixels[1].any()


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_a_damaged_cache_is_made_anew(files, damage):
    good = np.array(pixel_cache.decode_with_cache(files, DIGESTS, 8, 3).pixels)
    (kept,) = (paths.cache_dir() / "pixels").glob("*.npy")
    kept.write_bytes(kept.read_bytes()[:300] if damage is None else damage)
    np.testing.assert_array_equal(pixel_cache.decode_with_cache(files, DIGESTS, 8, 3).pixels, good)


def test_another_size_or_content_is_another_cache(files):
    for digests, size, channels in ((DIGESTS, 8, 3), (DIGESTS, 9, 3), (DIGESTS, 8, 1), (list("abcdX"), 8, 3)):
        assert pixel_cache.decode_with_cache(files, digests, size, channels).pixels.shape == (5, channels, size, size)
    assert len(list((paths.cache_dir() / "pixels").glob("*.npy"))) == 4


def test_another_way_of_resizing_is_another_cache(tmp_path):
    Image.new("RGB", (32, 16), (200, 30, 30)).save(tmp_path / "a.png")
    crop, pad, squash = (
        pixel_cache.decode_with_cache([tmp_path / "a.png"], ["a"], 16, 3, resize=resize).pixels[0]
        for resize in ("crop", "pad", "squash")
    )
    np.testing.assert_array_equal(crop, squash)
    assert (pad[:, 0] == 127).all() and len(list((paths.cache_dir() / "pixels").glob("*.npy"))) == 3


def test_another_decoder_is_another_cache(files, monkeypatch):
    files[1].write_text("text")
    assert pixel_cache.decode_with_cache(files, DIGESTS, 8, 3).errors
    monkeypatch.setattr(decoder, "readable_formats", lambda: ["JPEG", "HEIF"])  # the extra was installed meanwhile
    Image.new("RGB", (8, 8)).save(files[1])
    assert not pixel_cache.decode_with_cache(files, DIGESTS, 8, 3).errors


def test_images_are_grey_only_where_all_are(files):
    assert pixel_cache.decode_with_cache(files, DIGESTS, 8, None).pixels.shape[1] == 3
    for path in files:
        Image.open(path).convert("L").save(path)
    assert pixel_cache.decode_with_cache(files, list("vwxyz"), 8, None).pixels.shape[1] == 1


def test_one_image_with_colors_decides_wherever_it_is(files):
    for path in files[:-1]:
        Image.open(path).convert("L").save(path)
    assert pixel_cache.decode_with_cache(files, list("vwxyz"), 8, None).pixels.shape[1] == 3


def test_a_cache_that_cannot_be_written_is_one_line(files, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "file"))
    with pytest.raises(HeadstartError, match=r"cannot be written here .*set HEADSTART_CACHE"):
        pixel_cache.decode_with_cache(files, DIGESTS, 8, 3)


def test_a_full_disk_is_one_line_and_leaves_no_half_a_cache(files, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array_header_1_0", full)
        with pytest.raises(HeadstartError, match="No space left"):
            pixel_cache.decode_with_cache(files, DIGESTS, 8, 3)
    assert not list((paths.cache_dir() / "pixels").glob("*.npy"))
    assert len(pixel_cache.decode_with_cache(files, DIGESTS, 8, 3).pixels) == 5
