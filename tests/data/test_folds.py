"""Folds: every image is in the test part of one of them."""

import pytest

from headstart.data.image_folder import ImageFolder
from headstart.errors import HeadstartError
from headstart.runs import run_directory
from headstart.runs.result import read_result


@pytest.fixture
def images(image_folder):
    return image_folder(classes=2, per_class=12, size=16)


def parts_of(root, fold, seed=0, folds=3):
    source = ImageFolder(root=str(root), image_size=16, folds=folds, fold=fold, seed=seed)
    return {row["image"]: row["part"] for row in source.split.rows()}


def test_each_image_tests_in_one_fold_and_trains_in_the_others(images):
    parts = [parts_of(images, fold) for fold in range(3)]
    for image in parts[0]:
        assert sorted(part[image] for part in parts) == ["test", "train", "train"]


def test_the_folds_are_the_same_for_every_seed(images):
    one, other = (parts_of(images, 1, seed) for seed in (0, 1))
    assert one == other


def test_a_budget_must_fit_in_every_fold(image_folder, tmp_path):
    root = image_folder(classes=2, per_class=13, size=16, root=tmp_path / "odd")
    assert len(ImageFolder(root=str(root), image_size=16, folds=2, fold=1, labels_per_class=7).split.test) == 12
    with pytest.raises(HeadstartError, match="largest budget that fits is 6"):
        _ = ImageFolder(root=str(root), image_size=16, folds=2, fold=0, labels_per_class=7).split
    assert ImageFolder(root=str(root), image_size=16, folds=2, fold=1).available_budgets() == [5]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"folds": 1}, r"data\.folds=1: give 2 or more"),
        ({"fold": 1}, r"data\.fold=1: give one of data\.folds"),
        ({"folds": 3, "fold": 3}, r"data\.fold=3: give one of"),
        ({"folds": 13}, r"data\.folds=13: class 'class0' has 12 different images; give fewer folds"),
    ],
)
def test_folds_that_make_no_sense_are_refused_in_one_line(images, how, told):
    with pytest.raises(HeadstartError, match=told):
        _ = ImageFolder(root=str(images), image_size=16, **how).split


def test_data_with_a_test_part_of_their_own_have_no_folds(image_folder, tmp_path):
    for seed, part in enumerate(("train", "test")):
        image_folder(classes=2, per_class=6, root=tmp_path / "parts" / part, seed=seed)
    with pytest.raises(HeadstartError, match=r"the data bring a test part; give data\.folds=null"):
        _ = ImageFolder(root=str(tmp_path / "parts"), folds=2).split


def test_a_sweep_runs_all_folds_and_its_verdict_counts_each(images, command):
    done = command("-m", "model=scratch_cnn,frozen", "data=folder", f"data.root={images}", "data.image_size=32",
                   "model.epochs=1", "data.folds=3", "seed=0,1", "data.labels_per_class=5")  # fmt: skip
    found = [read_result(path.parent) for path in done.folder.rglob(run_directory.RESULT_FILE)]
    assert done.code == 0 and len(found) == 2 * 3 * 2 and {result.fold for result in found} == {0, 1, 2}
    assert all(result.folds == 3 for result in found)
    assert "12 runs (2 models × 2 seeds × 3 folds)" in done.err
    assert "24 test images" in " ".join(done.out.split())  # those of all folds
