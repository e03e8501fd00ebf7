"""What ``trainer.KEY`` may ask: it reaches Lightning's Trainer, or is refused in one line."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from headstart.config.trainer_options import (
    REFUSED_TRAINER_OPTIONS,
    TRAINING_METRICS,
    VALIDATION_METRICS,
    build_callbacks,
    build_loggers,
    build_trainer,
    check_monitors,
    check_trainer_options,
)
from headstart.errors import HeadstartError
from headstart.runs import run_directory

DEFAULT = {"_target_": "lightning.Trainer", "max_epochs": None, "accelerator": "cpu", "devices": 1}
TINY = ["model=scratch_cnn", "data=folder", "data.image_size=16", "trainer.max_epochs=2"]
STOPPING = "lightning.pytorch.callbacks.EarlyStopping"

# How a Trainer shows that it has an option.
SHOWN = {
    "accumulate_grad_batches": lambda trainer: trainer.accumulate_grad_batches,
    "check_val_every_n_epoch": lambda trainer: trainer.check_val_every_n_epoch,
    "enable_progress_bar": lambda trainer: trainer.progress_bar_callback is not None,
    "enable_model_summary": lambda trainer: any("Summary" in type(c).__name__ for c in trainer.callbacks),
    "gradient_clip_val": lambda trainer: trainer.gradient_clip_val,
    "inference_mode": lambda trainer: trainer.test_loop.inference_mode,
    "limit_train_batches": lambda trainer: trainer.limit_train_batches,
    "limit_val_batches": lambda trainer: trainer.limit_val_batches,
    "log_every_n_steps": lambda trainer: trainer.log_every_n_steps,
    "max_steps": lambda trainer: trainer.max_steps,
    "num_sanity_val_steps": lambda trainer: trainer.num_sanity_val_steps,
    "precision": lambda trainer: trainer.precision,
    # Refused unless they are harmless.
    "default_root_dir": lambda trainer: None,
    "devices": lambda trainer: trainer.num_devices,
    "fast_dev_run": lambda trainer: trainer.fast_dev_run,
    "limit_test_batches": lambda trainer: trainer.limit_test_batches,
    "logger": lambda trainer: trainer.logger or False,
    "num_nodes": lambda trainer: trainer.num_nodes,
    "overfit_batches": lambda trainer: trainer.overfit_batches,
}
VALUES = {
    "precision": ["32-true", "16-mixed", "bf16-mixed", "64-true", "16-true"],
    "devices": [1, 2, 3],
    "logger": [True, False, "csv"],
    "default_root_dir": ["elsewhere", None],
    "fast_dev_run": [True, False, 1, 3],
    "overfit_batches": [0.0, 0.5, 2],
    "gradient_clip_val": [0.1, 1.0],
    "limit_test_batches": [1.0, 1, 0.5, 3],
    "limit_train_batches": [1.0, 1, 0.5, 3],
    "limit_val_batches": [1.0, 1, 0.5, 3, 0],
    "max_steps": [-1, 0, 5],
    "num_nodes": [1, 2],
    "num_sanity_val_steps": [0, 2],
}
VALUES |= {key: [True, False] for key in ("enable_progress_bar", "enable_model_summary", "inference_mode")}
VALUES |= {key: [1, 2, 5] for key in SHOWN.keys() - VALUES.keys()}
OPTIONS = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in VALUES.items()})


def build(tmp_path, callbacks=(), **options):
    cfg = OmegaConf.create({"trainer": {**DEFAULT, **options}, "logger": {}})
    check_trainer_options(cfg.trainer)
    return build_trainer(cfg, tmp_path, 3, callbacks)


class TestTrainerOptions:
    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory):
        return tmp_path_factory.mktemp("trainer")

    @given(OPTIONS)
    @example({"enable_progress_bar": True})
    @example({"precision": "16-mixed"})
    @example({"num_sanity_val_steps": 2})
    @example({"logger": True})
    @settings(max_examples=30)
    def test_take_effect_or_are_refused(self, folder, options):
        try:
            trainer = build(folder, **options)
        except HeadstartError as error:
            assert "\n" not in str(error)
            assert any(f"trainer.{key}={options[key]}" in str(error) for key in options)
            return
        for key, value in options.items():
            assert SHOWN[key](trainer) == value

    @pytest.mark.parametrize("key", sorted(REFUSED_TRAINER_OPTIONS))
    def test_are_taken_where_they_change_nothing(self, key):
        for harmless in REFUSED_TRAINER_OPTIONS[key][0]:
            check_trainer_options(OmegaConf.create({**DEFAULT, key: harmless}))

    def test_reject_a_key_that_lightning_lacks(self):
        with pytest.raises(HeadstartError, match=r"no key 'trainer\.max_step'.*did you mean 'trainer\.max_steps'"):
            check_trainer_options(OmegaConf.create({**DEFAULT, "max_step": 3}))

    @pytest.mark.parametrize("devices", [2, 0, -1, [0, 1], "2"])
    def test_reject_several_devices(self, devices):
        with pytest.raises(HeadstartError, match=r"trainer\.devices=.*one device"):
            check_trainer_options(OmegaConf.create({**DEFAULT, "devices": devices}))

    @pytest.mark.parametrize("precision", ["bf16-true", "16-true", "64-true", 64])
    def test_reject_precisions_that_convert_weights(self, precision):
        with pytest.raises(HeadstartError, match=rf"trainer\.precision={precision}: it converts the weights"):
            check_trainer_options(OmegaConf.create({**DEFAULT, "precision": precision}))

    @pytest.mark.parametrize(
        "option",
        [{"limit_test_batches": 1}, {"limit_predict_batches": 1}, {"min_steps": 5}, {"limit_train_batches": 0},
         {"max_steps": 0}, {"accumulate_grad_batches": 0}, {"gradient_clip_val": 0},
         {"gradient_clip_algorithm": "norm"}],
    )  # fmt: skip
    def test_reject_what_leaves_out_images_or_does_nothing(self, option):
        with pytest.raises(HeadstartError, match=rf"trainer\.{next(iter(option))}"):
            check_trainer_options(OmegaConf.create({**DEFAULT, **option}))

    def test_for_validation_need_images_that_validate(self):
        cfg = OmegaConf.create({"trainer": {**DEFAULT, "check_val_every_n_epoch": 2}, "logger": {}})
        check_monitors(cfg, [], True)
        with pytest.raises(HeadstartError, match=r"trainer\.check_val_every_n_epoch=2: no image validates"):
            check_monitors(cfg, [], False)

    def test_reject_times_to_validate(self):
        with pytest.raises(HeadstartError, match="not a time"):
            check_trainer_options(OmegaConf.create({**DEFAULT, "val_check_interval": "00:00:00:01"}))

    def test_reject_more_epochs_than_there_are(self, folder):
        with pytest.raises(HeadstartError, match=r"trainer\.min_epochs=5: the run ends after 3"):
            build(folder, min_epochs=5)

    def test_say_in_one_line_what_lightning_refuses(self, folder):
        with pytest.raises(HeadstartError, match="trainer: Trainer refuses its settings"):
            build(folder, precision="foo")

    def test_name_a_metric_for_each_that_is_logged(self, image_folder, command):
        images = image_folder(classes=2, per_class=40)
        run = command(*TINY, f"data.root={images}").folder
        (written,) = run.rglob(run_directory.METRICS_FILE)
        assert set(pd.read_csv(written).columns) == {"epoch", "step", *TRAINING_METRICS, *VALIDATION_METRICS}


class TestCallbacks:
    def test_of_a_person_stop_the_training(self, image_folder, command):
        images = image_folder(classes=2, per_class=40)
        stop = f"+trainer.callbacks=[{{_target_: {STOPPING}, monitor: train/loss, patience: 1, min_delta: 100.0}}]"
        done = command("model=scratch_cnn", "data=folder", "data.image_size=16", f"data.root={images}",
                       "trainer.max_epochs=9", stop)  # fmt: skip
        (written,) = done.folder.rglob(run_directory.RESULT_FILE)
        result = json.loads(written.read_text())
        assert done.code == 0 and result["epochs"] == 2
        assert result["settings"]["trainer.callbacks"][0]["monitor"] == "train/loss"

    @pytest.mark.parametrize(
        ("written", "line"),
        [
            ("[{_target_: lightning.pytorch.callbacks.NoSuch}]", "there is no lightning.pytorch.callbacks.NoSuch"),
            ("[{_target_: torch.nn.ReLU}]", "torch.nn.ReLU is no callback"),
            ("[1]", "1 names no class"),
            ("[{_target_: lightning.pytorch.callbacks.Timer, duration: '00:00:00:01'}]", "the machine's speed"),
            (f"[{{_target_: {STOPPING}}}]", "EarlyStopping refuses its settings"),
        ],
    )
    def test_that_cannot_be_built_are_refused_first(self, written, line, images, command):
        done = command(*TINY, f"data.root={images}", f"+trainer.callbacks={written}")
        assert done.code == 1 and line in done.err and done.err.count("\n") == 1
        assert not list(done.folder.iterdir())

    @pytest.mark.parametrize("validates", [True, False])
    def test_must_watch_what_the_run_logs(self, validates):
        def watch(metric):
            return build_callbacks(OmegaConf.create({"callbacks": [{"_target_": STOPPING, "monitor": metric}]}))

        plain = OmegaConf.create({"trainer": DEFAULT, "logger": {}})
        check_monitors(plain, watch("train/loss"), validates)
        with pytest.raises(HeadstartError, match="EarlyStopping watches val/acc, which this run does not log"):
            check_monitors(plain, watch("val/acc"), validates)
        if validates:
            check_monitors(plain, watch("val/accuracy"), validates)
        else:
            with pytest.raises(HeadstartError, match="below 20 labels per class"):
                check_monitors(plain, watch("val/accuracy"), validates)

    @pytest.mark.parametrize(
        "name",
        ["ModelCheckpoint", "WeightAveraging", "EMAWeightAveraging", "LearningRateFinder", "BatchSizeFinder",
         "BackboneFinetuning"],
    )  # fmt: skip
    def test_that_would_change_what_is_recorded_are_refused(self, name):
        node = {"_target_": f"lightning.pytorch.callbacks.{name}"}
        with pytest.raises(HeadstartError, match=r"trainer\.callbacks: \w+"):
            build_callbacks(OmegaConf.create({"callbacks": [node]}))

    def test_that_write_elsewhere_are_taken(self, tmp_path):
        node = {"_target_": "lightning.pytorch.callbacks.ModelCheckpoint", "dirpath": str(tmp_path)}
        assert len(build_callbacks(OmegaConf.create({"callbacks": [node]}))) == 1

    def test_that_need_a_logger_say_so(self):
        node = {"_target_": "lightning.pytorch.callbacks.LearningRateMonitor"}
        cfg = OmegaConf.create({"trainer": {**DEFAULT, "callbacks": [node]}, "logger": {}})
        with pytest.raises(HeadstartError, match="LearningRateMonitor writes to a logger"):
            check_monitors(cfg, build_callbacks(cfg.trainer), True)

    def test_with_a_bar_of_their_own_switch_it_on(self, tmp_path):
        from lightning.pytorch.callbacks import TQDMProgressBar

        bar = TQDMProgressBar()
        assert build(tmp_path, callbacks=[bar]).progress_bar_callback is bar
        assert build(tmp_path).progress_bar_callback is None


class TestLoggers:
    def test_are_built_by_name_and_alone(self, tmp_path):
        csv = {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": str(tmp_path)}
        assert [type(logger).__name__ for logger in build_loggers(OmegaConf.create(csv))] == ["CSVLogger"]
        assert len(build_loggers(OmegaConf.create({"one": csv, "other": csv}))) == 2
        assert build_loggers(OmegaConf.create({})) == []

    def test_write_what_the_run_logs(self, images, command):
        done = command(*TINY, f"data.root={images}", "+logger.csv._target_=lightning.pytorch.loggers.CSVLogger",
                       "+logger.csv.save_dir=logs")  # fmt: skip
        (written,) = (done.folder / "logs").rglob("metrics.csv")
        assert done.code == 0 and "train/loss" in pd.read_csv(written).columns

    @pytest.mark.parametrize("logger", [{"csv": 1}, {"csv": {"save_dir": "x"}}, {"csv": {"_target_": "torch.nn.ReLU"}}])
    def test_that_are_none_are_refused(self, logger):
        with pytest.raises(HeadstartError, match=r"logger\.csv"):
            build_loggers(OmegaConf.create(logger))


def test_metrics_csv_has_validation_of_its_own_epochs(image_folder, command):
    images = image_folder(classes=2, per_class=40)
    options = ["trainer.max_epochs=3", "+trainer.check_val_every_n_epoch=2"]
    (written,) = command(*TINY, f"data.root={images}", *options).folder.rglob(run_directory.METRICS_FILE)
    assert list(pd.read_csv(written)["val/accuracy"].isna()) == [True, False, True]


def test_result_says_on_what_and_how_it_computed(images, command):
    (written,) = command(*TINY, f"data.root={images}", "trainer.precision=bf16-mixed").folder.rglob(
        run_directory.RESULT_FILE
    )
    hardware = json.loads(written.read_text())["hardware"]
    assert (hardware["device"], hardware["precision"]) == ("cpu", "bf16-mixed")


def test_conditions_are_those_of_the_device_that_computed():
    import torch

    from headstart.runs.environment import environment_info

    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu")), precision="32-true")
    assert environment_info(trainer)["hardware"]["gpu"] is None
