"""A folder of images, however it is laid out; and what is wrong with one is said in one line."""

import os

import numpy as np
import pytest
from PIL import Image

from headstart.data import ImageFolder, pixel_cache
from headstart.errors import HeadstartError


def folder(root, **settings):
    return ImageFolder(root=str(root), image_size=8, **settings)


def refusal(root, **settings):
    with pytest.raises(HeadstartError) as caught:
        folder(root, **settings).split  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


def bytes_below(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def images(image_folder):
    return image_folder(classes=["ant", "bee"], per_class=10)


def test_every_image_of_a_class_is_found_subfolders_included(images):
    (images / "bee" / "2024" / "May").mkdir(parents=True)
    (images / "bee" / "0.png").rename(images / "bee" / "2024" / "May" / "0.PNG")
    found = folder(images).catalog
    assert found.classes == ("ant", "bee") and np.bincount(found.labels).tolist() == [10, 10]
    assert "bee/2024/May/0.PNG" in found.names and found.names == sorted(found.names)


@pytest.mark.parametrize("val", ["val", "Valid", "validation"])
def test_parts_are_recognised(image_folder, tmp_path, val):
    for i, part in enumerate(("train", val, "test")):
        image_folder(classes=2, per_class=4, root=tmp_path / "root" / part, seed=i)
    found = folder(tmp_path / "root").catalog
    assert found.classes == ("class0", "class1")
    assert [int((found.parts == part).sum()) for part in ("train", "val", "test")] == [8, 8, 8]


def test_classes_may_be_called_like_parts(image_folder):
    found = folder(image_folder(classes=["train", "plane"], per_class=5)).catalog
    assert found.classes == ("plane", "train") and set(found.parts) == {""}


def test_images_beside_the_parts_are_not_lost_in_silence(image_folder, tmp_path):
    image_folder(classes=2, root=tmp_path / "root" / "train")
    image_folder(classes=["more"], root=tmp_path / "root")
    assert "folders with images beside train, val and test: more" in refusal(tmp_path / "root")


def test_what_systems_leave_behind_is_passed_over_in_silence(images):
    before = folder(images).catalog.names
    for name in (".DS_Store", "bee/Thumbs.db", "bee/._0.png", "bee/desktop.ini"):
        (images / name).write_bytes(b"rubbish")
    for name in ("__MACOSX", ".ipynb_checkpoints", "bee/.thumbnails"):
        (images / name).mkdir()
        (images / name / "0.png").write_bytes(b"rubbish")
    assert folder(images).catalog.names == before


@pytest.mark.parametrize("name", ["My photos (1)", "josé=é", "a[b]", "2024", "null"])
def test_any_name_of_a_folder_will_do(image_folder, tmp_path, name):
    assert len(folder(image_folder(root=tmp_path / name)).catalog.names) == 20


def test_a_tilde_is_the_home_folder(image_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    image_folder(root=tmp_path / "photos")
    assert len(folder("~/photos").catalog.names) == 20


def test_nothing_is_written_beside_the_images(images):
    before = bytes_below(images)
    source = folder(images)
    source.read_pixels(source.split.train)
    assert bytes_below(images) == before


def test_all_bad_files_are_named_at_once_each_with_its_trouble(images):
    (images / "ant" / "0.png").write_bytes(b"")
    (images / "bee" / "1.png").write_text("dear diary")
    (images / "bee" / "2.png").write_bytes((images / "bee" / "2.png").read_bytes()[:200])
    (images / "bee" / "gone.jpg").symlink_to(images / "nowhere.jpg")
    line = refusal(images)
    assert "4 of 21 files cannot be read: ant/0.png (empty), bee/1.png (not an image), bee/2.png (" in line
    assert "bee/gone.jpg (no such file or directory)" in line and "data.on_bad_file=skip" in line


def test_links_that_lead_in_a_circle_are_bad_files(images):
    for link in (images / "circle", images / "bee" / "circle.png"):
        link.symlink_to(link)
    line = refusal(images)
    assert "1 of 21 files cannot be read: bee/circle.png (too many levels" in line


def test_of_many_bad_files_twenty_are_named_and_the_rest_counted(image_folder):
    root = image_folder(per_class=15)
    for path in root.rglob("*.png"):
        path.write_bytes(b"x")
    line = refusal(root)
    assert line.count("not an image") == 20 and "and 10 more" in line


def test_bad_files_can_be_skipped_and_are_recorded(images):
    (images / "ant" / "0.png").write_text("text")
    source = folder(images, on_bad_file="skip")
    assert source.catalog.skipped == [("ant/0.png", "not an image")]
    assert len(source.catalog.names) == 19 and "ant/0.png" not in source.catalog.names
    at = source.catalog.names.index("bee/0.png")
    with Image.open(images / "bee" / "0.png") as image:
        expected = np.asarray(image.resize((8, 8), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    np.testing.assert_array_equal(source.read_pixels(np.array([at]))[0], expected)


def test_names_an_unreadable_class_even_if_bad_files_are_skipped(images):
    for path in (images / "ant").iterdir():
        path.write_text("text")
    assert "no file in class ant can be read" in refusal(images, on_bad_file="skip")


def test_a_folder_that_is_not_there_is_answered_with_the_nearest(images):
    assert refusal(images.with_name("imagse")).endswith(f"did you mean {images}?")


def test_a_folder_that_was_not_named_is_asked_for():
    with pytest.raises(HeadstartError, match=r"data\.root=PATH"):
        ImageFolder().catalog  # noqa: B018


def test_a_file_where_a_folder_should_be_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    assert "this is a file" in refusal(tmp_path / "file")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "0.png").touch()
    assert "no folders in it" in refusal(tmp_path / "root")


def test_rejects_no_images_one_class_and_an_empty_class(image_folder, tmp_path):
    (tmp_path / "root" / "ant").mkdir(parents=True)
    assert "no images in it" in refusal(tmp_path / "root")
    image_folder(classes=["bee"], root=tmp_path / "root")
    assert "no images in class ant; fill or remove the folder" in refusal(tmp_path / "root")
    (tmp_path / "root" / "ant").rmdir()
    assert "one class only (bee)" in refusal(tmp_path / "root")


def test_a_class_of_one_image_is_named(image_folder):
    root = image_folder(classes=["ant"], per_class=1)
    image_folder(classes=["bee"], root=root, seed=1)
    assert "class 'ant' has no image left to train on" in refusal(root)


def test_a_link_that_leads_in_a_circle_is_named(images):
    (images / "ant" / "again").symlink_to(images)
    assert f"{images / 'ant' / 'again'}: a link leads in a circle" in refusal(images)


def test_links_that_lead_to_each_other_are_named(images):
    (images / "ant" / "inner").mkdir()
    (images / "ant" / "inner" / "there").symlink_to(images / "bee")
    (images / "bee" / "back").symlink_to(images / "ant" / "inner")
    assert "a link leads in a circle" in refusal(images)


def test_a_linked_folder_is_read(image_folder, tmp_path):
    elsewhere = image_folder(classes=["bee"], root=tmp_path / "elsewhere")
    root = image_folder(classes=["ant"], seed=1)
    (root / "bee").symlink_to(elsewhere / "bee")
    assert len(folder(root).catalog.names) == 20


def test_a_pipe_called_like_an_image_is_none(images):
    os.mkfifo(images / "ant" / "pipe.jpg")
    assert len(folder(images).catalog.names) == 20


class TestHeic:
    @pytest.fixture(autouse=True)
    def without_the_extra(self, monkeypatch):
        monkeypatch.setattr("headstart.decoding.decoder.can_read_heic", lambda: False)

    def test_names_files_and_the_extra(self, images):
        for name in ("0.HEIC", "1.jpg"):
            (images / "ant" / name).write_bytes(b"\0\0\0\x18ftypheic")
        line = refusal(images)
        assert "2 of 22 files cannot be read: ant/0.HEIC (HEIC needs" in line
        assert "ant/1.jpg (HEIC needs another decoder: pip install headstart[heic])" in line

    def test_skips_only_what_is_heic(self, images):
        (images / "ant" / "0.png").rename(images / "ant" / "0.HEIC")  # a PNG all the same
        (images / "bee" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
        catalogue = folder(images, on_bad_file="skip").catalog
        assert "ant/0.HEIC" in catalogue.names and [name for name, _ in catalogue.skipped] == ["bee/phone.heic"]


def test_photographs_need_a_size(images):
    with pytest.raises(HeadstartError, match=r"data\.image_size=null"):
        ImageFolder(root=str(images), image_size=None).catalog  # noqa: B018


def test_the_runs_of_a_sweep_read_the_folder_once(images, monkeypatch):
    first = folder(images).catalog
    monkeypatch.setattr(pixel_cache, "decode_with_cache", lambda *_: pytest.fail("it was read again"))
    assert folder(images, seed=3, labels_per_class=5).catalog is first


def test_a_changed_folder_is_read_again(images):
    before = folder(images).digest
    Image.new("RGB", (8, 8), "red").save(images / "ant" / "new.png")
    assert len(folder(images).catalog.names) == 21 and folder(images).digest != before


def test_each_visible_file_is_an_image_whatever_its_name(images):
    (images / "bee" / "0.png").rename(images / "bee" / "scan")
    assert "bee/scan" in folder(images).catalog.names
    (images / "bee" / "notes.txt").write_text("seen in May")
    (images / "ant" / "film.mp4").write_bytes(b"\0\0\0 ftyp")
    line = refusal(images)
    assert "2 of 22 files cannot be read: ant/film.mp4 (not an image), bee/notes.txt (not an image)" in line
    kept = folder(images, on_bad_file="skip").catalog
    assert kept.skipped == [("ant/film.mp4", "not an image"), ("bee/notes.txt", "not an image")]


def test_parts_without_one_to_train_on_are_an_error(image_folder, tmp_path):
    for part in ("val", "test"):
        image_folder(classes=2, root=tmp_path / "root" / part)
    assert "no train beside them" in refusal(tmp_path / "root")


class TestMedianShorterSide:
    def test_looks_at_evenly_spaced_files(self, image_folder, monkeypatch):
        monkeypatch.setattr("headstart.data.image_folder.MAX_MEASURED_FILES", 4)
        root = image_folder(classes=["ant"], per_class=4, size=10)
        larger = image_folder(classes=["bee"], per_class=12, size=40, root=root.parent / "larger")
        (larger / "bee").rename(root / "bee")
        assert ImageFolder(root=str(root)).median_shorter_side == 40

    def test_is_none_where_no_file_can_be_read(self, image_folder):
        root = image_folder(per_class=2)
        for path in root.rglob("*.png"):
            path.write_text("no image")
        assert ImageFolder(root=str(root)).median_shorter_side is None
