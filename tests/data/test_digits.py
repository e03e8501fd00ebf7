"""scikit-learn's digits are written once as an image folder, and read as one."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from headstart.data import Digits, paths
from headstart.data.digits import find_stranger
from headstart.errors import HeadstartError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "digits"
    Digits(root=str(root)).prepare()
    return root


def test_all_digits_are_there_as_small_grey_images(root):
    known = load_digits()
    assert len(list(root.glob("[0-9]/*.png"))) == len(known.target) == 1797
    with Image.open(root / str(known.target[7]) / "0007.png") as image:
        assert image.mode == "L"
        np.testing.assert_allclose(np.asarray(image), known.images[7] * 255 / 16, atol=0.5)


def test_they_are_a_source_like_any_other(root):
    source = Digits(root=str(root), labels_per_class=20)
    assert source.spec.shape == (1, 32, 32) and source.spec.classes == tuple("0123456789")
    assert not source.spec.mirror and len(source.split.train) == 160 and len(source.split.test) == 359
    assert source.available_budgets() == [5, 10, 20]


def test_they_are_written_once(root):
    before = (root / "3" / "0003.png").stat().st_mtime_ns
    Digits(root=str(root)).prepare()
    assert (root / "3" / "0003.png").stat().st_mtime_ns == before


def test_a_writing_that_broke_off_is_made_good(tmp_path, monkeypatch):
    save, seen = Image.Image.save, []

    def breaks(self, path):
        seen.append(path)
        if len(seen) > 5:
            raise KeyboardInterrupt
        save(self, path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Image.Image, "save", breaks)
        Digits(root=str(tmp_path / "digits")).prepare()
    assert not (tmp_path / "digits").exists()
    Digits(root=str(tmp_path / "digits")).prepare()
    assert len(list((tmp_path / "digits").rglob("*.png"))) == 1797


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HeadstartError, match="the digits cannot be written here"):
        Digits(root=str(tmp_path / "file" / "digits")).prepare()


def test_outside_a_clone_they_lie_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CLONE_ROOT", tmp_path)
    assert paths.default_data_dir("digits") == paths.cache_dir() / "digits"


@pytest.mark.parametrize("resize", ["pad", "squash"])
def test_square_images_are_not_resized_in_another_way(resize):
    with pytest.raises(HeadstartError, match=f"data.resize={resize}: "):
        Digits(resize=resize)


@pytest.mark.parametrize("name", ["ants/1.jpg", "3/IMG_1.jpg", "10/0001.png"])
def test_images_of_others_are_refused(tmp_path, name):
    path = tmp_path / "pictures" / name
    path.parent.mkdir(parents=True)
    Image.new("L", (8, 8)).save(path)
    with pytest.raises(HeadstartError, match="none of scikit-learn's digits"):
        Digits(root=str(tmp_path / "pictures")).prepare()


def test_hidden_files_stay(root):
    (root / ".DS_Store").touch()
    (root / "3" / ".hidden").touch()
    assert find_stranger(root) is None
