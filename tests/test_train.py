"""A run from its command to its run directory, on tiny images."""

import json
import math
import shutil

import pandas as pd
import pytest
import torch
from PIL import Image

import headstart
from headstart import train
from headstart.data import image_folder as folder
from headstart.models import classifier
from headstart.models.classifier import Classifier
from headstart.runs import run_directory

TINY = ["model=scratch_cnn", "data=folder", "data.image_size=16", "model.epochs=3"]


def only_run(folder):
    (found,) = [path.parent for path in folder.rglob(run_directory.RESULT_FILE)]
    return found


def weights(run):
    return torch.load(run_directory.best_checkpoint_path(run), weights_only=True)["state_dict"]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_a_run_leaves_everything_that_the_contract_names(images, command):
    done = command(*TINY, f"data.root={images}", "seed=0")
    assert done.code == 0
    run = only_run(done.folder)
    assert run.name.startswith("scratch_cnn-folder-all-seed0-")
    result = json.loads((run / run_directory.RESULT_FILE).read_text())
    assert result["status"] == "finished" and result["seed"] == 0 and result["labels_per_class"] is None
    assert {"test/accuracy", "test/balanced_accuracy", "test/macro_f1", "test/log_loss"} <= set(result["metrics"])
    assert {"seconds", "parameters", "trainable_parameters", "flops", "peak_memory_bytes"} <= set(result["cost"])
    assert result["classes"] == ["class0", "class1", "class2"] and result["test_reads"] == 1
    assert result["training"]["label_entropy"] == pytest.approx(math.log(3), abs=0.01)
    assert result["asked_seeds"] == [0] and result["compare"]["contrast"] == ["finetune", "scratch_backbone"]
    assert set(pd.read_parquet(run / run_directory.THUMBNAILS_FILE).columns) == {"image", "webp"}
    assert run.name.endswith(result["identity"][:8])
    assert (
        (run / run_directory.CONFIG_FILE).is_file()
        and run_directory.best_checkpoint_path(run).is_file()
        and not run_directory.last_checkpoint_path(run).exists()
    )
    split = json.loads((run / run_directory.SPLIT_FILE).read_text())
    assert {row["part"] for row in split} == {"train", "test"} and all(len(row["sha256"]) == 64 for row in split)
    assert list(pd.read_csv(run / run_directory.METRICS_FILE)["epoch"]) == [0, 1, 2]


def test_accuracy_follows_from_the_predictions(images, command):
    run = only_run(command(*TINY, f"data.root={images}").folder)
    rows = pd.read_parquet(run / run_directory.PREDICTIONS_FILE)
    result = run_directory.read_finished_result(run)
    assert result["metrics"]["test/accuracy"] == pytest.approx((rows.label == rows.predicted).mean())
    assert all(len(p) == 3 and sum(p) == pytest.approx(1, abs=1e-5) for p in rows.probabilities)
    named = {row["image"] for row in json.loads((run / run_directory.SPLIT_FILE).read_text()) if row["part"] == "test"}
    assert set(rows.image) == named


def test_the_same_command_twice_gives_the_same_bytes_whatever_the_number_of_workers(images, command, tmp_path):
    one, other = (
        only_run(command(*TINY, f"data.root={images}", f"data.num_workers={n}", folder=tmp_path / str(n)).folder)
        for n in (0, 2)
    )
    for name in (run_directory.METRICS_FILE, run_directory.PREDICTIONS_FILE, run_directory.SPLIT_FILE):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert one.name == other.name
    assert run_directory.read_finished_result(one)["metrics"] == run_directory.read_finished_result(other)["metrics"]


def test_another_seed_trains_another_network(images, command):
    done = command("-m", *TINY, f"data.root={images}", "seed=0,1")
    one, other = (path.parent for path in sorted(done.folder.rglob(run_directory.RESULT_FILE)))
    assert not same(weights(one), weights(other))


def test_a_run_is_the_same_alone_and_last_in_a_sweep(images, command, tmp_path):
    alone = only_run(command(*TINY, f"data.root={images}", "seed=1", folder=tmp_path / "alone").folder)
    sweep = command("-m", *TINY, f"data.root={images}", "model=frozen,scratch_cnn", "seed=0,1", folder=tmp_path / "all")
    (last,) = [
        p.parent
        for p in sweep.folder.rglob(run_directory.RESULT_FILE)
        if p.parent.name.startswith("scratch_cnn-folder-all-seed1")
    ]
    assert same(weights(alone), weights(last))
    assert (alone / run_directory.PREDICTIONS_FILE).read_bytes() == (last / run_directory.PREDICTIONS_FILE).read_bytes()


def test_the_same_command_again_trains_nothing(images, command, monkeypatch):
    first = command(*TINY, f"data.root={images}")
    written = (only_run(first.folder) / run_directory.RESULT_FILE).stat().st_mtime_ns
    monkeypatch.setattr(train, "fit_and_test", lambda *_: pytest.fail("it trained again"))
    again = command(*TINY, f"data.root={images}")
    assert again.code == 0 and "done" in again.err + again.out
    assert (only_run(first.folder) / run_directory.RESULT_FILE).stat().st_mtime_ns == written


def test_a_finished_sweep_given_again_shows_its_table_and_launches_nothing(images, command, monkeypatch):
    sweep = ["-m", *TINY, f"data.root={images}", "seed=0,1"]
    first = command(*sweep)
    monkeypatch.setattr(
        "headstart.config.command_line.launch_hydra", lambda *_: pytest.fail("Hydra was asked to run it again")
    )
    again = command(*sweep)
    assert again.code == 0 and "2 runs (2 seeds), 2 done" in again.err
    assert again.out == first.out and "scratch_cnn" in again.out


def test_the_arms_of_a_sweep_look_through_the_files_together(images, command, monkeypatch):
    scans = []
    scan = folder._scan_folder
    monkeypatch.setattr(folder, "_scan_folder", lambda root: scans.append(root) or scan(root))
    sweep = [
        "-m",
        "model=scratch_cnn,frozen",
        "model.epochs=1",
        "data=folder",
        "data.image_size=16",
        f"data.root={images}",
    ]
    assert command(*sweep).code == 0
    assert len(scans) == 1  # for the plan and all runs of the seed


def test_images_added_since_the_last_command_are_seen(images, command):
    first = command(*TINY, f"data.root={images}")
    Image.new("RGB", (16, 16), "red").save(images / "class0" / "another.png")
    command(*TINY, f"data.root={images}")
    assert len(list(first.folder.rglob(run_directory.RESULT_FILE))) == 2


@pytest.mark.parametrize("batch", [0, 1], ids=["between epochs", "within an epoch"])
@pytest.mark.parametrize("model", ["scratch_cnn", "finetune"])
def test_a_killed_run_goes_on_to_the_same_weights(images, command, tmp_path, monkeypatch, model, batch):
    asked = ["data=folder", "data.image_size=32", "data.batch_size=8", f"model={model}", "model.epochs=4"]
    asked += [f"data.root={images}", *(["backbone.options.drop_path_rate=0.2"] if model == "finetune" else [])]
    whole = only_run(command(*asked, folder=tmp_path / "whole").folder)
    monkeypatch.setattr("headstart.training.callbacks.run_checkpoint.SECONDS_BETWEEN_RESUME_POINTS", -1.0)
    step = Classifier.training_step

    def killed(self, images, index):
        if self.current_epoch == 2 and index == batch:
            raise KeyboardInterrupt
        return step(self, images, index)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", killed)
        stopped = command(*asked, folder=tmp_path / "stopped")
    assert stopped.code == 130 and not list(stopped.folder.rglob(run_directory.RESULT_FILE))
    seen = []
    monkeypatch.setattr(Classifier, "on_train_epoch_start", lambda self: seen.append(self.current_epoch), raising=False)
    resumed = only_run(command(*asked, folder=tmp_path / "stopped").folder)
    assert seen == [2, 3]
    assert same(weights(whole), weights(resumed))
    assert (whole / run_directory.PREDICTIONS_FILE).read_bytes() == (
        resumed / run_directory.PREDICTIONS_FILE
    ).read_bytes()
    assert (whole / run_directory.METRICS_FILE).read_bytes() == (resumed / run_directory.METRICS_FILE).read_bytes()


@pytest.fixture
def chosen_by(monkeypatch):
    """Makes the validation accuracy of each epoch what the test says."""

    def accuracies(*values):
        evaluate, end = classifier.compute_metrics, Classifier.on_validation_epoch_end

        def end_epoch(self):
            accuracy = {"accuracy": torch.tensor(values[self.current_epoch])}
            with monkeypatch.context() as patch:
                patch.setattr(classifier, "compute_metrics", lambda scores, labels: evaluate(scores, labels) | accuracy)
                end(self)

        monkeypatch.setattr(Classifier, "on_validation_epoch_end", end_epoch)

    return accuracies


def test_the_epoch_most_accurate_on_validation_images_is_tested_the_later_of_two(image_folder, command, chosen_by):
    chosen_by(0.1, 0.9, 0.9, 0.2)
    run = only_run(command(*TINY, f"data.root={image_folder(per_class=30)}", "model.epochs=4").folder)
    result = run_directory.read_finished_result(run)
    kept = torch.load(run_directory.best_checkpoint_path(run), weights_only=True)
    assert result["epoch"] == kept["epoch"] == 2 and result["metrics"]["val/accuracy"] == pytest.approx(0.9)
    assert "optimizer_states" not in kept
    split = json.loads((run / run_directory.SPLIT_FILE).read_text())
    assert [sum(row["part"] == part for row in split) for part in ("train", "val", "test")] == [40, 8, 12]
    rows = pd.read_parquet(run / run_directory.PREDICTIONS_FILE)
    model = headstart.load(run)
    root = run.parents[1] / ".." / "images"
    said = model.predict([root / name for name in rows.image])
    assert said.labels == rows.predicted.tolist()
    assert pd.read_csv(run / run_directory.METRICS_FILE)["val/accuracy"].tolist() == pytest.approx([0.1, 0.9, 0.9, 0.2])


def test_a_killed_run_that_was_moved_keeps_its_best_epoch(image_folder, command, tmp_path, monkeypatch, chosen_by):
    asked = [*TINY, f"data.root={image_folder(per_class=30)}", "model.epochs=5"]
    chosen_by(0.1, 0.9, 0.2, 0.3, 0.4)
    whole = only_run(command(*asked, folder=tmp_path / "whole").folder)
    monkeypatch.setattr("headstart.training.callbacks.run_checkpoint.SECONDS_BETWEEN_RESUME_POINTS", -1.0)
    step = Classifier.training_step

    def killed(self, images, index):
        if self.current_epoch == 3:
            raise KeyboardInterrupt
        return step(self, images, index)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", killed)
        assert command(*asked, folder=tmp_path / "stopped").code == 130
    (tmp_path / "stopped").rename(tmp_path / "moved")
    resumed = only_run(command(*asked, folder=tmp_path / "moved").folder)
    assert run_directory.read_finished_result(resumed)["epoch"] == 1
    assert same(weights(whole), weights(resumed))
    assert (whole / run_directory.PREDICTIONS_FILE).read_bytes() == (
        resumed / run_directory.PREDICTIONS_FILE
    ).read_bytes()


@pytest.mark.parametrize("planted", ["of another run", "junk", "evil"])
def test_a_resume_point_that_is_none_of_this_run_is_refused_in_one_line(
    images, command, tmp_path, monkeypatch, planted
):
    monkeypatch.setattr("headstart.training.callbacks.run_checkpoint.SECONDS_BETWEEN_RESUME_POINTS", -1.0)
    test = Classifier.on_test_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "on_test_epoch_end", lambda self: (_ for _ in ()).throw(KeyboardInterrupt()))
        for seed in (0, 1):
            command(*TINY, f"data.root={images}", f"seed={seed}", f"hydra.run.dir=seed{seed}")
    assert Classifier.on_test_epoch_end is test
    zero, one = (run_directory.last_checkpoint_path(tmp_path / "work" / f"seed{seed}") for seed in (0, 1))
    if planted == "of another run":
        shutil.copy(one, zero)
    elif planted == "junk":
        zero.write_bytes(b"half a file")
    else:
        torch.save({"callbacks": print}, zero)
    refused = command(*TINY, f"data.root={images}", "seed=0", "hydra.run.dir=seed0")
    assert refused.code == 1 and refused.err.count("\n") == 1
    assert "last.ckpt" in refused.err and "remove it, and the same command starts anew" in refused.err


def test_what_was_left_out_is_recorded(images, command):
    bad = images / "class0" / "bad.png"
    bad.write_text("no image")
    shutil.copy(images / "class1" / "0.png", images / "class0" / "mistaken.png")
    shutil.copy(images / "class1" / "1.png", images / "loose.png")
    done = command(*TINY, f"data.root={images}", "data.on_bad_file=skip")
    run = only_run(done.folder)
    assert "passed over: images outside of the folders of the classes: 1 (loose.png)\n" in done.err
    assert [(of["count"], of["images"]) for of in run_directory.read_finished_result(run)["ignored"]] == [
        (1, ["loose.png"])
    ]
    assert run_directory.read_finished_result(run)["skipped"] == [
        {"image": "class0/bad.png", "reason": "not an image"},
        {"image": "class0/mistaken.png", "reason": "the same image stands under two labels: class0, class1"},
        {"image": "class1/0.png", "reason": "the same image stands under two labels: class0, class1"},
    ]


@pytest.mark.parametrize(
    "typed", ["trainer.max_epochs=2", "+trainer.max_steps=1", "+trainer.check_val_every_n_epoch=2"]
)
def test_the_trainer_takes_what_lightning_takes(image_folder, command, typed):
    done = command(*TINY, f"data.root={image_folder(per_class=30)}", typed)
    epochs = {"trainer.max_epochs=2": 2, "+trainer.max_steps=1": 1}.get(typed, 3)
    assert done.code == 0 and run_directory.read_finished_result(only_run(done.folder))["epochs"] == epochs


def test_the_cost_counts_what_trains(images, command):
    asked = ["data=folder", "data.image_size=32", f"data.root={images}", "model.epochs=1"]
    done = command("-m", *asked, "model=frozen,finetune")
    frozen, tuned = (
        run_directory.read_finished_result(path.parent)
        for path in sorted(done.folder.rglob(run_directory.RESULT_FILE), reverse=True)
    )
    assert frozen["cost"]["trainable_parameters"] == 257 * 3
    assert tuned["cost"]["trainable_parameters"] == tuned["cost"]["parameters"] == frozen["cost"]["parameters"]


def test_another_seed_starts_from_other_weights(images, command):
    done = command("-m", *TINY, f"data.root={images}", "seed=0,1", "model.lr=1e-12", "model.weight_decay=0")
    one, other = (weights(path.parent) for path in sorted(done.folder.rglob(run_directory.RESULT_FILE)))
    assert all((one[k] - other[k]).abs().max() > 1e-3 for k in one if k.endswith("weight"))


def test_a_budget_that_does_not_fit_is_an_error_before_anything_trains(images, command):
    refused = command("-m", *TINY, f"data.root={images}", "data.labels_per_class=5,40")
    assert refused.code == 1 and "40" in refused.err and len(refused.err.strip().splitlines()) == 1
    assert not list(refused.folder.rglob(run_directory.RESULT_FILE))


def test_budgets_that_nobody_typed_fit_the_data(image_folder, command):
    images = image_folder(classes=2, per_class=16, size=16)
    done = command("experiment=compare", "data=folder", f"data.root={images}", "data.image_size=16",
                   "model=scratch_cnn", "seed=0", "model.epochs=1")  # fmt: skip
    budgets = {json.loads(p.read_text())["labels_per_class"] for p in done.folder.rglob(run_directory.RESULT_FILE)}
    assert done.code == 0 and budgets == {5, 10}


def test_the_test_set_is_read_once_at_the_end(images, command, monkeypatch):
    from headstart.data.datamodule import ImageDataModule

    trained = []
    loader, step = ImageDataModule.test_dataloader, Classifier.training_step
    monkeypatch.setattr(Classifier, "training_step", lambda s, b, i: trained.append(1) or step(s, b, i))
    before = []
    monkeypatch.setattr(ImageDataModule, "test_dataloader", lambda s: before.append(len(trained)) or loader(s))
    command(*TINY, f"data.root={images}")
    assert before == [len(trained)]
