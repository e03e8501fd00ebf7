"""What a source tells: the digest of its data, what a model must know, and what is wrong with its settings."""

import shutil

import numpy as np
import pytest

from headstart.data import ImageFolder
from headstart.errors import HeadstartError


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("batch_size", 0),
        ("batch_size", -3),
        ("batch_size", 1),
        ("labels_per_class", 0),
        ("labels_per_class", "auto"),
        ("labels_per_class", 2.5),
        ("image_size", 7),
        ("image_size", "64"),
        ("resize", "stretch"),
        ("resize", None),
        ("channels", 2),
        ("num_workers", -1),
        ("validation", 0.7),
        ("on_bad_file", "ignore"),
        ("on_copies", True),
        ("test", "vall"),
        ("mirror", "no"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_at_once(setting, value):
    with pytest.raises(HeadstartError) as caught:
        ImageFolder(root="nowhere", **{setting: value})
    assert str(caught.value).startswith(f"data.{setting}={value}: give ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", [-1, True, "x"])
def test_a_seed_that_is_none_is_named_as_it_is_typed(seed):
    with pytest.raises(HeadstartError, match=f"^seed={seed}: give "):
        ImageFolder(root="nowhere", seed=seed)


def test_seed_0_is_a_seed(image_folder):
    root = str(image_folder(per_class=40))
    names = [[row["image"] for row in ImageFolder(root=root, seed=seed).split.rows()] for seed in (0, 1)]
    assert names[0] != names[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"image_size": 9},
        {"resize": "pad"},
        {"resize": "squash"},
        {"channels": 1},
        {"labels_per_class": 5},
        {"seed": 1, "labels_per_class": 5},
    ],
)
def test_the_digest_tells_whatever_changes_the_outcome(image_folder, changed):
    root = str(image_folder(per_class=40))
    assert ImageFolder(root=root, image_size=8).digest != ImageFolder(root=root, **{"image_size": 8} | changed).digest


def test_the_digest_ignores_the_place_of_the_data(image_folder, tmp_path):
    root = image_folder()
    shutil.copytree(root, tmp_path / "copy")
    one, other = ImageFolder(root=str(root)), ImageFolder(root=str(tmp_path / "copy"), num_workers=2)
    assert one.digest == other.digest


@pytest.mark.parametrize("at_once", [7, 64])
def test_mean_and_deviation_are_those_of_the_training_images(image_folder, monkeypatch, at_once):
    monkeypatch.setattr("headstart.data.image_source.COUNTED_IMAGES", at_once)
    source = ImageFolder(root=str(image_folder(per_class=40)), image_size=8)
    values = source.read_pixels(source.split.train) / 255
    np.testing.assert_allclose(source.spec.mean, values.mean(axis=(0, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(source.spec.std, values.std(axis=(0, 2, 3)), atol=1e-6)


def test_spec_has_the_way_of_resizing(image_folder):
    root = str(image_folder())
    assert [ImageFolder(root=root, resize=resize).spec.resize for resize in ("crop", "pad")] == ["crop", "pad"]


def test_spec_counts_the_labels_of_training_and_validation(image_folder):
    root = str(image_folder(classes=3, per_class=50))
    assert ImageFolder(root=root).spec.labels_per_class == 40
    spec = ImageFolder(root=root, labels_per_class=20, mirror=False, image_size=8).spec
    assert (spec.labels_per_class, spec.mirror, spec.shape) == (20, False, (3, 8, 8))
    assert spec.classes == ("class0", "class1", "class2")
