"""What a run is, and what it is not."""

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from headstart.backbones.weights import EMBEDDED_WEIGHTS
from headstart.config.auto_settings import choose_auto_settings
from headstart.config.compose import compose_command, compose_with
from headstart.config.data_module import load_source
from headstart.config.identity import arm_settings, compute_identity, pretrained_origins


@pytest.fixture
def identity(image_folder, tmp_path):
    images = image_folder(classes=2, per_class=10, size=16)

    def of(*words, root=images):
        command = compose_command(["data=folder", f"data.root={root}", "data.folds=null", "data.image_size=16", *words])
        config = compose_with(command, choose_auto_settings(command.config).overrides)
        return compute_identity(config, load_source(config).digest)

    return of


@pytest.mark.parametrize(
    "change",
    ["seed=1", "data.labels_per_class=5", "model.head_lr=1", "trainer.max_epochs=3", "trainer.precision=bf16-mixed",
     "data.image_size=8", "data.resize=pad", "data.batch_size=4", "model=frozen", "backbone.weights=none",
     r"data.group='\d(?=\.)'", "+trainer.gradient_clip_val=1",
     "+trainer.max_steps=9", "+trainer.accumulate_grad_batches=2", "+trainer.overfit_batches=2",
     "+trainer.limit_test_batches=2"],
)  # fmt: skip
def test_whatever_the_outcome_depends_on_makes_another_run(identity, change):
    assert identity() != identity(change)


def test_a_debug_run_is_another_run_than_a_short_one(identity):
    assert identity("debug=default") != identity("trainer.max_epochs=1")


def test_two_patterns_of_the_same_groups_are_one_run(identity):
    assert identity(r"data.group='(\d)\.png'") == identity(r"data.group='([0-9])\.'")


@pytest.mark.parametrize("change", ["data.num_workers=2", "trainer.accelerator=cpu", "logger=tensorboard"])
def test_how_and_where_it_is_computed_changes_nothing(identity, change):
    assert identity() == identity(change)


def test_another_path_to_the_same_images_changes_nothing(identity, image_folder, tmp_path):
    copy = image_folder(classes=2, per_class=10, size=16, root=tmp_path / "copy")
    assert identity() == identity(root=copy)


def test_another_image_makes_another_run(identity, image_folder, tmp_path):
    other = image_folder(classes=2, per_class=10, size=16, root=tmp_path / "other", seed=9)
    assert identity() != identity(root=other)


def test_depends_on_the_teacher_but_not_on_its_path(identity, tmp_path):
    embedded = EMBEDDED_WEIGHTS.read_bytes()
    for name in ("one", "same", "other"):
        (tmp_path / f"{name}.safetensors").write_bytes(embedded)
    with safe_open(tmp_path / "one.safetensors", "pt") as one:
        tensors = {k: one.get_tensor(k) * 2 for k in one.keys()}  # noqa: SIM118
        save_file(tensors, tmp_path / "other.safetensors", one.metadata())
    one, same, other = (
        identity("model=distilled", f"model.teacher.weights={tmp_path}/{name}.safetensors")
        for name in ("one", "same", "other")
    )
    assert one == same != other


def test_a_run_knows_what_its_start_had_seen(image_folder):
    command = compose_command(["data=folder", f"data.root={image_folder()}", "model=finetune"])
    config = compose_with(command, choose_auto_settings(command.config).overrides)
    (start,) = pretrained_origins(config).values()
    assert start["weights"] == "embedded" and len(start["card"]["seen"]) == 199
    assert pretrained_origins(compose_command(["model=scratch_cnn"]).config) == {}


def test_a_backbone_changes_nothing_for_an_arm_that_has_none(identity):
    assert identity("model=scratch_cnn") == identity("model=scratch_cnn", "backbone=resnet18")


def test_ignores_weights_where_an_arm_uses_only_the_network(identity):
    assert identity("model=scratch_backbone") == identity("model=scratch_backbone", "backbone.weights=none")


def test_an_arms_settings_hold_no_seed_no_budget_and_no_path():
    settings = arm_settings(
        compose_command(["data=folder", "backbone=embedded", "seed=3", "data.labels_per_class=5"]).config
    )
    assert not {"seed", "data.seed", "data.root", "data.labels_per_class", "data.group"} & set(settings)
    assert settings["model.backbone.name"] == "resnet18" and "model.head_lr" in settings
