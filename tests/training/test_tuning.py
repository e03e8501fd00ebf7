"""The search for a run's settings, on tiny images."""

import json
import re

import pytest
import torch
from omegaconf import OmegaConf

from headstart import train
from headstart.data.datamodule import ImageDataModule
from headstart.errors import HeadstartError
from headstart.models.classifier import Classifier
from headstart.runs import run_directory
from headstart.runs.result import read_finished_result
from headstart.training import tuning

TINY = ["model=scratch_cnn", "data=folder", "data.image_size=16", "model.epochs=2", "data.labels_per_class=20"]
SEARCH = ["tune.trials=3", "tune.space.lr=[1e-3,1e-1]"]


def only_run(folder):
    (found,) = [path.parent for path in folder.rglob(run_directory.RESULT_FILE)]
    return found


@pytest.fixture
def images(image_folder):
    return image_folder(classes=2, per_class=30, size=16)


@pytest.fixture
def trained(monkeypatch):
    """What each trial is called, as it begins."""
    begun = []
    prepare = train.build_training_setup
    monkeypatch.setattr(train, "build_training_setup", lambda *args: begun.append(args[4]) or prepare(*args))
    return begun


def weights(run):
    return torch.load(run_directory.best_checkpoint_path(run), weights_only=True)["state_dict"]


def test_the_best_of_so_many_trials_is_tested_and_its_price_is_that_of_all(images, command):
    run = only_run(command(*TINY, f"data.root={images}", *SEARCH).folder)
    result = read_finished_result(run)
    trials = result.trials
    assert len(trials) == 3 and trials[0]["settings"] == {} and all("lr" in t["settings"] for t in trials[1:])
    assert "head_lr" not in trials[1]["settings"]  # it is no argument of this model
    best = max(trials, key=lambda trial: (trial["val/accuracy"], -trial["val/log_loss"]))
    assert result.metrics["val/accuracy"] == best["val/accuracy"] and result.epoch == best["epoch"]
    assert result.cost["seconds"] == pytest.approx(sum(trial["seconds"] for trial in trials), abs=0.01)
    assert not (run / run_directory.TRIAL_FOLDER).exists()


@pytest.mark.parametrize("stopped_in", [0, 1, 2])
def test_a_search_that_was_killed_goes_on_to_the_same_settings_and_weights(
    images, command, tmp_path, monkeypatch, trained, stopped_in
):
    asked = [*TINY, f"data.root={images}", *SEARCH]
    whole = only_run(command(*asked, folder=tmp_path / "whole").folder)
    step = Classifier.training_step

    def killed(self, batch, index):
        if f"trial {stopped_in + 1}/" in trained[-1] and self.current_epoch == 1:
            raise KeyboardInterrupt
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", killed)
        assert command(*asked, folder=tmp_path / "stopped").code == 130
    trained.clear()
    resumed = only_run(command(*asked, folder=tmp_path / "stopped").folder)
    assert [int(re.search(r"trial (\d)", word)[1]) for word in trained if "trial" in word] == [1, 2, 3][stopped_in:]
    assert all(torch.equal(weights(whole)[k], weights(resumed)[k]) for k in weights(whole))
    one, other = (read_finished_result(run).trials for run in (whole, resumed))
    assert [t["settings"] for t in one] == [t["settings"] for t in other]
    assert (whole / run_directory.PREDICTIONS_FILE).read_bytes() == (
        resumed / run_directory.PREDICTIONS_FILE
    ).read_bytes()


def test_no_trial_reads_the_test_images(images, command, monkeypatch, trained):
    def raised(self):
        raise AssertionError("the test part was opened")

    with monkeypatch.context() as patch:
        patch.setattr(ImageDataModule, "test_dataloader", raised)
        stopped = command(*TINY, f"data.root={images}", *SEARCH)
    assert stopped.code == 1 and sum("trial" in word for word in trained) == 3
    kept = json.loads((only_run(stopped.folder) / run_directory.TRIALS_FILE).read_text())
    again = command(*TINY, f"data.root={images}", *SEARCH, folder=images.parent / "whole")
    whole = read_finished_result(only_run(again.folder))
    assert [t["val/accuracy"] for t in kept] == [t["val/accuracy"] for t in whole.trials]


def diverging(monkeypatch, trained, in_trials):
    """These trials' losses become NaN in their second epoch."""
    step = Classifier.training_step

    def diverged(self, batch, index):
        if any(f"trial {n}/" in trained[-1] for n in in_trials) and self.current_epoch == 1:
            self.loss = lambda images, labels: torch.tensor(float("nan"))
        return step(self, batch, index)

    monkeypatch.setattr(Classifier, "training_step", diverged)


@pytest.mark.parametrize("which", [1, 3])
def test_a_trial_that_diverges_is_the_worst_and_costs_its_arm_nothing(images, command, monkeypatch, trained, which):
    diverging(monkeypatch, trained, [which])
    result = read_finished_result(only_run(command(*TINY, f"data.root={images}", *SEARCH).folder))
    worst = result.trials.pop(which - 1)
    assert worst["val/accuracy"] is None and "the loss became nan" in worst["diverged"] and worst["seconds"] > 0
    assert len(result.trials) == 2 and not any("diverged" in trial for trial in result.trials)
    assert result.metrics["val/accuracy"] == max(trial["val/accuracy"] for trial in result.trials)


def test_where_every_trial_diverges_one_line_names_the_arm_and_the_mend(images, command, monkeypatch, trained):
    diverging(monkeypatch, trained, [1, 2, 3])
    done = command(*TINY, f"data.root={images}", *SEARCH)
    (line,) = [line for line in done.err.splitlines() if "diverged" in line]
    assert done.code == 1 and "scratch_cnn-folder-20-seed0: all 3 trials diverged" in line and "tune.space" in line


def test_a_log_loss_that_is_no_number_is_the_worst_of_those_equally_accurate():
    unsure, sure = ({"val/accuracy": 0.5, "val/log_loss": loss, "settings": {}} for loss in (float("nan"), 9.0))
    assert tuning.best_trial([unsure, sure]) is sure and tuning.best_trial([sure, unsure]) is sure


def test_another_number_of_trials_is_another_arm(images, command):
    asked = [*TINY, f"data.root={images}"]
    one, other = (only_run(command(*asked, f"tune.trials={n}", folder=images.parent / str(n)).folder) for n in (1, 2))
    assert one.name != other.name
    assert read_finished_result(one).settings["tune.trials"] == 1


def test_budgets_that_nothing_validates_are_left_out_and_named(images, command):
    asked = ["experiment=compare_tuned", "model=scratch_cnn", "seed=0", "data=folder", f"data.root={images}"]
    done = command(*asked, "data.image_size=16", "model.epochs=1", "tune.trials=1")
    assert done.code == 0 and "not tuned, since nothing validates: 5, 10 labels per class" in done.err
    assert read_finished_result(only_run(done.folder)).labels_per_class == 20
    refused = command(*asked, "data.image_size=16", "data.labels_per_class=5,20")
    assert refused.code == 1 and "data.labels_per_class=5: nothing validates" in refused.err


@pytest.mark.parametrize(
    ("tune", "told"),
    [
        ({"trials": -1, "space": {"lr": [1, 2]}}, "tune.trials=-1"),
        ({"trials": 2, "space": {"lr": [2, 1]}}, r"tune.space.lr=\[2, 1\]"),
        ({"trials": 2, "space": {"lr": [0, 1]}}, "tune.space.lr"),
        ({"trials": True, "space": {"lr": [1, 2]}}, "tune.trials=True"),
        ({"trials": 2, "space": None}, "tune.space=None: give a table"),
        ({"trials": 2, "space": {"lr": 5}}, "tune.space.lr=5: give two numbers"),
        ({"trials": 2, "space": {"mass": [1, 2]}}, "none of mass is an argument of a.Model"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_in_one_line(tune, told):
    with pytest.raises(HeadstartError, match=told):
        tuning.check_tuning(OmegaConf.create({"tune": tune, "model": {"_target_": "a.Model", "lr": 0.1}}))


def test_a_missing_optuna_is_named_with_its_mend(monkeypatch):
    monkeypatch.setattr(tuning, "find_spec", lambda name: None)
    with pytest.raises(HeadstartError, match=r"pip install headstart\[tuned\]"):
        tuning.check_tuning(OmegaConf.create({"tune": {"trials": 1, "space": {}}}))
