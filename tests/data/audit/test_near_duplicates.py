"""Exact copies share their content whatever the container; look-alikes agree pixel by pixel, not by hash alone."""

import numpy as np
import pytest
from PIL import Image

from headstart.data.audit import near_duplicates
from headstart.data.audit.near_duplicates import Fingerprint, compute_fingerprint, find_similar_pairs


def smooth(number, size=(64, 48)):
    rough = np.random.default_rng(number).integers(0, 256, size=(6, 6, 3), dtype=np.uint8)
    return Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def saved(tmp_path):
    def save(image, name, **how):
        image.save(tmp_path / name, **how)
        return compute_fingerprint(tmp_path / name)

    return save


def alike(*prints):
    return [tuple(pair) for pair in find_similar_pairs(prints).pairs.tolist()]


def test_equal_pixels_in_two_containers_have_the_same_content(saved):
    image = smooth(0)
    contents = {saved(image, name).content for name in ("a.png", "a.bmp", "a.tif")}
    assert len(contents) == 1
    assert saved(image.convert("L"), "grey.png").content == saved(image.convert("L").convert("RGB"), "rgb.png").content


def test_one_value_or_another_shape_makes_another_content(saved):
    image = smooth(0)
    changed = image.copy()
    changed.putpixel((5, 5), (0, 0, 0))
    flat = [Image.new("RGB", size, "red") for size in ((20, 30), (30, 20))]
    prints = [saved(im, f"{i}.png") for i, im in enumerate([image, changed, *flat])]
    assert len({p.content for p in prints}) == 4
    assert (prints[0].width, prints[0].height) == (64, 48)


@pytest.mark.parametrize(("size", "quality"), [((128, 96), 30), ((128, 96), 75), ((64, 48), 75)])
def test_finds_a_picture_that_was_stored_again(saved, size, quality):
    prints = [saved(smooth(i, (128, 96)), f"{i}.png") for i in range(20)]
    found = find_similar_pairs([*prints, saved(smooth(1, (128, 96)).resize(size), "again.jpg", quality=quality)])
    assert found.pairs.tolist() == [[1, 20]] and found.agreement[0] >= near_duplicates.SURE_AGREEMENT


def test_hashes_alone_make_no_pair(saved):
    one, other = saved(smooth(1), "1.png"), saved(smooth(2), "2.png")
    pretended = Fingerprint(other.content, 64, 48, other.thumbnail, one.hash)
    found = find_similar_pairs([one, pretended])
    assert (found.num_candidates, found.num_compared, len(found.pairs)) == (1, 1, 0)


def test_flat_images_are_alike_only_where_their_colour_is(saved):
    colours = [(200, 0, 0), (201, 0, 0), (0, 200, 0), (120, 120, 120)]
    assert alike(*(saved(Image.new("RGB", (20, 20), c), f"{i}.png") for i, c in enumerate(colours))) == [(0, 1)]


def test_of_masses_the_nearest_are_compared_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MAX_PAIRS", 10)
    monkeypatch.setattr(near_duplicates, "BLOCK_SIZE", 8)
    thumbnail = np.zeros((32, 32, 3), dtype=np.uint8)
    hashes = [0] * 4 + [0b111 << (3 * i) for i in range(16)]  # six pairs of equal ones among many near ones
    found = find_similar_pairs([Fingerprint(b"", 1, 1, thumbnail, h) for h in hashes])
    assert found.num_candidates == 20 * 19 // 2 and found.num_compared == 10
    assert {(i, j) for i in range(4) for j in range(i + 1, 4)} <= {tuple(p) for p in found.pairs.tolist()}


def test_no_images_have_no_pairs():
    assert alike() == []


def test_what_cannot_be_read_is_said(tmp_path):
    (tmp_path / "a.jpg").write_text("text")
    assert compute_fingerprint(tmp_path / "a.jpg") == "not an image"
    assert compute_fingerprint(tmp_path / "gone.jpg") == "no such file or directory"


def test_names_the_extra_that_reads_an_iphone_photograph(tmp_path, monkeypatch):
    monkeypatch.setattr("headstart.decoding.decoder.can_read_heic", lambda: False)
    (tmp_path / "a.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    assert compute_fingerprint(tmp_path / "a.HEIC") == "HEIC needs another decoder: pip install headstart[heic]"
