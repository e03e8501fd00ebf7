"""A refit trains the arm of a sweep on all images, with the epochs and the schedule of its runs."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from omegaconf import OmegaConf

from headstart.config.data_module import clear_source_cache
from headstart.errors import HeadstartError
from headstart.models.classifier import Classifier
from headstart.runs import run_directory
from headstart.runs.refit_card import read_refit_card
from headstart.runs.result import RunResult, read_finished_result
from headstart.training.refit import count_chosen_epochs, plan_refit, train_refit


def find_run(sweep):
    """A run of the sweep with its result."""
    path = min(sweep.rglob(run_directory.RESULT_FILE))
    return path.parent, read_finished_result(path.parent)


def plan(sweep, epochs=2):
    clear_source_cache()
    return plan_refit(*find_run(sweep), epochs)


def load_weights(directory):
    return torch.load(run_directory.best_checkpoint_path(directory), weights_only=True)["state_dict"]


def are_equal(directory, other):
    weights, others = load_weights(directory), load_weights(other)
    return weights.keys() == others.keys() and all(torch.equal(weights[key], others[key]) for key in weights)


@pytest.fixture
def begun(refit_card):
    """The card of a refit before its training."""
    return replace(refit_card, status="begun")


class TestCountChosenEpochs:
    @pytest.mark.parametrize(("epochs", "count"), [([4], 5), ([9, 9, 2], 10), ([3, 6], 6), ([29, 29], 30)])
    def test_is_the_median_rounded_up(self, epochs, count):
        results = [RunResult("finished", "frozen", "birds", seed, epoch=epoch) for seed, epoch in enumerate(epochs)]
        assert count_chosen_epochs(results) == count


class TestPlanRefit:
    def test_takes_every_image_and_the_schedule_of_the_sweep(self, sweep_once):
        sweep, _ = sweep_once()
        refit = plan(sweep)
        assert len(refit.source.split.train) == 120 and {row["part"] for row in refit.source.split.rows()} == {"train"}
        assert (refit.epochs, refit.schedule_epochs, refit.config.trainer.max_epochs) == (2, 3, 2)
        _, result = find_run(sweep)
        assert refit.config.model.lr == result.settings["model.lr"] and refit.config.seed == result.seed

    def test_takes_every_image_of_every_group(self, sweep_once):
        sweep, _ = sweep_once(r"data.group=\d\.png")
        rows = plan(sweep).source.split.rows()
        assert len(rows) == 120 and {row["group"] for row in rows} == {f"{digit}.png" for digit in range(10)}

    def test_takes_every_image_of_a_run_that_rotates(self, train_once):
        run, _ = train_once("scratch_cnn", "data.folds=auto", "seed=3")
        result = read_finished_result(run)
        plan = plan_refit(run, result, epochs=1)
        assert (result.folds, result.fold) == (5, 3) and len(plan.source.split.train) == 120

    def test_identity_depends_on_epochs_and_schedule(self, sweep_once):
        sweep, _ = sweep_once()
        other, _ = sweep_once("model.epochs=4")
        assert plan(sweep).identity == plan(sweep).identity
        _, result = find_run(sweep)
        assert len({plan(sweep).identity, plan(sweep, epochs=3).identity, plan(other).identity, result.identity}) == 4

    def test_leaves_out_what_needs_validation_or_writes_elsewhere(self, sweep_once):
        sweep, _ = sweep_once("callbacks=early_stopping", "logger=csv", "+trainer.check_val_every_n_epoch=1")
        config = plan(sweep).config
        assert set(config.callbacks) == {"run_checkpoint", "progress_line"} and config.logger is None
        assert "check_val_every_n_epoch" not in config.trainer

    def test_keeps_callbacks_that_change_weights(self, sweep_once):
        sweep, _ = sweep_once("+callbacks.own._target_=lightning.pytorch.callbacks.GradientAccumulationScheduler",
                              "+callbacks.own.scheduling={0: 2}")  # fmt: skip
        assert plan(sweep).config.callbacks.own.scheduling == {0: 2}

    def test_takes_the_settings_that_a_search_chose(self, sweep_once):
        sweep, _ = sweep_once()
        run, result = find_run(sweep)
        trials = [
            {"settings": settings, "val/accuracy": accuracy, "val/log_loss": 1.0, "epoch": 0, "seconds": 1.0}
            for settings, accuracy in (({}, 0.5), ({"lr": 0.003}, 0.9))
        ]
        config = plan_refit(run, replace(result, trials=trials), epochs=2).config
        assert config.model.lr == 0.003 and config.tune.trials == 0

    def test_refuses_a_limit_in_steps(self, sweep_once):
        sweep, _ = sweep_once("+trainer.max_steps=5")
        with pytest.raises(HeadstartError, match=r"trainer\.max_steps=5"):
            plan(sweep)


class TestChanges:
    @pytest.fixture
    def copied_sweep(self, sweep_once, tmp_path):
        """A copy of a sweep and its images, which tests may change."""
        sweep, images = sweep_once()
        shutil.copytree(sweep, tmp_path / "sweep")
        shutil.copytree(images, tmp_path / "images")
        for config in (tmp_path / "sweep").rglob(run_directory.CONFIG_FILE):
            config.write_text(config.read_text().replace(str(images), str(tmp_path / "images")))
        return tmp_path / "sweep", tmp_path / "images"

    def test_in_images_are_refused(self, copied_sweep):
        sweep, images = copied_sweep
        plan(sweep)
        (images / "class0" / "0.png").rename(images / "class1" / "moved.png")
        with pytest.raises(HeadstartError, match="images were added, changed, moved or removed since the sweep"):
            plan(sweep)

    def test_in_the_place_of_the_images_are_refused(self, copied_sweep):
        sweep, images = copied_sweep
        images.rename(images.with_name("elsewhere"))
        with pytest.raises(HeadstartError, match="there is no such folder"):
            plan(sweep)

    def test_to_data_without_a_test_part_are_refused(self, copied_sweep):
        run, _ = find_run(copied_sweep[0])
        config = OmegaConf.load(run / run_directory.CONFIG_FILE)
        del config.data.test
        OmegaConf.save(config, run / run_directory.CONFIG_FILE)
        with pytest.raises(HeadstartError, match="splits its images itself"):
            plan(copied_sweep[0])

    def test_in_the_version_are_refused(self, copied_sweep):
        run, result = find_run(copied_sweep[0])
        with pytest.raises(HeadstartError, match="weights or the version of Headstart changed"):
            plan_refit(run, replace(result, identity="1a2b"), epochs=2)


class TestTrainRefit:
    def test_gives_the_same_weights_each_time(self, sweep_once, begun, tmp_path):
        sweep, _ = sweep_once()
        for name in ("one", "two"):
            card = train_refit(plan(sweep), tmp_path / name, begun)
        assert are_equal(tmp_path / "one", tmp_path / "two")
        assert card == read_refit_card(tmp_path / "two") and card.is_finished and card.versions and card.seconds
        rows = json.loads((tmp_path / "one" / run_directory.SPLIT_FILE).read_text())
        assert len(rows) == 120 and {row["part"] for row in rows} == {"train"}
        assert not run_directory.last_checkpoint_path(tmp_path / "one").exists()

    def test_ends_on_the_schedule_of_the_sweep(self, sweep_once, begun, tmp_path, monkeypatch):
        sweep, _ = sweep_once()
        rates, end = [], Classifier.on_train_epoch_end

        def end_epoch(self):
            rates.append(self.lr_schedulers().get_last_lr()[0] / self.lr)
            end(self)

        monkeypatch.setattr(Classifier, "on_train_epoch_end", end_epoch)
        train_refit(plan(sweep), tmp_path / "refit", begun)
        assert rates == pytest.approx([0.75, 0.25])  # a cosine of three epochs after one and two

    def test_is_not_trained_again(self, sweep_once, begun, tmp_path, monkeypatch):
        sweep, _ = sweep_once()
        card = train_refit(plan(sweep), tmp_path / "refit", begun)
        monkeypatch.setattr(Classifier, "training_step", None)
        assert train_refit(plan(sweep), tmp_path / "refit", begun) == card

    def test_goes_on_after_an_interruption_with_the_same_weights(self, sweep_once, begun, tmp_path, monkeypatch):
        sweep, _ = sweep_once("callbacks.run_checkpoint.every_seconds=0")
        step = Classifier.training_step

        def interrupted_step(self, batch, index):
            if self.current_epoch == 1:
                raise KeyboardInterrupt
            return step(self, batch, index)

        with monkeypatch.context() as patch, pytest.raises(BaseException):  # noqa: B017  Lightning's own exit
            patch.setattr(Classifier, "training_step", interrupted_step)
            train_refit(plan(sweep), tmp_path / "refit", begun)
        assert read_refit_card(tmp_path / "refit").status == "begun"
        assert run_directory.last_checkpoint_path(tmp_path / "refit").exists()
        train_refit(plan(sweep), tmp_path / "refit", begun)
        train_refit(plan(sweep), tmp_path / "whole", begun)
        assert are_equal(tmp_path / "refit", tmp_path / "whole")

    def test_refuses_a_folder_of_something_else(self, sweep_once, begun, tmp_path):
        sweep, images = sweep_once()
        refit = plan(sweep)
        with pytest.raises(HeadstartError, match="among the images"):
            train_refit(refit, images / "refit", begun)
        with pytest.raises(HeadstartError, match="holds another run"):
            train_refit(refit, find_run(sweep)[0], begun)
        with pytest.raises(HeadstartError, match="holds runs"):
            train_refit(refit, sweep, begun)
        train_refit(refit, tmp_path / "refit", begun)
        with pytest.raises(HeadstartError, match="holds another run"):
            train_refit(plan(sweep, epochs=1), tmp_path / "refit", begun)
