"""What a command asks for is known before anything runs."""

import pytest
from omegaconf import OmegaConf

from headstart.config.compose import compose_command
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
        compose_command(["experiment=compare"]),
        compose_command(["experiment=compare", "seed=7", "model=frozen,finetune"]),
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
