"""Configuration is the constructor: every YAML composes and every key is an argument."""

import inspect
import json
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_class

from headstart.config.compose import compose_command, conf_dir
from headstart.runs import run_directory

FILES = sorted(p.relative_to(conf_dir()) for p in conf_dir().rglob("*.yaml") if p.parent.name != "help")
GROUPS = [p for p in FILES if len(p.parts) == 2 and p.parts[0] not in ("experiment", "hydra")]
TARGETS = [p for p in GROUPS if "_target_" in yaml.safe_load((conf_dir() / p).read_text())]
EXPERIMENTS = sorted(p.stem for p in FILES if p.parts[0] == "experiment")


def options(path: Path) -> str:
    return f"{path.parent}={path.stem}"


@pytest.mark.parametrize("path", GROUPS, ids=options)
def test_every_choice_of_every_group_composes(path):
    config = compose_command([options(path)]).config
    assert config.hydra.runtime.choices[str(path.parent)] == path.stem


@pytest.mark.parametrize("path", TARGETS, ids=options)
def test_every_key_beside_a_target_is_an_argument(path):
    kept = yaml.safe_load((conf_dir() / path).read_text())
    target = kept.pop("_target_")
    arguments = set(inspect.signature(get_class(target)).parameters)
    assert set(kept) <= arguments
    if target.startswith("headstart."):
        assert set(kept) == arguments - {"spec"}


def test_a_run_of_each_model_needs_no_other_argument_than_the_configurations():
    for path in TARGETS:
        if path.parts[0] == "model":
            assert compose_command([options(path)]).config.model._target_.startswith("headstart.models.")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_states_its_command(experiment):
    header = (conf_dir() / "experiment" / f"{experiment}.yaml").read_text()
    assert f"headstart-train experiment={experiment}" in header


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_runs_on_tiny_images(experiment, image_folder, command):
    images = image_folder(classes=2, per_class=30 if experiment == "compare_tuned" else 10, size=32)
    for part in ("train", "val"):
        image_folder(classes=2, per_class=8, size=32, root=images.parent / "parts" / part, seed=len(part))
    root = images if experiment.startswith("compare") else images.parent / "parts"
    narrowed = {
        "arc": ["seed=0", "data.labels_per_class=null"],
        "compare": ["seed=0"],
        "compare_tuned": ["seed=0", "tune.trials=1"],
        "distil_embedded": ["model.teacher.name=resnet10t", "~model.teacher.options.pad_type",
                            "model.teacher.weights=none", "model.teacher_size=32"],
        "transferability": ["seed=0", "model.kept=1", "data.labels_per_class=4"],
    }.get(experiment, [])  # fmt: skip
    done = command(f"experiment={experiment}", "data=folder", f"data.root={root}", "data.image_size=32",
                   "model.epochs=1", *narrowed)  # fmt: skip
    statuses = [json.loads(p.read_text())["status"] for p in done.folder.rglob(run_directory.RESULT_FILE)]
    assert done.code == 0 and statuses and set(statuses) == {"finished"}
