"""headstart-train: a run from its command to its run directory, on tiny images."""

import json
import math
import shutil
import signal
import threading
import time

import pandas as pd
import pytest
import torch
from PIL import Image

import headstart
from headstart.data.datamodule import ImageDataModule
from headstart.data.layout import scan
from headstart.models import classifier
from headstart.models.classifier import Classifier
from headstart.runs import run_directory
from headstart.runs.predictions import read_predictions
from headstart.runs.result import iter_results, read_finished_result
from headstart.training.callbacks import ProgressLine, RunCheckpoint

RESUME_POINTS = "callbacks.run_checkpoint.every_seconds=0"  # after each epoch
TINY = ["model=scratch_cnn", "data=folder", "data.folds=null", "data.image_size=16", "model.epochs=3"]


def find_runs(folder):
    """The directories of finished and failed runs below a folder."""
    return [path.parent for path in sorted(folder.rglob(run_directory.RESULT_FILE))]


def find_run(folder):
    (run,) = find_runs(folder)
    return run


def load_weights(run):
    return torch.load(run_directory.best_checkpoint_path(run), weights_only=True)["state_dict"]


def are_equal(weights, others):
    return weights.keys() == others.keys() and all(torch.equal(weights[key], others[key]) for key in weights)


def assert_same_files(run, other, *names):
    for name in names:
        assert (run / name).read_bytes() == (other / name).read_bytes(), name


@pytest.fixture
def interrupted_command(command, monkeypatch):
    """Runs a command whose training is interrupted in the given epoch and batch."""

    def run(*words, epoch, batch=0, folder):
        step = Classifier.training_step

        def interrupted_step(self, images, index):
            if self.current_epoch == epoch and index == batch:
                raise KeyboardInterrupt
            return step(self, images, index)

        with monkeypatch.context() as patch:
            patch.setattr(Classifier, "training_step", interrupted_step)
            done = command(*words, RESUME_POINTS, folder=folder)
        assert done.code == 130 and not find_runs(done.folder)

    return run


@pytest.fixture
def validation_accuracies(monkeypatch):
    """A function that sets the validation accuracy of each epoch."""

    def replace(*values):
        evaluate, end = classifier.compute_metrics, Classifier.on_validation_epoch_end

        def end_epoch(self):
            accuracy = {"accuracy": torch.tensor(values[self.current_epoch])}
            with monkeypatch.context() as patch:
                patch.setattr(classifier, "compute_metrics", lambda scores, labels: evaluate(scores, labels) | accuracy)
                end(self)

        monkeypatch.setattr(Classifier, "on_validation_epoch_end", end_epoch)

    return replace


class TestRunDirectory:
    def test_holds_all_files_and_fields_of_the_contract(self, images, command):
        done = command(*TINY, f"data.root={images}", "seed=0")
        assert done.code == 0
        run = find_run(done.folder)
        assert run.name.startswith("scratch_cnn-folder-all-seed0-")
        result = json.loads((run / run_directory.RESULT_FILE).read_text())
        assert run.name.endswith(result["identity"][:8])
        assert result["status"] == "finished" and result["seed"] == 0 and result["labels_per_class"] is None
        assert {"test/accuracy", "test/balanced_accuracy", "test/macro_f1", "test/log_loss"} <= set(result["metrics"])
        assert {"seconds", "parameters", "trainable_parameters", "flops", "peak_memory_bytes"} <= set(result["cost"])
        assert result["classes"] == ["class0", "class1", "class2"] and result["test_reads"] == 1
        assert result["training"]["label_entropy"] == pytest.approx(math.log(3), abs=0.01)
        assert result["compare"]["contrast"] == ["finetune", "scratch_backbone"]
        assert set(pd.read_parquet(run / run_directory.THUMBNAILS_FILE).columns) == {"image", "webp"}
        assert (run / run_directory.CONFIG_FILE).is_file()
        assert run_directory.best_checkpoint_path(run).is_file()
        assert not run_directory.last_checkpoint_path(run).exists()
        split = json.loads((run / run_directory.SPLIT_FILE).read_text())
        assert {row["part"] for row in split} == {"train", "test"} and all(len(row["sha256"]) == 64 for row in split)
        assert list(pd.read_csv(run / run_directory.METRICS_FILE)["epoch"]) == [0, 1, 2]

    def test_accuracy_follows_from_the_predictions(self, images, command):
        run = find_run(command(*TINY, f"data.root={images}").folder)
        rows = pd.read_parquet(run / run_directory.PREDICTIONS_FILE)
        metrics = json.loads((run / run_directory.RESULT_FILE).read_text())["metrics"]
        assert metrics["test/accuracy"] == pytest.approx((rows.label == rows.predicted).mean())
        assert all(len(p) == 3 and sum(p) == pytest.approx(1, abs=1e-5) for p in rows.probabilities)
        split = json.loads((run / run_directory.SPLIT_FILE).read_text())
        assert set(rows.image) == {row["image"] for row in split if row["part"] == "test"}

    def test_records_files_that_were_left_out(self, images, command):
        (images / "class0" / "bad.png").write_text("no image")
        shutil.copy(images / "class1" / "0.png", images / "class0" / "mistaken.png")
        shutil.copy(images / "class1" / "1.png", images / "loose.png")
        done = command(*TINY, f"data.root={images}", "data.on_bad_file=skip")
        result = json.loads((find_run(done.folder) / run_directory.RESULT_FILE).read_text())
        assert "loose.png" in done.err
        assert [(of["count"], of["images"]) for of in result["ignored"]] == [(1, ["loose.png"])]
        reasons = {entry["image"]: entry["reason"] for entry in result["skipped"]}
        assert list(reasons) == ["class0/bad.png", "class0/mistaken.png", "class1/0.png"]
        assert "two labels: class0, class1" in reasons["class1/0.png"]

    def test_cost_counts_trainable_parameters(self, images, command):
        options = ["data=folder", "data.folds=null", "data.image_size=32", f"data.root={images}", "model.epochs=1"]
        done = command("-m", *options, "model=frozen,finetune")
        costs = {r.model: r.cost for r in (read_finished_result(p) for p in find_runs(done.folder))}
        frozen, finetune = costs["frozen"], costs["finetune"]
        assert frozen["trainable_parameters"] == 257 * 3
        assert finetune["trainable_parameters"] == finetune["parameters"] == frozen["parameters"]


class TestReproducibility:
    def test_same_bytes_with_any_number_of_workers(self, images, command, tmp_path):
        run, other = (
            find_run(command(*TINY, f"data.root={images}", f"data.num_workers={n}", folder=tmp_path / str(n)).folder)
            for n in (0, 2)
        )
        files = (run_directory.METRICS_FILE, run_directory.PREDICTIONS_FILE, run_directory.SPLIT_FILE)
        assert_same_files(run, other, *files)
        assert run.name == other.name
        results = [json.loads((path / run_directory.RESULT_FILE).read_text()) for path in (run, other)]
        assert results[0]["metrics"] == results[1]["metrics"]

    def test_another_seed_starts_from_other_weights(self, images, command):
        done = command("-m", *TINY, f"data.root={images}", "seed=0,1", "model.epochs=1", "model.lr=1e-12")
        weights, others = map(load_weights, find_runs(done.folder))
        assert all((weights[k] - others[k]).abs().max() > 1e-3 for k in weights if k.endswith("weight"))

    def test_a_run_is_the_same_alone_and_in_a_sweep(self, images, command, tmp_path):
        alone = find_run(command(*TINY, f"data.root={images}", "seed=1", folder=tmp_path / "alone").folder)
        words = ["-m", *TINY, f"data.root={images}", "model=frozen,scratch_cnn", "seed=1"]
        runs = find_runs(command(*words, folder=tmp_path / "sweep").folder)
        (last,) = [run for run in runs if run.name.startswith("scratch_cnn-folder-all-seed1")]
        assert are_equal(load_weights(alone), load_weights(last))
        assert_same_files(alone, last, run_directory.PREDICTIONS_FILE)


class TestFinishedRuns:
    def test_the_same_command_trains_nothing(self, images, command):
        words = [*TINY, f"data.root={images}"]
        result = find_run(command(*words).folder) / run_directory.RESULT_FILE
        time_written = result.stat().st_mtime_ns
        again = command(*words)
        assert again.code == 0 and "done" in again.err + again.out
        assert result.stat().st_mtime_ns == time_written

    def test_the_same_sweep_shows_its_table_and_runs_nothing(self, images, command):
        words = ["-m", *TINY, f"data.root={images}", "model.epochs=1", "seed=0,1"]
        first = command(*words)
        times = {run: (run / run_directory.RESULT_FILE).stat().st_mtime_ns for run in find_runs(first.folder)}
        again = command(*words)
        assert again.code == 0 and "2 done" in again.err
        assert again.out == first.out and "scratch_cnn" in again.out
        assert times == {run: (run / run_directory.RESULT_FILE).stat().st_mtime_ns for run in find_runs(first.folder)}

    def test_arms_of_a_sweep_share_one_scan_of_the_files(self, images, command, monkeypatch):
        scans, read_layout = [], scan.read_layout
        monkeypatch.setattr(scan, "read_layout", lambda root: scans.append(root) or read_layout(root))
        options = ["model.epochs=1", "data=folder", "data.image_size=16", f"data.root={images}"]
        assert command("-m", "model=scratch_cnn,frozen", *options).code == 0
        assert len(scans) == 1  # for the plan and all runs of the seed

    def test_new_images_give_a_new_run(self, images, command):
        first = command(*TINY, f"data.root={images}")
        Image.new("RGB", (16, 16), "red").save(images / "class0" / "another.png")
        command(*TINY, f"data.root={images}")
        assert len(find_runs(first.folder)) == 2


class TestResume:
    @pytest.mark.parametrize(
        ("model", "batch"),
        [("scratch_cnn", 0), ("scratch_cnn", 1), ("finetune", 1)],
        ids=["between epochs", "within an epoch", "with batch norm and stochastic depth"],
    )
    def test_an_interrupted_run_ends_with_the_same_weights(
        self, images, command, interrupted_command, tmp_path, monkeypatch, model, batch
    ):
        words = ["data=folder", "data.image_size=32", "data.batch_size=8", f"model={model}", "model.epochs=3"]
        words += [f"data.root={images}", *(["backbone.options.drop_path_rate=0.2"] if model == "finetune" else [])]
        whole = find_run(command(*words, folder=tmp_path / "whole").folder)
        interrupted_command(*words, epoch=1, batch=batch, folder=tmp_path / "stopped")
        epochs = []

        def record_epoch(self):
            epochs.append(self.current_epoch)

        monkeypatch.setattr(Classifier, "on_train_epoch_start", record_epoch, raising=False)
        resumed = find_run(command(*words, folder=tmp_path / "stopped").folder)
        assert epochs == [1, 2]
        assert are_equal(load_weights(whole), load_weights(resumed))
        assert_same_files(whole, resumed, run_directory.PREDICTIONS_FILE, run_directory.METRICS_FILE)

    @pytest.mark.parametrize(
        "ending",
        [
            ["callbacks=early_stopping", "callbacks.early_stopping.patience=1"],
            ["+trainer.max_steps=4", "data.batch_size=24", "data.validation=0"],  # two epochs
        ],
        ids=["early stopping", "steps"],
    )
    def test_a_run_interrupted_after_its_last_epoch_trains_no_longer(
        self, image_folder, command, monkeypatch, tmp_path, validation_accuracies, ending
    ):
        words = [*TINY, f"data.root={image_folder(per_class=30)}", "model.epochs=6", RESUME_POINTS, *ending]
        validation_accuracies(0.5, 0.4, 0.9, 0.9, 0.9, 0.9)
        whole = find_run(command(*words, folder=tmp_path / "whole").folder)
        with monkeypatch.context() as patch:
            patch.setattr(RunCheckpoint, "on_train_end", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
            assert command(*words, folder=tmp_path / "stopped").code == 130
        resumed = find_run(command(*words, folder=tmp_path / "stopped").folder)
        assert json.loads((resumed / run_directory.RESULT_FILE).read_text())["epochs"] == 2
        assert_same_files(whole, resumed, run_directory.PREDICTIONS_FILE, run_directory.METRICS_FILE)

    def test_cost_counts_the_seconds_before_the_interruption(self, images, command, monkeypatch):
        save = RunCheckpoint.save_resume_point

        def save_and_stop(self, trainer):
            self.seconds += 1000.0  # a long first half
            save(self, trainer)
            raise KeyboardInterrupt

        words = [*TINY, f"data.root={images}", RESUME_POINTS]
        with monkeypatch.context() as patch:
            patch.setattr(RunCheckpoint, "save_resume_point", save_and_stop)
            assert command(*words).code == 130
        cost = read_finished_result(find_run(command(*words).folder)).cost
        assert cost["seconds_in_all"] >= cost["seconds"] > 1000

    def test_a_run_that_was_moved_keeps_its_best_epoch(
        self, image_folder, command, interrupted_command, tmp_path, validation_accuracies
    ):
        words = [*TINY, f"data.root={image_folder(per_class=30)}", "model.epochs=5"]
        validation_accuracies(0.1, 0.9, 0.2, 0.3, 0.4)
        whole = find_run(command(*words, folder=tmp_path / "whole").folder)
        interrupted_command(*words, epoch=3, folder=tmp_path / "stopped")
        (tmp_path / "stopped").rename(tmp_path / "moved")
        resumed = find_run(command(*words, folder=tmp_path / "moved").folder)
        assert json.loads((resumed / run_directory.RESULT_FILE).read_text())["epoch"] == 1
        assert are_equal(load_weights(whole), load_weights(resumed))
        assert_same_files(whole, resumed, run_directory.PREDICTIONS_FILE)

    @pytest.mark.parametrize("content", ["of another run", "junk", "code"])
    def test_rejects_a_resume_point_of_another_run(self, images, command, tmp_path, monkeypatch, content):
        words = [*TINY, f"data.root={images}", "model.epochs=2", RESUME_POINTS]
        with monkeypatch.context() as patch:
            patch.setattr(Classifier, "on_test_epoch_end", lambda self: (_ for _ in ()).throw(KeyboardInterrupt()))
            for seed in (0, 1):
                command(*words, f"seed={seed}", f"hydra.run.dir=seed{seed}")
        last, other = (run_directory.last_checkpoint_path(tmp_path / "work" / f"seed{seed}") for seed in (0, 1))
        if content == "of another run":
            shutil.copy(other, last)
        elif content == "junk":
            last.write_bytes(b"half a file")
        else:
            torch.save({"callbacks": print}, last)
        refused = command(*words, "seed=0", "hydra.run.dir=seed0")
        assert refused.code == 1 and refused.err.count("\n") == 1
        assert "last.ckpt" in refused.err and "remove it" in refused.err


class TestBestEpoch:
    def test_the_later_of_two_equal_epochs_is_tested(self, image_folder, command, validation_accuracies):
        validation_accuracies(0.1, 0.9, 0.9, 0.2)
        root = image_folder(per_class=30)
        run = find_run(command(*TINY, f"data.root={root}", "model.epochs=4").folder)
        result = json.loads((run / run_directory.RESULT_FILE).read_text())
        checkpoint = torch.load(run_directory.best_checkpoint_path(run), weights_only=True)
        assert result["epoch"] == checkpoint["epoch"] == 2 and result["metrics"]["val/accuracy"] == pytest.approx(0.9)
        assert "optimizer_states" not in checkpoint
        split = json.loads((run / run_directory.SPLIT_FILE).read_text())
        assert [sum(row["part"] == part for row in split) for part in ("train", "val", "test")] == [40, 8, 12]
        rows = pd.read_parquet(run / run_directory.PREDICTIONS_FILE)
        assert headstart.load(run).predict([root / name for name in rows.image]).labels == rows.predicted.tolist()
        accuracies = pd.read_csv(run / run_directory.METRICS_FILE)["val/accuracy"].tolist()
        assert accuracies == pytest.approx([0.1, 0.9, 0.9, 0.2])


class TestTrainerOptions:
    @pytest.mark.parametrize(
        ("option", "epochs"),
        [("trainer.max_epochs=2", 2), ("+trainer.max_steps=1", 1), ("+trainer.check_val_every_n_epoch=2", 3)],
    )
    def test_limits_of_lightning_take_effect(self, image_folder, command, option, epochs):
        done = command(*TINY, f"data.root={image_folder(per_class=30)}", option)
        assert done.code == 0
        assert json.loads((find_run(done.folder) / run_directory.RESULT_FILE).read_text())["epochs"] == epochs


class TestBudgets:
    def test_one_that_does_not_fit_is_refused_before_training(self, images, command):
        refused = command("-m", *TINY, f"data.root={images}", "data.labels_per_class=5,40")
        assert refused.code == 1 and "40" in refused.err and len(refused.err.strip().splitlines()) == 1
        assert not find_runs(refused.folder)

    def test_default_budgets_fit_the_data(self, image_folder, command):
        images = image_folder(classes=2, per_class=16, size=16)
        options = ["data=folder", f"data.root={images}", "data.image_size=16"]
        done = command("experiment=curve", *options, "model=scratch_cnn", "seed=0", "model.epochs=1")
        results = [json.loads((run / run_directory.RESULT_FILE).read_text()) for run in find_runs(done.folder)]
        assert done.code == 0 and {result["labels_per_class"] for result in results} == {5, 10, None}


class TestLooks:
    """A comparison without typed seeds trains until the order is known."""

    def compare(self, command, images, *words, folder=None):
        options = ["data=folder", f"data.root={images}", "data.image_size=28", "data.folds=null"]
        models = ["model=scratch_cnn,lenet"]
        if not any(word.startswith("trainer.max_epochs=") for word in words):
            models.append("trainer.max_epochs=1")  # their epochs are tables
        return command("experiment=compare", *options, *models, *words, folder=folder)

    def test_go_on_until_the_last_seed(self, image_folder, command):
        images = image_folder(classes=2, per_class=16, size=28)
        done = self.compare(command, images, "compare.max_seeds=4")
        assert done.code == 0
        seeds = sorted(result.seed for _, result in iter_results(done.folder))
        assert seeds == [0, 0, 1, 1, 2, 2, 3, 3]
        assert "looks at 3, 4 seeds" in done.err

    def test_end_when_time_is_up_and_go_on(self, image_folder, command):
        images = image_folder(classes=2, per_class=16, size=28)
        words = ["compare.max_seeds=3"]
        short = self.compare(command, images, *words, "compare.minutes=1e-6")
        assert short.code == 0 and "time is up; no training came as far as a resume point" in short.err
        assert not list(iter_results(short.folder))
        done = self.compare(command, images, *words)
        assert done.code == 0 and len(list(iter_results(done.folder))) == 6

    def test_stop_a_training_in_its_middle_when_time_is_up(self, image_folder, command, monkeypatch, tmp_path):
        images = image_folder(classes=2, per_class=16, size=28)
        words = ["compare.max_seeds=2", "trainer.max_epochs=3", RESUME_POINTS, "hydra.launcher.workers=1"]
        whole = self.compare(command, images, *words, folder=tmp_path / "whole")
        save, saved, ends = RunCheckpoint.save_resume_point, [], []

        def save_and_wait(self, trainer):
            save(self, trainer)
            saved.append(trainer.current_epoch)
            if len(saved) == 3:  # in the second run
                signal.setitimer(signal.ITIMER_REAL, 1e-3)
                threading.Event().wait(600)

        with monkeypatch.context() as patch:
            patch.setattr(RunCheckpoint, "save_resume_point", save_and_wait)
            patch.setattr(ProgressLine, "on_test_end", lambda self, *_: ends.append(self.stop_at))
            start = time.time()
            short = self.compare(command, images, *words, "compare.minutes=10", folder=tmp_path / "short")
        assert short.code == 0 and "compare.minutes=10: time is up; the same command goes on" in short.err
        assert len(list(iter_results(short.folder))) == 1
        assert len(ends) == 1 and start + 600 <= ends[0] <= time.time() + 600  # which caps the time left on its line
        done = self.compare(command, images, *words, "compare.minutes=10", folder=tmp_path / "short")
        assert done.code == 0 and "going on after epoch 1" in done.err
        metrics = [{r.name: result.metrics for r, result in iter_results(c.folder)} for c in (whole, done)]
        assert metrics[0] == metrics[1] and len(metrics[0]) == 4


class TestTestPart:
    def test_is_read_once_after_training(self, images, command, monkeypatch):
        steps, steps_before_test = [], []
        loader, step = ImageDataModule.test_dataloader, Classifier.training_step
        monkeypatch.setattr(Classifier, "training_step", lambda s, b, i: steps.append(1) or step(s, b, i))
        monkeypatch.setattr(
            ImageDataModule, "test_dataloader", lambda self: steps_before_test.append(len(steps)) or loader(self)
        )
        command(*TINY, f"data.root={images}")
        assert steps_before_test == [len(steps)] and steps


class TestGroups:
    @pytest.fixture
    def photos(self, image_folder):
        """Two classes with five folders of four images each."""
        root = image_folder(per_class=20, size=16)
        for path in sorted(root.rglob("*.png")):
            folder = path.parent / f"camera{int(path.stem) % 5}"
            folder.mkdir(exist_ok=True)
            path.rename(folder / path.name)
        return root

    def test_are_in_the_split_and_beside_the_predictions(self, photos, command):
        done = command(*TINY, f"data.root={photos}", "data.group=folder")
        run = find_run(done.folder)
        rows = json.loads((run / run_directory.SPLIT_FILE).read_text())
        groups = {row["image"]: row["group"] for row in rows if row["part"] == "test"}
        predictions = read_predictions(run)
        assert done.code == 0 and len({row["group"] for row in rows}) == 5
        assert predictions.groups == [groups[image] for image in predictions.images]
        assert not set(predictions.groups) & {row["group"] for row in rows if row["part"] != "test"}

    def test_are_counted_once_at_the_start(self, photos, command):
        done = command("-m", *TINY, f"data.root={photos}", "data.group=folder", "seed=0,1", "hydra/launcher=basic")
        assert done.code == 0 and done.err.count("data.group=folder: 40 images in 5 groups") == 1
        assert len({tuple(sorted(set(read_predictions(run).groups))) for run in find_runs(done.folder)}) == 1

    def test_of_one_class_too_few_are_refused_before_training(self, photos, command):
        refused = command(*TINY, f"data.root={photos}", "data.group=folder", "data.folds=6")
        assert refused.code == 1 and "give no more folds" in refused.err and len(refused.err.strip().splitlines()) == 1

    @pytest.mark.parametrize("data", ["digits", "mnist"])
    def test_data_sets_without_groups_have_no_such_key(self, command, data):
        for word in ("data.group=folder", "+data.group=folder"):
            refused = command("model=scratch_cnn", f"data={data}", word)
            assert refused.code == 1 and "data.group" in refused.err and len(refused.err.strip().splitlines()) == 1
