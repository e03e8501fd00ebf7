"""What auto stands for in backbone, data.image_size and data.folds."""

import json

import pytest
from omegaconf import OmegaConf
from PIL import Image

from headstart.backbones.resolve import resolve_backbone
from headstart.config.auto_settings import choose_auto_settings
from headstart.config.compose import compose_command
from headstart.errors import HeadstartError
from headstart.runs import run_directory
from headstart.sweep.announce import print_plan

LARGE = {"backbone": "efficientnet_lite0", "data.image_size": "128"}
SMALL = {"backbone": "embedded", "data.image_size": "64"}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Images whose shorter sides are 90, 96 and 96 pixels in each of two classes."""
    root = tmp_path_factory.mktemp("photographs")
    for label, name in enumerate(["ant", "bee"]):
        (root / name).mkdir()
        for i, size in enumerate([(90, 200), (96, 120), (130, 96)] * 6):
            Image.new("RGB", size, (i * 9, 120 * label, i)).save(root / name / f"{i}.png")
    return root


@pytest.fixture
def choose(photographs):
    def choose_for(*words, root=photographs):
        folder = ["data=folder", f"data.root={root}"] if root else []
        return choose_auto_settings(compose_command([*folder, "data.folds=null", *words]).config).overrides

    return choose_for


class TestChooseAutoSettings:
    def test_photographs_get_lite0_at_128_pixels(self, choose):
        assert choose() == LARGE

    def test_small_images_get_the_embedded_backbone(self, choose, image_folder):
        assert choose(root=image_folder(size=95)) == SMALL

    def test_unreadable_files_do_not_count(self, choose, image_folder):
        root = image_folder(size=100, per_class=3)
        for i in range(5):
            (root / "class0" / f"broken{i}.png").write_bytes(b"no image")
        assert choose(root=root) == LARGE

    @pytest.mark.parametrize(("size", "backbone"), [(95, "embedded"), (96, "efficientnet_lite0"), (32, "embedded")])
    def test_a_typed_size_stays(self, choose, size, backbone):
        assert choose(f"data.image_size={size}") == {"backbone": backbone}

    def test_a_typed_backbone_stays(self, choose):
        assert choose("backbone=resnet18") == {"data.image_size": "128"}
        assert choose("backbone=embedded") == {"data.image_size": "64"}
        assert choose("backbone=resnet18", "data.image_size=32") == {}

    def test_an_experiments_backbone_stays(self, choose, tmp_path):
        path = tmp_path / "experiment" / "mine.yaml"
        path.parent.mkdir()
        overrides = "  - override /data: folder\n  - override /backbone: resnet18\n"
        path.write_text(f"# @package _global_\ndefaults:\n{overrides}data:\n  image_size: 32\n")
        assert choose("experiment=mine", "--config-dir", str(tmp_path)) == {}

    @pytest.mark.parametrize(
        ("words", "backbone", "size"),
        [
            (["backbone.weights=hub"], "embedded", "128"),
            (["backbone.weights=embedded"], "embedded", "64"),
            (["backbone.weights=efficientnet_lite2"], "efficientnet_lite2", "128"),
            (["backbone.weights=none"], "efficientnet_lite0", "128"),
            (["backbone.weights=none", "backbone.name=resnet10t"], "embedded", "128"),
        ],
    )
    def test_typed_weights_or_names_name_the_network(self, choose, words, backbone, size):
        assert choose(*words) == {"backbone": backbone, "data.image_size": size}

    def test_a_name_without_weights_is_refused(self, choose):
        with pytest.raises(HeadstartError, match=r"backbone\.name=resnet18: name its weights too"):
            choose("backbone.name=resnet18")

    @pytest.mark.parametrize("words", [[], ["data=mnist"]])
    def test_leaves_other_data_sets_as_they_are(self, choose, words):
        assert choose(*words, root=None) == {}
        assert choose(*words, "backbone=auto", root=None) == {"backbone": "embedded"}

    def test_a_source_of_ones_own_keeps_the_embedded_backbone(self, choose, tmp_path, monkeypatch):
        (tmp_path / "shapes_source.py").write_text(
            "from headstart.data import ImageSource\nclass Shapes(ImageSource): pass\nclass ShapesDataModule: pass\n"
        )
        (tmp_path / "conf" / "data").mkdir(parents=True)
        yaml = "defaults: [folder, _self_]\n_target_: shapes_source.ShapesDataModule\n"
        (tmp_path / "conf" / "data" / "shapes.yaml").write_text(yaml)
        monkeypatch.syspath_prepend(tmp_path)
        assert choose("data=shapes", "--config-dir", str(tmp_path / "conf"), root=None) == SMALL

    def test_a_missing_folder_is_one_line(self, choose, tmp_path):
        with pytest.raises(HeadstartError, match=r"data\.root=.*there is no such folder"):
            choose(root=tmp_path / "gone")


class TestSingleRun:
    def test_a_run_knows_no_auto_and_says_what_was_chosen(self, command, photographs):
        done = command("data=folder", f"data.root={photographs}", "model=scratch_backbone", "model.epochs=1")
        (path,) = done.folder.rglob(run_directory.RESULT_FILE)
        config = OmegaConf.load(path.parent / run_directory.CONFIG_FILE)
        assert config.backbone.name == "tf_efficientnet_lite0" and config.data.image_size == 128
        first = done.err.splitlines()[0]
        assert first.startswith(f"data.root={photographs}: ")
        assert first.endswith("96 pixels, hence backbone=efficientnet_lite0 data.image_size=128")
        words = json.loads(path.read_text())["command"].split()[1:]
        again = command(*words, folder=done.folder)
        assert again.out.startswith("done before") and "median" not in again.err

    def test_a_model_without_a_backbone_gets_the_size_alone(self, command, photographs):
        done = command("data=folder", f"data.root={photographs}", "model=scratch_cnn", "model.epochs=1")
        assert done.err.splitlines()[0].endswith(", hence data.image_size=128")

    def test_its_seed_chooses_the_fold(self, command, image_folder):
        words = ["data=folder", f"data.root={image_folder()}", "data.image_size=16", "model=scratch_cnn"]
        done = command(*words, "model.epochs=1", "seed=8")
        assert done.err.splitlines()[0] == (
            "data.folds=auto: one split of images would test 4 images; seed s tests fold s mod 5"
        )
        (path,) = done.folder.rglob(run_directory.RESULT_FILE)
        result = json.loads(path.read_text())
        assert (result["folds"], result["fold"]) == (5, 3) and path.parent.name.startswith(
            "scratch_cnn-folder-all-seed8-fold3-"
        )
        again = command(*result["command"].split()[1:], folder=done.folder)
        assert again.out.startswith("done before") and "data.folds=auto" not in again.err

    @pytest.mark.parametrize("typed", [["data.fold=2"], ["data.fold=0"], ["-m", "data.fold=1,2", "seed=0,1"]])
    def test_a_fold_is_refused_where_the_seed_chooses_it(self, plan_command, image_folder, typed):
        words = [*typed, "data=folder", f"data.root={image_folder()}", "data.image_size=16", "model=scratch_cnn"]
        with pytest.raises(HeadstartError, match=r"data\.fold=[012,]+: with data\.folds=auto the seed"):
            plan_command(*words)

    def test_is_shown_by_cfg(self, command, photographs):
        shown = command("--cfg", "job", "data=folder", f"data.root={photographs}", "seed=7").out
        assert "image_size: 128" in shown and "weights: efficientnet_lite0" in shown
        assert "folds: 5" in shown and "fold: 2" in shown
        assert "image_size: auto" in command("--cfg", "job", "data=folder").out


class TestSweep:
    def test_each_data_set_has_its_own(self, plan_command, photographs, image_folder, capsys):
        roots = f"data.root={photographs},{image_folder(per_class=18, size=16)}"
        plan = plan_command("-m", "data=folder", roots, "model=frozen,scratch_cnn", "data.labels_per_class=5")
        sizes = {(run.data, run.settings["data.image_size"]) for run in plan.command.runs}
        assert sizes == {(photographs.name, 128), ("images", 64)}
        backbones = [[word for word in job if word.startswith("backbone=")] for job in plan.jobs]
        assert backbones == [["backbone=efficientnet_lite0"], [], ["backbone=embedded"], []]
        assert all(not any("auto" in word for word in job) for job in plan.jobs)
        print_plan(plan)
        lines = capsys.readouterr().err.splitlines()
        assert [sum(word in line for line in lines) for word in ("median shorter side", "data.folds=auto")] == [2, 2]

    def test_auto_is_one_value_among_others(self, plan_command, photographs):
        words = ["-m", "data=folder", f"data.root={photographs}", "model=scratch_backbone", "data.labels_per_class=5"]
        plan = plan_command(*words, "backbone=auto,embedded", "data.image_size=auto,32")
        arms = [(run.settings["model.architecture.name"], run.settings["data.image_size"]) for run in plan.command.runs]
        assert arms == [("tf_efficientnet_lite0", 128), ("resnet18", 32), ("resnet18", 64)]

    def test_runs_are_those_of_typed_values(self, plan_command, photographs):
        words = ["-m", "data=folder", f"data.root={photographs}", "model=scratch_backbone", "seed=0,1"]
        typed = plan_command(*words, "backbone=efficientnet_lite0", "data.image_size=128")
        chosen = plan_command(*words)
        assert chosen.command.runs == typed.command.runs and chosen.directory == typed.directory


class TestPython:
    def test_auto_is_refused(self, photographs):
        from headstart.data import ImageFolder

        for key in ("image_size", "folds"):
            with pytest.raises(HeadstartError, match=rf"data\.{key}=auto: give"):
                ImageFolder(root=str(photographs), **{key: "auto"})
        with pytest.raises(HeadstartError, match=r"backbone\.weights=auto: .*give embedded"):
            resolve_backbone({"weights": "auto"})
