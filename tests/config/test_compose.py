"""What a command asks for is known before anything runs."""

import pytest
from omegaconf import OmegaConf

from headstart.config.compose import compose_command, compose_with
from headstart.config.overrides import quote_overrides
from headstart.config.shipped import conf_dir
from headstart.errors import HeadstartError


def refusal(*argv: str) -> str:
    with pytest.raises(HeadstartError) as caught:
        compose_command(quote_overrides(list(argv)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_configuration_lies_where_train_yaml_is():
    assert (conf_dir() / "train.yaml").is_file()


def test_a_single_run_has_its_configuration_and_no_sweeps():
    found = compose_command(["model=frozen", "seed=0"])
    assert found.config.model._target_.endswith("Frozen")
    assert found.config.seed == 0
    assert (found.sweeps, found.multirun) == ({}, False)


def test_a_sweep_has_its_choices_and_the_first_configuration():
    found = compose_command(["-m", "model=frozen,finetune", "model.head_lr=1e-3,1e-4", "seed=range(3)"])
    assert found.multirun
    assert found.sweeps == {
        "model": ["frozen", "finetune"],
        "model.head_lr": ["0.001", "0.0001"],
        "seed": ["0", "1", "2"],
    }
    assert found.config.model._target_.endswith("Frozen")
    assert found.config.model.head_lr == 1e-3


def test_the_command_line_replaces_choices_of_an_experiment():
    whole, narrowed = (
        compose_command(["experiment=curve"]),
        compose_command(["experiment=curve", "seed=7", "model=frozen,finetune"]),
    )
    assert whole.multirun
    assert whole.sweeps["seed"] == ["0", "1", "2"]
    assert len(whole.sweeps["model"]) == 4
    assert "seed" not in narrowed.sweeps
    assert narrowed.config.seed == 7
    assert narrowed.sweeps["model"] == ["frozen", "finetune"]


def test_the_choices_of_the_groups_are_at_hand():
    config = compose_command(["experiment=compare"]).config
    assert config.hydra.runtime.choices["experiment"] == "compare"


def test_nothing_is_resolved(tmp_path):
    experiment = tmp_path / "experiment" / "unresolved.yaml"
    experiment.parent.mkdir()
    experiment.write_text("# @package _global_\nseed: ${no_such_resolver:}\n")
    found = compose_command(["--config-dir", str(tmp_path), "experiment=unresolved"])
    assert OmegaConf.to_container(found.config, resolve=False)["seed"] == "${no_such_resolver:}"


@pytest.mark.parametrize("flag", [["--help"], ["--cfg", "job"], ["--info"], ["-sc", "query=bash"], ["--hydra-help"]])
def test_a_command_that_only_shows_something_asks_for_no_run(flag):
    assert compose_command(flag) is None


def test_several_values_without_the_flag_say_how_to_sweep():
    assert refusal("model=frozen,finetune") == "model=frozen,finetune is 2 values; add -m to run each of them"


def test_a_mistyped_choice_is_answered_with_the_near_one():
    line = refusal("model=finetuned")
    assert line.startswith(
        "no choice 'finetuned' in group 'model'; did you mean 'finetune'? (choices: alexnet, distilled, finetune"
    )
    assert "did you mean 'compare'" in refusal("experiment=compre")


def test_rejects_a_mistyped_choice_within_a_sweep():
    assert "no choice 'froze' in group 'model'; did you mean 'frozen'?" in refusal("-m", "model=finetune,froze")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["model.hed_lr=1"], "model.head_lr"),
        (["-m", "model.hed_lr=1,2"], "model.head_lr"),
        (["head_lr=1"], "model.head_lr"),
        (["modle=frozen"], "model"),
        (["experimnt=compare"], "experiment"),
        (["max_epoch=3"], "trainer.max_epochs"),
        (["hydra.run.dri=x"], "hydra.run.dir"),
        (["model.héad_lr=1"], "model.head_lr"),
    ],
)
def test_a_mistyped_key_is_answered_with_the_near_one(typed, meant):
    line = refusal(*typed)
    assert line.startswith("no key ")
    assert f"did you mean '{meant}'" in line


def test_the_near_keys_are_those_of_the_chosen_groups():
    assert refusal("model=scratch_cnn", "model.head_lr=1").startswith("no key 'model.head_lr'; did you mean 'model.")
    assert "'model.head_lr'?" not in refusal("model=scratch_cnn", "model.hed_lr=1")


def test_a_word_that_is_no_setting_is_named():
    assert refusal("compare") == "'compare' is no setting; write KEY=VALUE"


def test_an_unknown_flag_is_answered_with_the_near_one():
    assert refusal("--multirn") == "no flag '--multirn'; did you mean '--multirun'?"
    assert "no flag '--gpu'" in refusal("--gpu", "seed=1")
    assert "--config-dir" in refusal("--config-dir", "no such folder")


def test_choices_of_an_extra_folder_are_choices(tmp_path):
    extra = tmp_path / "model" / "mine.yaml"
    extra.parent.mkdir()
    extra.write_text("_target_: mine.Model\n")
    assert compose_command(["--config-dir", str(tmp_path), "model=mine"]).config.model._target_ == "mine.Model"
    assert "mine" in refusal("--config-dir", str(tmp_path), "model=nope")


class TestRecipe:
    """The group ``recipe``: what a model does otherwise with a backbone."""

    @pytest.fixture
    def conf(self, tmp_path):
        """A folder of further choices: a recipe, and experiments."""
        for name, text in [
            ("recipe/scratch_backbone-resnet18", "# @package model\nepochs: 7\nlr: 0.5\n"),
            ("experiment/brief", "# @package _global_\nmodel:\n  epochs: 2\n"),
            ("experiment/chosen", "# @package _global_\ndefaults:\n  - override /model: scratch_backbone\n"),
        ]:
            path = tmp_path / f"{name}.yaml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return ["--config-dir", str(tmp_path)]

    def test_follows_from_model_and_backbone(self, conf):
        both = compose_command([*conf, "model=scratch_backbone", "backbone=resnet18"]).config.model
        assert (both.epochs, both.lr) == (7, 0.5)
        other = compose_command([*conf, "model=scratch_backbone"]).config.model
        assert other.epochs != 7 and other.lr != 0.5
        assert compose_command([*conf, "experiment=chosen", "backbone=resnet18"]).config.model.epochs == 7

    def test_gives_way_to_typed_keys_and_experiments(self, conf):
        words = [*conf, "model=scratch_backbone", "backbone=resnet18"]
        assert compose_command([*words, "model.epochs=3"]).config.model.epochs == 3
        brief = compose_command([*words, "experiment=brief"]).config.model
        assert (brief.epochs, brief.lr) == (2, 0.5)

    def test_each_arm_of_a_sweep_has_its_own(self, conf):
        command = compose_command([*conf, "-m", "model=finetune,scratch_backbone", "backbone=embedded,resnet18"])
        epochs = [
            compose_with(command, {"model": model, "backbone": backbone}).model.epochs == 7
            for model in ("finetune", "scratch_backbone")
            for backbone in ("embedded", "resnet18")
        ]
        assert epochs == [False, False, False, True]

    @pytest.mark.parametrize("word", ["recipe=finetune-efficientnet_lite0", "recipe=null", "~recipe", "+recipe=x"])
    def test_is_not_typed(self, word):
        assert refusal(word).startswith(f"{word}: it follows from model and backbone; ")

    def test_is_not_suggested(self):
        assert "did you mean 'recipe'" not in refusal("recip=3")


def test_a_key_of_other_data_alone_is_answered_with_these_data():
    assert refusal("data=digits", "data.group=folder").endswith("these data have none, unlike data=folder")
    assert "unlike" not in refusal("data=digits", "data.grup=folder")
