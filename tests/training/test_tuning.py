"""Tests of the search for the settings of a run, on tiny images."""

import json
import re

import pytest
import torch
from omegaconf import OmegaConf

from headstart.data.datamodule import ImageDataModule
from headstart.errors import HeadstartError
from headstart.models.classifier import Classifier
from headstart.runs import run_directory
from headstart.runs.result import read_finished_result
from headstart.training import tuning
from headstart.training.tuning import Trial, best_trial, check_tuning

TINY = ["model=scratch_cnn", "data=folder", "data.folds=null", "data.image_size=16", "model.epochs=2"]
TINY += ["data.labels_per_class=20"]
SEARCH = ["tune.trials=3", "tune.space.lr=[1e-3,1e-1]"]


def find_run(folder):
    (run,) = [path.parent for path in folder.rglob(run_directory.RESULT_FILE)]
    return run


def load_weights(run):
    return torch.load(run_directory.best_checkpoint_path(run), weights_only=True)["state_dict"]


def list_trials(text):
    """The numbers of the trials that the output of a command names, from 1."""
    return [int(number) for number in dict.fromkeys(re.findall(r"trial (\d)/3: \d+ images", text))]


def current_trial(model):
    """The number of the trial that a model is trained in, from 1."""
    return int(re.search(r"trial (\d)/", model.trainer.progress_bar_callback.title)[1])


@pytest.fixture
def images(image_folder):
    return image_folder(classes=2, per_class=30, size=16)


@pytest.fixture
def diverge(monkeypatch):
    """A function that makes the losses of these trials NaN in their second epoch."""
    step = Classifier.training_step

    def apply(*trials):
        def diverging_step(self, batch, index):
            if current_trial(self) in trials and self.current_epoch == 1:
                self.loss = lambda images, labels: torch.tensor(float("nan"))
            return step(self, batch, index)

        monkeypatch.setattr(Classifier, "training_step", diverging_step)

    return apply


class TestTune:
    def test_tests_the_best_trial_and_counts_the_cost_of_all(self, images, command):
        run = find_run(command(*TINY, f"data.root={images}", *SEARCH).folder)
        result = read_finished_result(run)
        trials = result.trials
        assert len(trials) == 3 and trials[0]["settings"] == {} and all("lr" in t["settings"] for t in trials[1:])
        assert "head_lr" not in trials[1]["settings"]  # it is no argument of this model
        best = max(trials, key=lambda trial: (trial["val/accuracy"], -trial["val/log_loss"]))
        assert result.metrics["val/accuracy"] == best["val/accuracy"] and result.epoch == best["epoch"]
        assert result.cost["seconds"] == pytest.approx(sum(trial["seconds"] for trial in trials), abs=0.01)
        assert not (run / run_directory.TRIAL_FOLDER).exists()

    @pytest.mark.parametrize("stopped_in", [1, 3])
    def test_an_interrupted_search_ends_with_the_same_weights(self, images, command, tmp_path, monkeypatch, stopped_in):
        words = [*TINY, f"data.root={images}", *SEARCH]
        whole = find_run(command(*words, folder=tmp_path / "whole").folder)
        step = Classifier.training_step

        def interrupted_step(self, batch, index):
            if current_trial(self) == stopped_in and self.current_epoch == 1:
                raise KeyboardInterrupt
            return step(self, batch, index)

        with monkeypatch.context() as patch:
            patch.setattr(Classifier, "training_step", interrupted_step)
            assert command(*words, folder=tmp_path / "stopped").code == 130
        done = command(*words, folder=tmp_path / "stopped")
        resumed = find_run(done.folder)
        assert list_trials(done.err) == [1, 2, 3][stopped_in - 1 :]
        weights, others = load_weights(whole), load_weights(resumed)
        assert all(torch.equal(weights[name], others[name]) for name in weights)
        trials, others = (read_finished_result(run).trials for run in (whole, resumed))
        assert [trial["settings"] for trial in trials] == [trial["settings"] for trial in others]
        name = run_directory.PREDICTIONS_FILE
        assert (whole / name).read_bytes() == (resumed / name).read_bytes()

    def test_trials_read_no_test_image(self, images, command, monkeypatch):
        def fail(self):
            raise AssertionError("the test part was opened")

        monkeypatch.setattr(ImageDataModule, "test_dataloader", fail)
        stopped = command(*TINY, f"data.root={images}", *SEARCH)
        assert stopped.code == 1 and list_trials(stopped.err) == [1, 2, 3]
        trials = json.loads((find_run(stopped.folder) / run_directory.TRIALS_FILE).read_text())
        assert all(trial["val/accuracy"] is not None for trial in trials)

    @pytest.mark.parametrize("number", [1, 3])
    def test_a_trial_that_diverges_is_the_worst(self, images, command, diverge, number):
        diverge(number)
        result = read_finished_result(find_run(command(*TINY, f"data.root={images}", *SEARCH).folder))
        worst = result.trials.pop(number - 1)
        assert worst["val/accuracy"] is None and "the loss became nan" in worst["diverged"] and worst["seconds"] > 0
        assert len(result.trials) == 2 and not any("diverged" in trial for trial in result.trials)
        assert result.metrics["val/accuracy"] == max(trial["val/accuracy"] for trial in result.trials)

    def test_names_the_run_where_every_trial_diverges(self, images, command, diverge):
        diverge(1, 2, 3)
        done = command(*TINY, f"data.root={images}", *SEARCH)
        (line,) = [line for line in done.err.splitlines() if "diverged" in line]
        assert done.code == 1 and "scratch_cnn-folder-20-seed0: all 3 trials diverged" in line and "tune.space" in line


class TestBestTrial:
    def test_a_log_loss_that_is_no_number_is_below_any_other(self):
        undefined, defined = (Trial({}, 0.5, log_loss, 0, 1.0) for log_loss in (float("nan"), 9.0))
        assert best_trial([undefined, defined]) is defined and best_trial([defined, undefined]) is defined


class TestSweep:
    def test_another_number_of_trials_is_another_arm(self, images, command):
        words = ["-m", *TINY, "model.epochs=1", f"data.root={images}", "tune.trials=1,2"]
        runs = [path.parent for path in command(*words).folder.rglob(run_directory.RESULT_FILE)]
        assert {read_finished_result(run).settings["tune.trials"] for run in runs} == {1, 2}

    def test_leaves_out_budgets_without_validation(self, images, command):
        words = ["experiment=compare_tuned", "model=scratch_cnn", "seed=0", "data=folder", f"data.root={images}"]
        words += ["data.folds=null", "data.image_size=16", "model.epochs=1", "tune.trials=1"]
        done = command(*words)
        assert done.code == 0 and "not tuned, since nothing validates: 5, 10 labels per class" in done.err
        assert read_finished_result(find_run(done.folder)).labels_per_class == 20
        refused = command(*words, "data.labels_per_class=5,20")
        assert refused.code == 1 and "data.labels_per_class=5: nothing validates" in refused.err


class TestCheckTuning:
    @pytest.mark.parametrize(
        ("tune", "line"),
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
    def test_rejects_a_search_that_makes_no_sense(self, tune, line):
        with pytest.raises(HeadstartError, match=line):
            check_tuning(OmegaConf.create({"tune": tune, "model": {"_target_": "a.Model", "lr": 0.1}}))

    def test_names_the_extra_where_optuna_is_missing(self, monkeypatch):
        monkeypatch.setattr(tuning, "find_spec", lambda name: None)
        with pytest.raises(HeadstartError, match=r"pip install headstart\[tuned\]"):
            check_tuning(OmegaConf.create({"tune": {"trials": 1, "space": {}}}))
