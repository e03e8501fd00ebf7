"""MNIST is read where its four files lie, packed or not; what is wrong with them is said in one line."""

import gzip

import numpy as np
import pytest

from headstart.data import MNIST, paths
from headstart.data.mnist import FILE_NAMES, IMAGE_FILES, LABEL_FILES
from headstart.errors import HeadstartError


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4) for n in array.shape) + array.tobytes()


@pytest.fixture(autouse=True)
def nothing_of_our_own(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CLONE_ROOT", tmp_path)
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def mnist(tmp_path):
    """A function that writes four small files; 300 training and 50 test images."""

    def write(place="MNIST/raw", packed=True):
        folder = tmp_path / "mnist" / place
        folder.mkdir(parents=True)
        draw = np.random.default_rng(0)
        for part, count in (("train", 300), ("test", 50)):
            images = draw.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            for name, array in (
                (IMAGE_FILES[part], images),
                (LABEL_FILES[part], (np.arange(count) % 10).astype(np.uint8)),
            ):
                content = gzip.compress(idx(array)) if packed else idx(array)
                (folder / f"{name}{'.gz' if packed else ''}").write_bytes(content)
        return tmp_path / "mnist"

    return write


def refusal(root):
    with pytest.raises(HeadstartError) as caught:
        MNIST(root=str(root)).catalog  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("place", "packed"), [("", False), ("raw", True), ("MNIST/raw", True)])
def test_the_files_are_read_where_they_lie(mnist, place, packed):
    root = mnist(place, packed)
    before = sorted(root.rglob("*"))
    source = MNIST(root=str(root))
    assert source.spec.shape == (1, 28, 28) and source.spec.classes == tuple("0123456789")
    assert source.catalog.labels[:12].tolist() == [*range(10), 0, 1]
    first = np.random.default_rng(0).integers(0, 256, (300, 28, 28), dtype=np.uint8)[0]
    np.testing.assert_array_equal(source.read_pixels(np.array([0]))[0, 0], first)
    assert sorted(root.rglob("*")) == before


def test_the_official_test_images_stay_the_test(mnist):
    source = MNIST(root=str(mnist()), labels_per_class=20)
    assert {source.catalog.names[i][:5] for i in source.split.test} == {"test/"} and len(source.split.test) == 50
    assert (len(source.split.train), len(source.split.val)) == (160, 40)
    assert not {source.catalog.names[i][:5] for i in source.split.train} & {"test/"}


def test_another_size_is_resized(mnist):
    assert MNIST(root=str(mnist()), image_size=32, channels=3).spec.shape == (3, 32, 32)


def test_a_truncated_file_is_named(mnist):
    root = mnist(packed=False)
    path = root / "MNIST/raw" / IMAGE_FILES["train"]
    path.write_bytes(path.read_bytes()[:5000])
    assert refusal(root).startswith(f"{path}: truncated")


def test_a_truncated_archive_is_named(mnist):
    root = mnist()
    path = root / "MNIST/raw" / (IMAGE_FILES["train"] + ".gz")
    path.write_bytes(path.read_bytes()[:5000])
    assert refusal(root).startswith(f"{path}: cannot be read")


def test_a_file_of_something_else_is_named(mnist):
    root = mnist(packed=False)
    (root / "MNIST/raw" / LABEL_FILES["test"]).write_bytes(b"<html>not found</html>")
    assert "this is not the MNIST file of that name" in refusal(root)


def test_as_many_labels_as_images(mnist):
    root = mnist(packed=False)
    (root / "MNIST/raw" / LABEL_FILES["test"]).write_bytes(idx(np.zeros(3, np.uint8)))
    assert "50 test images, but 3 labels" in refusal(root)


def test_a_download_that_fails_says_where_to_put_the_files(mnist):
    root = mnist()
    (root / "MNIST/raw" / (FILE_NAMES[0] + ".gz")).unlink()
    line = refusal(root)
    assert f"its files are not in {root}, and the download failed" in line
    assert all(f"{name}.gz" in line for name in FILE_NAMES)


def test_a_folder_that_is_not_there_is_no_reason_to_download(tmp_path):
    assert "there is no such folder" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("resize", ["pad", "squash"])
def test_square_images_are_not_resized_in_another_way(resize):
    with pytest.raises(HeadstartError, match=f"data.resize={resize}: "):
        MNIST(resize=resize)
