"""The entry point's manners: one line for whatever goes wrong, and an exit code that tells."""

import errno
import subprocess
import sys

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig

from headstart.config.command_line import TRAIN_PROGRAM
from headstart.config.compose import CONFIG_NAME, VERSION_BASE
from headstart.config.launch import launch_hydra, print_one_line_errors
from headstart.config.shipped import conf_dir
from headstart.errors import HeadstartError
from headstart.process import run_command

BASIC = ["-m", "seed=0,1", "hydra/sweeper=basic", "hydra/launcher=basic"]


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Runs a job with the real configuration, its directories under tmp_path."""
    monkeypatch.setattr(sys, "argv", ["headstart-train"])
    places = [f"hydra.run.dir={tmp_path}/run", f"hydra.sweep.dir={tmp_path}/sweep", "hydra.sweep.subdir=${seed}"]
    places.append("data.folds=null")  # auto would read the images

    def run(*argv, job=lambda cfg: None, at=places):
        task = hydra.main(str(conf_dir()), CONFIG_NAME, VERSION_BASE)(print_one_line_errors(job))
        try:
            return run_command(TRAIN_PROGRAM, lambda: launch_hydra(task, [*at, *argv]))
        except SystemExit as end:
            return end.code

    return run


def failing(error):
    def job(cfg):
        raise error

    return job


def test_a_run_gets_its_configuration_and_its_directory(launch, tmp_path):
    seen = []
    assert launch("seed=0", job=lambda cfg: seen.append((cfg.seed, HydraConfig.get().runtime.output_dir))) == 0
    assert seen == [(0, f"{tmp_path}/run")]


@pytest.mark.parametrize("name", ["My photos (1)", "josé=é", "2024", "a[b]", "it's"])
def test_a_path_as_typed_reaches_a_run_and_each_run_of_a_sweep(launch, name):
    seen = []
    assert launch(f"data.root={name}", job=lambda cfg: seen.append(cfg.data.root)) == 0
    assert launch(*BASIC, f"data.root={name}", job=lambda cfg: seen.append(cfg.data.root)) == 0
    assert seen == [name] * 3


def test_an_error_is_one_line_that_names_thing_and_mend(launch, capsys):
    assert launch(job=failing(HeadstartError("the thing is wrong; mend it"))) == 1
    assert capsys.readouterr().err == "headstart-train: the thing is wrong; mend it\n"


def interrupted(cfg):
    raise KeyboardInterrupt


def interrupted_as_lightning_is(cfg):
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        sys.exit(1)


@pytest.mark.parametrize("job", [interrupted, interrupted_as_lightning_is])
@pytest.mark.parametrize("typed", [[], BASIC])
def test_an_interrupted_command_says_that_the_same_one_goes_on(launch, capsys, job, typed):
    assert launch(*typed, job=job) == 130
    assert "the same command keeps finished runs" in capsys.readouterr().err


@pytest.mark.parametrize("typed", [[], BASIC])
def test_a_command_that_is_told_to_end_says_so_by_its_exit_code(launch, capsys, typed):
    class Terminated(SystemExit):
        """What Lightning raises at SIGTERM."""

    assert launch(*typed, job=failing(Terminated())) == 143
    assert "the same command keeps finished runs" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named_with_the_mend(launch, capsys):
    assert launch(job=failing(OSError(errno.EROFS, "Read-only file system", "runs"))) == 1
    assert capsys.readouterr().err.startswith("headstart-train: runs: Read-only file system; work in another folder")


@pytest.mark.parametrize("typed", ["model=null", "data=null", "backbone=3", "model="])
def test_a_choice_that_is_no_word_is_answered_with_the_choices(launch, capsys, typed):
    assert launch(typed, job=failing(AssertionError("this ran"))) == 1
    assert "in group" in capsys.readouterr().err


def test_a_full_disk_is_called_by_its_name(launch, capsys):
    assert launch(job=failing(OSError(errno.ENOSPC, "No space left on device", "last.ckpt"))) == 1
    assert capsys.readouterr().err.startswith("headstart-train: the disk is full (last.ckpt); make room")


def test_an_unexpected_error_is_one_line_with_a_trace_on_request(launch, capsys, monkeypatch):
    assert launch(job=failing(ZeroDivisionError("no mean of\nnothing"))) == 1
    assert capsys.readouterr().err == (
        "headstart-train: ZeroDivisionError: no mean of nothing; HYDRA_FULL_ERROR=1 shows where\n"
    )
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert launch(job=failing(ZeroDivisionError("no mean"))) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("typed", [["model.hed_lr=1"], ["-m", "model.hed_lr=1,2"], ["model=froze"], ["--gpus"], ["x"]])
def test_a_mistyped_command_is_one_line_and_runs_nothing(launch, capsys, typed):
    assert launch(*typed, job=failing(AssertionError("this ran"))) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("headstart-train: no ") or "is no setting" in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_help_names_every_choice_and_three_examples(launch, capsys, tmp_path):
    extra = tmp_path / "conf" / "model" / "mine.yaml"
    extra.parent.mkdir(parents=True)
    extra.write_text("_target_: mine.Model\n")
    assert launch("--help", "--config-dir", str(tmp_path / "conf"), at=[]) == 0
    shown = capsys.readouterr().out
    assert "recipe" not in shown  # it follows from model and backbone
    for group in sorted(p for p in conf_dir().iterdir() if p.is_dir() and p.name not in ("hydra", "recipe")):
        for choice in group.glob("*.yaml"):
            assert choice.stem in shown
    assert "mine" in shown
    assert shown.count("  headstart-train ") == 3
    assert "data.labels_per_class" in shown


@pytest.mark.parametrize("typed", [["experiment=compare"], ["-m", "seed=0,1,2", "model=scratch_cnn,frozen"]])
def test_the_configuration_of_a_sweep_is_that_of_its_first_run(launch, capsys, typed):
    assert launch("--cfg", "job", *typed, at=[]) == 0
    shown = capsys.readouterr().out
    assert "seed: 0\n" in shown
    assert "ScratchCNN" in shown or "Frozen" in shown


def test_tab_completion_knows_choices_and_keys(launch, capsys, monkeypatch):
    for typed, offered in [("model=fi", "model=finetune"), ("model.head", "model.head_lr="), ("exp", "experiment=")]:
        monkeypatch.setenv("COMP_LINE", f"headstart-train {typed}")
        assert launch("-sc", "query=bash", at=[]) == 0
        assert offered in capsys.readouterr().out.split()
    assert launch("-sc", "install=bash", at=[]) == 0
    assert capsys.readouterr().out.rstrip().endswith("hydra_bash_completion headstart-train")


def test_the_version_is_that_of_headstart(launch, capsys):
    assert launch("--version", at=[]) == 0
    assert capsys.readouterr().out.startswith("headstart ")


def test_help_and_a_mistyped_key_load_no_torch():
    program = """
import sys
from headstart.train import main
for argv in (["--help"], ["--cfg", "job"], ["model.hed_lr=1"]):
    sys.argv[1:] = argv
    try:
        main()
    except SystemExit:
        pass
print(sorted({"torch", "lightning", "timm"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [["--help"], ["-m", "--version"]])
def test_help_and_version_import_no_hydra(words):
    program = "import sys; from headstart.train_command import answer_or_train; assert answer_or_train() == 0;"
    program += "sys.exit(bool({'hydra', 'omegaconf', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("headstart")


def test_console_command_hands_on_what_is_no_help():
    program = "from headstart.train_command import main; main()"
    words = [sys.executable, "-c", program, "model=scratch_cnn", "--cfg", "job"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "ScratchCNN" in done.stdout
