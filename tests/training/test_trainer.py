"""Tests of the Trainer, its callbacks and its loggers."""

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock, Timeout
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lightning.pytorch.loggers import Logger
from omegaconf import OmegaConf

from headstart.config.trainer_options import check_trainer_options
from headstart.data.paths import cache_dir
from headstart.errors import HeadstartError
from headstart.models.classifier import Classifier
from headstart.runs import run_directory
from headstart.runs.result import read_finished_result
from headstart.training.trainer import (
    TRAINING_METRICS,
    VALIDATION_METRICS,
    build_callbacks,
    build_loggers,
    build_trainer,
    check_callbacks,
    close_loggers,
    log_configuration,
)

DEFAULT = {"_target_": "lightning.Trainer", "max_epochs": None, "accelerator": "cpu", "devices": 1}
TINY = ["model=scratch_cnn", "data=folder", "data.folds=null", "data.image_size=16", "trainer.max_epochs=2"]
STOPPING = "lightning.pytorch.callbacks.EarlyStopping"

# Where a Trainer has the value of an option.
ATTRIBUTES = {
    "accumulate_grad_batches": lambda trainer: trainer.accumulate_grad_batches,
    "check_val_every_n_epoch": lambda trainer: trainer.check_val_every_n_epoch,
    "enable_progress_bar": lambda trainer: trainer.progress_bar_callback is not None,
    "enable_model_summary": lambda trainer: any("Summary" in type(c).__name__ for c in trainer.callbacks),
    "fast_dev_run": lambda trainer: trainer.fast_dev_run,
    "gradient_clip_val": lambda trainer: trainer.gradient_clip_val,
    "inference_mode": lambda trainer: trainer.test_loop.inference_mode,
    "limit_test_batches": lambda trainer: trainer.limit_test_batches,
    "limit_train_batches": lambda trainer: trainer.limit_train_batches,
    "limit_val_batches": lambda trainer: trainer.limit_val_batches,
    "log_every_n_steps": lambda trainer: trainer.log_every_n_steps,
    "max_steps": lambda trainer: trainer.max_steps,
    "num_sanity_val_steps": lambda trainer: trainer.num_sanity_val_steps,
    "overfit_batches": lambda trainer: trainer.overfit_batches,
    "precision": lambda trainer: trainer.precision,
    # Refused unless they change nothing.
    "default_root_dir": lambda trainer: None,
    "devices": lambda trainer: trainer.num_devices,
    "logger": lambda trainer: trainer.logger or False,
    "num_nodes": lambda trainer: trainer.num_nodes,
}
VALUES = {
    "precision": ["32-true", "16-mixed", "bf16-mixed", "64-true", "16-true"],
    "devices": [1, 2, 3],
    "logger": [True, False, "csv"],
    "default_root_dir": ["elsewhere", None],
    "gradient_clip_val": [0.1, 1.0],
    "limit_test_batches": [1.0, 1, 0.5, 3],
    "limit_train_batches": [1.0, 1, 0.5, 3],
    "limit_val_batches": [1.0, 1, 0.5, 3, 0],
    "max_steps": [-1, 0, 5],
    "num_nodes": [1, 2],
    "num_sanity_val_steps": [0, 2],
}
VALUES |= {key: [True, False] for key in ("enable_progress_bar", "enable_model_summary", "inference_mode")}
# These change other options, and are drawn alone.
ALONE = {"fast_dev_run": [True, False, 1, 3], "overfit_batches": [0.0, 0.5, 2]}
VALUES |= {key: [1, 2, 5] for key in ATTRIBUTES.keys() - VALUES.keys() - ALONE.keys()}
OPTIONS = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in VALUES.items()})


def make_source(num_train=40, num_val=8, batch_size=8):
    split = SimpleNamespace(train=np.arange(num_train), val=np.arange(num_val))
    return SimpleNamespace(split=split, batch_size=batch_size)


def build(directory, callbacks=(), **options):
    cfg = OmegaConf.create({"trainer": {**DEFAULT, **options}, "logger": {}})
    check_trainer_options(cfg.trainer)
    return build_trainer(cfg, directory, 3, callbacks)


def configure(*nodes, logger=None, model="headstart.models.ScratchCNN", **options):
    return OmegaConf.create(
        {
            "model": {"_target_": model},
            "callbacks": {f"node{index}": node for index, node in enumerate(nodes)},
            "trainer": {**DEFAULT, **options},
            "logger": logger or {},
        }
    )


@pytest.fixture(scope="class")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trainer")


class TestBuildTrainer:
    @given(OPTIONS)
    @example({"enable_progress_bar": True})
    @example({"precision": "16-mixed"})
    @example({"num_sanity_val_steps": 2})
    @example({"logger": True})
    @settings(max_examples=30)
    def test_passes_each_option_on_or_refuses_it(self, folder, options):
        try:
            trainer = build(folder, **options)
        except HeadstartError as error:
            assert "\n" not in str(error)
            assert any(f"trainer.{key}={options[key]}" in str(error) for key in options)
            return
        for key, value in options.items():
            assert ATTRIBUTES[key](trainer) == value

    @pytest.mark.parametrize(("key", "value"), [(key, value) for key in ALONE for value in ALONE[key]])
    def test_passes_options_of_a_debug_run_on(self, folder, key, value):
        assert ATTRIBUTES[key](build(folder, **{key: value})) == value

    def test_rejects_more_epochs_than_there_are(self, folder):
        with pytest.raises(HeadstartError, match=r"trainer\.min_epochs=5: the run ends after 3"):
            build(folder, min_epochs=5)

    def test_reports_in_one_line_what_lightning_refuses(self, folder):
        with pytest.raises(HeadstartError, match="trainer: Trainer refuses its settings"):
            build(folder, precision="foo")

    def test_shows_the_progress_bar_of_a_callback(self, folder):
        from lightning.pytorch.callbacks import TQDMProgressBar

        bar = TQDMProgressBar()
        assert build(folder, callbacks=[bar]).progress_bar_callback is bar
        assert build(folder).progress_bar_callback is None


class TestBuildCallbacks:
    @pytest.mark.parametrize(
        "name",
        ["ModelCheckpoint", "WeightAveraging", "EMAWeightAveraging", "LearningRateFinder", "BatchSizeFinder",
         "BackboneFinetuning"],
    )  # fmt: skip
    def test_rejects_those_that_change_what_is_recorded(self, name):
        with pytest.raises(HeadstartError, match=r"callbacks\.node0: \w+"):
            build_callbacks(configure({"_target_": f"lightning.pytorch.callbacks.{name}"}))

    def test_takes_a_checkpoint_in_another_folder(self, tmp_path):
        node = {"_target_": "lightning.pytorch.callbacks.ModelCheckpoint", "dirpath": str(tmp_path)}
        assert len(build_callbacks(configure(node))) == 1

    def test_gives_our_callbacks_the_values_of_the_run(self):
        node = {"_target_": "headstart.training.callbacks.ProgressLine", "refresh_seconds": 3.0}
        (line,) = build_callbacks(configure(node), {"title": "finetune", "num_images": 9, "identity": "x"})
        assert (line.title, line.num_images, line.refresh_seconds) == ("finetune", 9, 3.0)
        assert build_callbacks(configure(node)) == []

    def test_another_progress_bar_takes_the_place_of_ours(self):
        nodes = [
            {"_target_": "headstart.training.callbacks.ProgressLine"},
            {"_target_": "lightning.pytorch.callbacks.TQDMProgressBar"},
        ]
        run = {"title": "finetune", "num_images": 9}
        assert [type(bar).__name__ for bar in build_callbacks(configure(*nodes), run)] == ["TQDMProgressBar"]

    def test_shows_no_progress_line_that_is_switched_off(self, folder):
        cfg = configure({"_target_": "headstart.training.callbacks.ProgressLine"}, enable_progress_bar=False)
        callbacks = build_callbacks(cfg, {"title": "finetune", "num_images": 9})
        assert build_trainer(cfg, folder, 3, callbacks).progress_bar_callback is None


class TestCheckCallbacks:
    @pytest.mark.parametrize("num_val", [8, 0])
    def test_rejects_a_metric_that_the_run_does_not_log(self, num_val):
        def watch(metric):
            check_callbacks(configure({"_target_": STOPPING, "monitor": metric}), [make_source(num_val=num_val)])

        watch("train/loss")
        with pytest.raises(HeadstartError, match="EarlyStopping watches val/acc, which this run does not log"):
            watch("val/acc")
        if num_val:
            watch("val/accuracy")
        else:
            with pytest.raises(HeadstartError, match="below 20 labels per class"):
                watch("val/accuracy")

    def test_rejects_one_budget_without_validation(self):
        cfg = configure({"_target_": STOPPING, "monitor": "val/accuracy"})
        with pytest.raises(HeadstartError, match="below 20 labels per class"):
            check_callbacks(cfg, [make_source(), make_source(num_val=0)])

    def test_rejects_fewer_steps_than_the_first_validation_needs(self):
        node = {"_target_": STOPPING, "monitor": "val/accuracy"}
        check_callbacks(configure(node, max_steps=5), [make_source()])
        with pytest.raises(HeadstartError, match=r"trainer\.max_steps=4: .* an epoch has 5 steps; give 5 or more"):
            check_callbacks(configure(node, max_steps=4), [make_source()])

    def test_takes_a_metric_that_a_model_class_may_log_itself(self):
        cfg = configure({"_target_": STOPPING, "monitor": "val/mine"}, model="photos.Mine")
        check_callbacks(cfg, [make_source()])
        with pytest.raises(HeadstartError, match="EarlyStopping watches val/mine, which this run does not log"):
            check_callbacks(cfg, [make_source(num_val=0)])

    def test_rejects_a_callback_that_lacks_its_logger(self):
        node = {"_target_": "lightning.pytorch.callbacks.LearningRateMonitor"}
        with pytest.raises(HeadstartError, match=r"LearningRateMonitor writes to a logger.*; add logger=csv"):
            check_callbacks(configure(node), [make_source()])

    def test_rejects_a_logger_that_lightning_would_drop(self):
        logger = {"csv": {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "."}}
        check_callbacks(configure(logger=logger), [make_source()])
        with pytest.raises(HeadstartError, match=r"^logger: trainer\.fast_dev_run=True drops each logger; leave"):
            check_callbacks(configure(logger=logger, fast_dev_run=True), [make_source()])


class TestBuildLoggers:
    def test_takes_one_or_several(self, tmp_path):
        csv = {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": str(tmp_path)}
        assert [type(logger).__name__ for logger in build_loggers(OmegaConf.create(csv))] == ["CSVLogger"]
        assert len(build_loggers(OmegaConf.create({"one": csv, "other": csv, "off": None}))) == 2
        assert build_loggers(OmegaConf.create({})) == []

    def test_rejects_another_class(self):
        with pytest.raises(HeadstartError, match=r"logger\.csv: torch\.nn\.ReLU is no logger"):
            build_loggers(OmegaConf.create({"csv": {"_target_": "torch.nn.ReLU"}}))


class LockReader(Logger):
    """A logger that notes whether another process could build or fill one at the same time."""

    name = version = None

    def __init__(self):
        self.is_locked = [self.read_lock()]

    def read_lock(self):
        (path,) = cache_dir().glob("*.lock")
        try:
            FileLock(path).acquire(timeout=0).lock.release()
        except Timeout:
            return True
        return False

    def log_hyperparams(self, params):
        self.is_locked.append(self.read_lock())

    def log_metrics(self, metrics, step=None):
        pass


class TestLoggerLock:
    def test_is_held_while_a_logger_is_built_or_configured(self):
        (logger,) = build_loggers(OmegaConf.create({"_target_": f"{__name__}.LockReader"}))
        log_configuration(SimpleNamespace(loggers=[logger]), OmegaConf.create({"seed": 0}))
        assert logger.is_locked == [True, True] and not logger.read_lock()


class TestCloseLoggers:
    def test_ends_an_experiment_that_can_be_ended(self):
        ended = []
        experiments = [SimpleNamespace(finish=lambda: ended.append("wandb")), SimpleNamespace(finish="a name"), None]
        close_loggers(SimpleNamespace(loggers=[SimpleNamespace(experiment=each) for each in experiments]))
        assert ended == ["wandb"]


class TestRun:
    def test_logs_the_metrics_that_a_callback_may_watch(self, image_folder, command):
        images = image_folder(classes=2, per_class=40)
        options = ["trainer.max_epochs=3", "+trainer.check_val_every_n_epoch=2"]
        (written,) = command(*TINY, f"data.root={images}", *options).folder.rglob(run_directory.METRICS_FILE)
        rows = pd.read_csv(written)
        assert set(rows.columns) == {"epoch", "step", *TRAINING_METRICS, *VALIDATION_METRICS}
        assert list(rows["val/accuracy"].isna()) == [True, False, True]

    @pytest.mark.parametrize(
        "words",
        [
            [f"+trainer.callbacks=[{{_target_: {STOPPING}, monitor: train/loss, patience: 1, min_delta: 100.0}}]"],
            [f"+callbacks.stop={{_target_: {STOPPING}, monitor: train/loss, patience: 1, min_delta: 100.0}}"],
            ["callbacks=early_stopping", "callbacks.early_stopping.monitor=train/loss",
             "callbacks.early_stopping.patience=1", "callbacks.early_stopping.min_delta=100.0"],
        ],
    )  # fmt: skip
    def test_stops_early_with_a_callback(self, images, command, words):
        done = command(*TINY, f"data.root={images}", "trainer.max_epochs=5", *words)
        (run,) = (path.parent for path in done.folder.rglob(run_directory.RESULT_FILE))
        result = read_finished_result(run)
        assert done.code == 0 and result.epochs == 2
        assert any("callbacks" in key and "monitor" in str(value) for key, value in result.settings.items())

    @pytest.mark.parametrize(
        ("written", "line"),
        [
            ("[{_target_: lightning.pytorch.callbacks.NoSuch}]", "there is no lightning.pytorch.callbacks.NoSuch"),
            ("[{_target_: torch.nn.ReLU}]", "torch.nn.ReLU is no callback"),
            ("[{_target_: lightning.pytorch.callbacks.Timer, duration: '00:00:00:01'}]", "the machine's speed"),
            (f"[{{_target_: {STOPPING}}}]", "EarlyStopping refuses its settings"),
        ],
    )
    def test_refuses_a_callback_before_anything_is_written(self, written, line, images, command):
        done = command(*TINY, f"data.root={images}", f"+trainer.callbacks={written}")
        assert done.code == 1 and line in done.err and done.err.count("\n") == 1
        assert not list(done.folder.iterdir())

    def test_gives_several_loggers_configuration_and_metrics(self, images, command):
        pytest.importorskip("tensorboard")
        done = command(*TINY, f"data.root={images}", "logger=[csv,tensorboard]")
        (run,) = (path.parent for path in done.folder.rglob(run_directory.RESULT_FILE))
        assert done.code == 0 and {"csv", "tensorboard"} <= {path.name for path in run.iterdir()}
        rows = pd.read_csv(run / "csv" / "version_0" / "metrics.csv")
        assert {"train/loss", "test/accuracy"} <= set(rows.columns) and "val/checkpoint_score" not in rows.columns
        for hparams in (run / "csv" / "version_0" / "hparams.yaml", run / "tensorboard" / "version_0" / "hparams.yaml"):
            assert "headstart.models.ScratchCNN" in hparams.read_text()

    def test_fills_the_database_of_mlflow(self, images, command, monkeypatch):
        pytest.importorskip("mlflow")
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        done = command("-m", *TINY, f"data.root={images}", "logger=mlflow", "seed=0,1")
        with closing(sqlite3.connect(done.folder / "mlflow.db")) as database:
            runs = database.execute("SELECT name, status FROM runs ORDER BY name").fetchall()
            metrics = database.execute("SELECT DISTINCT key FROM latest_metrics").fetchall()
            (models,) = database.execute("SELECT COUNT(*) FROM params WHERE value LIKE '%ScratchCNN'").fetchone()
        names = sorted(path.parent.name for path in done.folder.rglob(run_directory.RESULT_FILE))
        assert done.code == 0 and runs == [(name, "FINISHED") for name in names] and len(runs) == 2
        assert {("train/loss",), ("test/accuracy",)} <= set(metrics) and models == 2

    def test_leaves_one_offline_folder_of_wandb_a_run(self, images, command):
        pytest.importorskip("wandb")
        done = command("-m", *TINY, f"data.root={images}", "logger=wandb", "seed=0,1")
        runs = [path.parent for path in done.folder.rglob(run_directory.RESULT_FILE)]
        assert done.code == 0 and len(runs) == 2
        assert [len(list((run / "wandb").glob("offline-run-*/*.wandb"))) for run in runs] == [1, 1]

    def test_without_callbacks_still_leaves_its_result(self, images, command):
        done = command(*TINY, f"data.root={images}", "callbacks=none")
        (run,) = (path.parent for path in done.folder.rglob(run_directory.RESULT_FILE))
        assert done.code == 0 and (run / run_directory.METRICS_FILE).is_file() and "accuracy" not in done.err


class TestDebugRun:
    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (["debug=fdr"], "trainer.fast_dev_run=True"),
            (["debug=limit"], "trainer.limit_train_batches=2"),
            (["debug=overfit", "trainer.max_epochs=2"], "trainer.overfit_batches=3"),
            (["debug=default"], "debug=default"),
        ],
    )
    def test_ends_and_is_marked(self, image_folder, command, words, reason):
        images = image_folder(classes=2, per_class=30)
        done = command(*TINY[:-1], f"data.root={images}", *words)
        (run,) = (path.parent for path in done.folder.rglob(run_directory.RESULT_FILE))
        assert done.code == 0 and read_finished_result(run).debug == reason
        assert f"debug run ({reason}): it counts in no verdict" in done.err

    def test_overfits_the_same_batches_in_each_epoch(self, image_folder, command, monkeypatch):
        step, sums = Classifier.training_step, {}

        def record(self, batch, index):
            sums.setdefault(self.current_epoch, []).append(int(batch[0].sum()))
            return step(self, batch, index)

        monkeypatch.setattr(Classifier, "training_step", record)
        words = [
            f"data.root={image_folder(classes=2, per_class=30)}",
            "data.batch_size=8",
            "+trainer.overfit_batches=2",
        ]
        assert command(*TINY, *words).code == 0
        assert sums[0] == sums[1] and len(set(sums[0])) == 2

    def test_is_another_run_than_the_real_one(self, images, command):
        words = [*TINY[:-1], f"data.root={images}", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
        for extra in ([], ["debug=default"]):
            done = command(*words, *extra)
        assert len(list(done.folder.rglob(run_directory.RESULT_FILE))) == 2
