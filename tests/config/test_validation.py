"""A command's configuration is whole, each of its keys is read, and its directories are those of its runs."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import hydra
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from headstart.config.compose import CONFIG_NAME, VERSION_BASE
from headstart.config.identity import identify_run
from headstart.config.launch import launch_hydra, print_one_line_errors
from headstart.config.shipped import conf_dir
from headstart.config.validation import check_starting_weights
from headstart.data import ImageFolder
from headstart.errors import HeadstartError
from headstart.files import write_json
from headstart.process import format_error
from headstart.runs import run_directory
from headstart.runs.lock import lock_run_directory
from headstart.runs.refit_card import write_refit_card
from headstart.runs.result import RunResult, read_result, write_result
from headstart.sweep.planner import check_command
from headstart.training.context import RunContext

WATCH = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/accuracy}"
TINY = ["model=scratch_cnn", "data=folder", "data.folds=null", "data.image_size=16", "model.epochs=1"]


@pytest.fixture
def refuse(images, tmp_path, monkeypatch, plan_command):
    """A function that gives the line in which a command is refused before anything trains; nothing is written."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def line(*words: str) -> str:
        with pytest.raises(Exception) as refused:
            plan_command(*TINY, f"data.root={images}", *words)
        assert not list(Path().iterdir())
        return format_error(refused.value)

    return line


class TestKeys:
    @pytest.mark.parametrize(
        ("typed", "line"),
        [
            ("+ckpt_path=x", "no key 'ckpt_path'; the same command goes on where it stopped"),
            ("+tags=x", "no key 'tags'; nothing would read it"),
            ("+compare.levels=1", "no key 'compare.levels'; did you mean 'compare.level'?"),
            ("+tune.every=1", "no key 'tune.every'; nothing would read it"),
            ("+backbone.weight=x", "no key 'backbone.weight'; did you mean 'backbone.weights'?"),
            ("+data.train_val_test_split=[1,2]", "ImageFolderDataModule takes no such argument"),
            ("+data.image_sizes=3", "did you mean 'data.image_size'?"),
            ("+model.dropout=0.5", "ScratchCNN takes no such argument"),
            ("++model.lrate=0.5", "no key 'model.lrate'"),
            ("+logger.csv=3", "logger.csv: names no class"),
            ("+callbacks.mine=3", "callbacks.mine: 3 names no class"),
            ("callbacks=x", "no choice 'x' in group 'callbacks' (choices: default, early_stopping, none)"),
            ("logger=[csv,tensorbord]", "no choice 'tensorbord' in group 'logger'; did you mean 'tensorboard'?"),
            ("logger=null", "no choice 'null' in group 'logger'"),
            ("trainer.devices=2", "trainer.devices=2: a run trains on one device"),
            ("+trainer.max_epoch=3", "did you mean 'trainer.max_epochs'?"),
        ],
    )
    def test_that_nothing_reads_are_refused(self, refuse, typed, line):
        assert line in refuse(typed)

    @pytest.mark.parametrize("word", ["ckpt_path=x", "task_name=x"])
    def test_of_other_templates_get_no_advice_to_add_them(self, refuse, word):
        key = word.partition("=")[0]
        assert refuse(word).startswith(f"no key '{key}'; ") and f"+{word}" not in refuse(word)

    @pytest.mark.parametrize(
        ("typed", "line"),
        [
            (["backbone=resnet18"], "model=scratch_cnn reads no backbone"),
            (["backbone.weights=hub"], "model=scratch_cnn reads no backbone.weights"),
            (["model=frozen", "backbone.lr=0.1"], "model=frozen reads no backbone.lr"),
            (["-m", "model=frozen,scratch_cnn", "backbone.batch_norm=fixed"], "model=frozen, scratch_cnn reads no"),
            (["tune.space.lr=[1e-4,1e-2]"], "nothing is searched; add tune.trials=8"),
            (["data.validation=0.3", "data.labels_per_class=5"], "data.validation=0.3: below 20 labels per class no"),
            (
                ["-m", "data.validation=0.3", "data.labels_per_class=2,5"],
                "below 20 labels per class no image validates",
            ),
            (
                ["-m", "seed=0,1", "data.labels_per_class=2", f"+trainer.callbacks=[{WATCH}]"],
                "EarlyStopping watches",
            ),
            (["data.validation=0", "+trainer.check_val_every_n_epoch=2"], "no image validates in this run"),
            (["--config-path", "x"], "--config-path: the configuration is the package's own"),
            (["data._target_=headstart.data.image_folder.Nope"], "data: there is no headstart.data.image_folder.Nope"),
            (["model=scratch_backbone", "backbone.std=[0.5,0.5,0.5]"], "model=scratch_backbone reads no backbone.std"),
            (
                ["-m", "tune.trials=2", "tune.space.head_lr=[1e-3,1e-2]", "data.labels_per_class=20"],
                "no head_lr to search",
            ),
            (["data.seed=5"], "data.seed=5: one seed serves the whole run; give seed=5"),
            (["-m", "data.seed=0,1"], "data.seed=1: one seed serves the whole run"),
            (["data.test=none", "data.validation=0"], "data.test=none: a run ends with its test"),
            (["-m", "seed=0,1", "data.test=none", "data.validation=0"], "data.test=none: a run ends with its test"),
        ],
    )
    def test_that_change_nothing_are_refused(self, refuse, typed, line):
        assert line in refuse(*typed)

    def test_a_share_beside_a_given_part_is_refused(self, refuse, image_folder, tmp_path):
        for part in ("train", "val", "test"):
            image_folder(classes=2, per_class=30, root=tmp_path / "parts" / part, seed=len(part))
        words = [f"data.root={tmp_path}/parts", "data.validation=0.3"]
        assert "the data's own val part validates as a whole" in refuse(*words)

    def test_a_share_where_no_group_can_validate_is_refused(self, refuse, image_folder, tmp_path):
        root = image_folder(per_class=60, root=tmp_path / "groups")
        two_groups = r"data.group=(?<=\d\d)\.p|(?<=/\d)\.pn"  # names with one digit and with two
        assert "has 1 group beside the test part" in refuse(f"data.root={root}", two_groups, "data.validation=0.3")

    def test_that_one_arm_reads_are_taken(self, images, tmp_path, monkeypatch, plan_command):
        monkeypatch.chdir(tmp_path)
        words = [*TINY, f"data.root={images}", "-m", "model=finetune,scratch_cnn", "backbone.lr=0.01"]
        assert plan_command(*words).num_runs == 2

    @pytest.mark.parametrize(
        ("typed", "line"),
        [
            ("~seed", "seed: the configuration has none"),
            ("~trainer.max_epochs", "~trainer.max_epochs: there is nothing to take away"),
            ("~model.epochs", "model.epochs: the configuration has no such key"),
            ("~compare.level", "compare.level: the configuration has no such key"),
            (
                "trainer.max_epochs='3'",
                "trainer.max_epochs=3: give a whole number of 1 or more, or null for the model's own; it",
            ),
            ("~data.seed", "data.seed: the configuration has no such key; do not take it away"),
            ("seed='3'", "seed=3: give a whole number of 0 or more; it is text here"),
        ],
    )
    def test_that_are_needed_are_named(self, refuse, typed, line):
        assert line in refuse(typed)

    @pytest.mark.parametrize("group", ["model", "data", "trainer", "compare"])
    def test_of_a_group_are_needed(self, group, plan_command):
        with pytest.raises(HeadstartError, match=f"^{group}: the configuration has none; choose one"):
            plan_command(f"~{group}")

    def test_that_a_yaml_lacks_are_named_with_the_mend(self, tmp_path, images, plan_command):
        (tmp_path / "mine" / "data").mkdir(parents=True)
        own = tmp_path / "mine" / "data" / "own.yaml"
        own.write_text(f"_target_: headstart.data.ImageFolder\nroot: {images}\nimage_size: 16\n")
        words = ["--config-dir", str(tmp_path / "mine"), "data=own"]
        with pytest.raises(HeadstartError, match=r"begin data/own\.yaml with `defaults: \[folder, _self_\]`"):
            plan_command("model=scratch_cnn", *words)
        own.write_text(f"defaults: [folder, _self_]\nroot: {images}\nimage_size: 16\n")
        assert plan_command("model=scratch_cnn", *words) is None

    def test_that_an_interpolation_reads_are_taken(self, tmp_path, images, monkeypatch, plan_command):
        monkeypatch.chdir(tmp_path)
        plan_command(*TINY, f"data.root={images}", "+size=16", "data.image_size=${size}")


class TestStartingWeights:
    def test_that_have_seen_test_images_are_refused(self, images, tmp_path, refit_card):
        source = ImageFolder(root=str(images))
        write_refit_card(tmp_path, refit_card)
        config = OmegaConf.create({"model": {"backbone": {"weights": str(tmp_path)}}})
        whole = ImageFolder(root=str(images), test="none", validation=0)
        for rows, reason in ((source.split.rows(), None), (whole.split.rows(), "has seen 6 of the 6 test images")):
            write_json(tmp_path / run_directory.SPLIT_FILE, rows)
            with pytest.raises(HeadstartError, match=reason) if reason else nullcontext():
                check_starting_weights(config, source)

    @pytest.mark.parametrize("weights", ["embedded", "none", "nowhere.ckpt"])
    def test_of_other_origins_are_taken(self, images, weights):
        config = OmegaConf.create({"model": {"backbone": {"weights": weights}}})
        check_starting_weights(config, ImageFolder(root=str(images)))


class TestDirectories:
    @pytest.mark.parametrize(
        ("typed", "line"),
        [
            (["-m", "seed=0,1", "hydra.sweep.subdir=${hydra.job.num}"], "leave it out"),
            (["-m", "seed=0,1", "hydra.sweep.subdir=${hydra.runtime.choices.model}"], "leave it out"),
            (["-m", "seed=0,1", "hydra.sweep.subdir=x"], "named by what the run is"),
            (["-m", "seed=0,1", "hydra.sweep.dir=S/${seed}"], "seed differs from run to run"),
            (["-m", "model.lr=0.1,0.2", "hydra.sweep.dir=S/${model.lr}"], "model.lr differs from run to run"),
            (["-m", "model=scratch_cnn,frozen", "hydra.sweep.dir=S/${hydra.runtime.choices.model}"], "model differs"),
            (["-m", "seed=0,1", "hydra.sweep.dir=S/${hydra.job.num}"], "hydra.job.num differs from run to run"),
            (["-m", "seed=0,1", "hydra.sweep.dir="], "give a folder, or leave it out"),
            (["-m", "seed=0,1", "hydra.run.dir=R"], "this is a sweep"),
            (["hydra.sweep.dir=S"], "this is one run"),
            (["hydra.job.chdir=true"], "paths are those of the folder you work in"),
            (["data.root=nowhere"], "there is no such folder"),
            (["-m", "seed=0,1", "data.root=nowhere"], "there is no such folder"),
            (["model=frozen", "backbone.weights=no.pth"], "there is no such file"),
            (["-m", "model=scratch_cnn,frozen", "backbone.weights=no.pth"], "there is no such file"),
        ],
    )
    def test_that_would_mix_runs_or_take_no_effect(self, refuse, typed, line):
        assert line in refuse(*typed)

    def test_are_not_among_the_images(self, refuse, images, monkeypatch, plan_command):
        assert "would lie among the images" in refuse(f"hydra.run.dir={images}/runs")
        assert "would lie among the images" in refuse("-m", "seed=0,1", f"hydra.sweep.dir={images}/a/b")
        monkeypatch.chdir(images)
        with pytest.raises(HeadstartError, match="would lie among the images"):
            plan_command(*TINY, "data.root=.")

    def test_of_a_sweep_are_resolved_once(self, images, tmp_path, monkeypatch, plan_command):
        monkeypatch.chdir(tmp_path)
        words = [*TINY, f"data.root={images}", "-m", "seed=0,1", "hydra.sweep.dir='S/${now:%f}'"]
        plan = plan_command(*words)
        (written,) = {word for job in plan.jobs for word in job if word.startswith("hydra.sweep.dir=")}
        assert written == f"hydra.sweep.dir={plan.directory}" and "$" not in written


@hydra.main(str(conf_dir()), CONFIG_NAME, VERSION_BASE)
@print_one_line_errors
def train_nothing(cfg):
    """Locks the run directory and writes a result, as a run does."""
    context, identity = RunContext.from_hydra(), identify_run(cfg)
    directory = context.directory
    with lock_run_directory(directory, identity, context.wait_for_lock):
        if ended := read_result(directory, identity):
            return ended
        result = RunResult(
            status="finished",
            identity=identity,
            model="scratch_cnn",
            data="images",
            seed=cfg.seed,
            settings={"model.lr": cfg.model.lr},
            metrics={"test/accuracy": 0.5},
            cost={"seconds_in_all": 1.0},
        )
        write_result(directory, result)
        return result


COMMANDS = st.fixed_dictionaries(
    {"lr": st.sampled_from(["0.1", "0.2"]), "seeds": st.sampled_from([(0,), (0, 1), (1, 2)])},
    optional={
        "place": st.sampled_from(["S", "S/T", "${hydra.runtime.choices.data}", "S/${model.lr}"]),
        "subdir": st.sampled_from(["${hydra.job.num}", "${hydra.runtime.choices.model}", "${seed}", "x"]),
    },
)


class TestResults:
    @given(commands=st.lists(COMMANDS, min_size=2, max_size=2))
    @example(
        commands=[{"lr": lr, "seeds": (0, 1), "place": "S", "subdir": "${hydra.job.num}"} for lr in ("0.1", "0.2")]
    )
    @example(commands=[{"lr": "0.1", "seeds": (0, 1), "place": "S", "subdir": "x"}] * 2)
    @settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_are_those_of_the_command(self, commands, images, tmp_path, monkeypatch, capsys):
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        monkeypatch.setattr("sys.argv", ["headstart-train"])
        for command in commands:
            words = [*TINY, f"data.root={images}", "-m", f"model.lr={command['lr']}",
                     f"seed={','.join(map(str, command['seeds']))}"]  # fmt: skip
            words += [
                f"hydra.sweep.{k}={command[o]}" for k, o in (("dir", "place"), ("subdir", "subdir")) if o in command
            ]
            try:
                code = launch_hydra(train_nothing, words, check_command)
            except HeadstartError as error:
                assert "\n" not in str(error)
                continue
            assert code == 0
            there = [json.loads(path.read_text()) for path in Path().rglob(run_directory.RESULT_FILE)]
            of_command = {r["seed"] for r in there if str(r["settings"]["model.lr"]) == command["lr"]}
            assert of_command >= set(command["seeds"])

    def test_of_another_run_are_refused_where_they_lie(self, images, command):
        words = [*TINY, f"data.root={images}"]
        assert command(*words, "hydra.run.dir=R").code == 0
        refused = command(*words, "hydra.run.dir=R", "model.lr=0.9")
        assert refused.code == 1 and "R holds another run" in refused.err
        shutil.copytree(refused.folder / "R", refused.folder / "copy")
        assert "holds another run" in command(*words, "seed=1", "hydra.run.dir=copy").err
        assert command(*words, "hydra.run.dir=copy").out.startswith("done before")

    def test_copied_to_another_runs_name_do_not_count(self, images, command):
        words = ["-m", *TINY, f"data.root={images}", "hydra.sweep.dir=S"]
        done = command(*words, "seed=0,1")
        one, other = sorted(path.parent for path in done.folder.rglob(run_directory.RESULT_FILE))
        shutil.rmtree(other)
        shutil.copytree(one, other)
        again = command(*words, "seed=0,1")
        assert again.code == 1 and "holds another run" in again.err and not again.out

    def test_that_failed_elsewhere_stay_when_one_run_is_tried(self, images, command):
        done = command(*TINY, f"data.root={images}")
        failed = done.folder / "runs" / "failed"
        failed.mkdir()
        write_result(failed, RunResult("failed", "frozen", "digits", 0, error="x"))
        command(*TINY, f"data.root={images}", "seed=1", "hydra.run.dir=runs/mine")
        command(*TINY, f"data.root={images}", "seed=2", "hydra.run.dir=runs")
        assert read_result(failed).is_failed
