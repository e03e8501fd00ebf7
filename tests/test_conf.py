"""Each YAML of conf/ composes, and its keys are the arguments of the constructor that it names."""

import inspect
import json
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_class

from headstart.config.compose import compose_command
from headstart.config.shipped import conf_dir
from headstart.constructors import constructor_arguments
from headstart.runs import run_directory

FILES = sorted(p.relative_to(conf_dir()) for p in conf_dir().rglob("*.yaml") if p.parent.name != "help")
GROUPS = [p for p in FILES if len(p.parts) == 2 and p.parts[0] not in ("experiment", "hydra", "recipe")]
RECIPES = [p for p in FILES if p.parts[0] == "recipe"]
NODE_GROUPS = ("callbacks", "logger")  # each key of these groups is a node
TARGETS = [p for p in GROUPS if "_target_" in yaml.safe_load((conf_dir() / p).read_text())]
EXPERIMENTS = sorted(p.stem for p in FILES if p.parts[0] == "experiment")


def override_of(path: Path) -> str:
    """The override that chooses a file of a group: ``model=frozen``."""
    return f"{path.parent}={path.stem}"


class TestGroups:
    @pytest.mark.parametrize("path", GROUPS, ids=override_of)
    def test_each_choice_composes(self, path):
        config = compose_command([override_of(path)]).config
        assert config.hydra.runtime.choices[str(path.parent)] == path.stem

    @pytest.mark.parametrize("path", [path for path in GROUPS if path.parts[0] in NODE_GROUPS], ids=override_of)
    def test_nodes_name_arguments_of_their_constructors(self, path):
        nodes = yaml.safe_load((conf_dir() / path).read_text(encoding="utf-8"))
        for name, node in nodes.items():
            if name == "defaults":
                continue
            assert set(node) - {"_target_"} <= set(inspect.signature(get_class(node["_target_"])).parameters)

    @pytest.mark.parametrize("path", TARGETS, ids=override_of)
    def test_keys_are_the_arguments_of_the_constructor(self, path):
        keys = yaml.safe_load((conf_dir() / path).read_text(encoding="utf-8"))
        target = keys.pop("_target_")
        keys.pop("defaults", None)
        arguments = constructor_arguments(get_class(target))
        assert arguments is None or set(keys) <= set(arguments)  # None: the constructor takes any key
        if target.startswith("headstart."):
            assert arguments is not None and set(keys) == set(arguments) - {"spec"}

    @pytest.mark.parametrize("path", [path for path in TARGETS if path.parts[0] == "model"], ids=override_of)
    def test_a_model_is_a_class_of_ours(self, path):
        assert compose_command([override_of(path)]).config.model._target_.startswith("headstart.models.")


class TestRecipes:
    @pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
    def test_changes_keys_of_its_model_with_its_backbone(self, path):
        model, _, backbone = path.stem.partition("-")
        recipe = yaml.safe_load((conf_dir() / path).read_text(encoding="utf-8"))
        default = yaml.safe_load((conf_dir() / "model" / f"{model}.yaml").read_text(encoding="utf-8"))
        assert set(recipe) <= set(default)
        config = compose_command([f"model={model}", f"backbone={backbone}"]).config
        assert {key: config.model[key] for key in recipe} == recipe  # a table has its own rows alone


class TestExperiments:
    @pytest.mark.parametrize("experiment", EXPERIMENTS)
    def test_the_header_has_the_command(self, experiment):
        header = (conf_dir() / "experiment" / f"{experiment}.yaml").read_text(encoding="utf-8")
        assert f"headstart-train experiment={experiment}" in header

    @pytest.mark.parametrize("experiment", EXPERIMENTS)
    def test_runs_on_tiny_images(self, experiment, image_folder, command):
        images = image_folder(classes=2, per_class=30 if experiment == "compare_tuned" else 10, size=32)
        for part in ("train", "val"):
            image_folder(classes=2, per_class=8, size=32, root=images.parent / "parts" / part, seed=len(part))
        root = images if experiment.startswith("compare") else images.parent / "parts"
        options = {
            "architectures": ["seed=0", "data.labels_per_class=null"],
            "compare": ["seed=0"],
            "compare_tuned": ["seed=0", "tune.trials=1"],
            "distil_embedded": ["model.teacher.name=resnet10t", "~model.teacher.options.pad_type",
                                "model.teacher.weights=none", "model.teacher_size=32"],
            "transferability": ["seed=0", "model.num_stages=1", "data.labels_per_class=4"],
        }.get(experiment, [])  # fmt: skip
        done = command(f"experiment={experiment}", "data=folder", f"data.root={root}", "data.image_size=32",
                       "model.epochs=1", *options)  # fmt: skip
        statuses = [json.loads(p.read_text())["status"] for p in done.folder.rglob(run_directory.RESULT_FILE)]
        assert done.code == 0 and statuses and set(statuses) == {"finished"}
