"""What data.folds=auto stands for."""

import shutil

import pytest
from omegaconf import OmegaConf

from headstart.config.fold_choice import FoldChoice, choose_folds
from headstart.errors import HeadstartError

FOLDER = "headstart.data.ImageFolderDataModule"


def build_config(root, target=FOLDER, **settings):
    data = {"_target_": target, "root": str(root), "image_size": 8, "folds": "auto", "fold": 0, "seed": 0}
    return OmegaConf.create({"seed": 0, "data": data | settings})


class TestFoldChoice:
    def test_a_run_tests_the_fold_of_its_seed(self):
        choice = FoldChoice(rotates=True)
        folds = [choice.overrides_for(seed) for seed in (0, 4, 5, 13)]
        assert folds == [{"data.folds": "5", "data.fold": str(fold)} for fold in (0, 4, 0, 3)]
        assert FoldChoice().overrides_for(3) == {"data.folds": "null"}


class TestChooseFolds:
    def test_few_test_images_rotate(self, image_folder):
        choice = choose_folds(build_config(image_folder(per_class=12), labels_per_class="auto"))
        assert choice.rotates and "would test 4 images" in choice.reason

    def test_one_split_is_enough_from_400_test_images_on(self, image_folder, monkeypatch):
        root = image_folder(per_class=10)
        monkeypatch.setattr("headstart.config.fold_choice.MIN_TEST_IMAGES", 4)
        assert choose_folds(build_config(root)) == FoldChoice()
        monkeypatch.setattr("headstart.config.fold_choice.MIN_TEST_IMAGES", 5)
        assert choose_folds(build_config(root)).rotates

    def test_large_folders_are_not_read(self, image_folder, monkeypatch):
        root = image_folder(per_class=10)
        (root / "class0" / "broken.png").write_bytes(b"no image")
        monkeypatch.setattr("headstart.config.fold_choice.MIN_TEST_IMAGES", 4)
        assert choose_folds(build_config(root)) == FoldChoice()
        monkeypatch.undo()
        with pytest.raises(HeadstartError, match="1 of 21 files cannot be read"):
            choose_folds(build_config(root))

    @pytest.mark.parametrize("settings", [{}, {"test": "val"}], ids=["test folder", "typed part"])
    def test_a_given_test_part_stays(self, image_folder, tmp_path, settings):
        for seed, part in enumerate(("train", settings.get("test", "test"))):
            image_folder(per_class=6, root=tmp_path / "parts" / part, seed=seed)
        assert choose_folds(build_config(tmp_path / "parts", **settings)) == FoldChoice()

    def test_validation_images_of_the_data_rotate_too(self, image_folder, tmp_path):
        for seed, part in enumerate(("train", "val")):
            image_folder(per_class=10, root=tmp_path / "parts" / part, seed=seed)
        choice = choose_folds(build_config(tmp_path / "parts"))
        assert choice.rotates and "would test 8 images" in choice.reason

    def test_mnist_is_not_looked_for(self, tmp_path):
        assert choose_folds(build_config(tmp_path / "gone", "headstart.data.MNISTDataModule")) == FoldChoice()

    def test_a_class_with_fewer_different_images_cannot_rotate(self, image_folder):
        root = image_folder(per_class=8)
        for index in range(4, 8):
            shutil.copy(root / "class0" / "0.png", root / "class0" / f"{index}.png")
        choice = choose_folds(build_config(root))
        assert not choice.rotates and "class 'class0' has 4 different images" in choice.reason

    def test_a_module_of_ones_own_without_folds_has_one_split(self, tmp_path, monkeypatch):
        (tmp_path / "shapes_module.py").write_text(
            "from headstart.data import ImageFolder as Shapes\n"
            "class ShapesDataModule:\n    def __init__(self, root): pass\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        assert choose_folds(build_config(tmp_path, "shapes_module.ShapesDataModule")) == FoldChoice()
