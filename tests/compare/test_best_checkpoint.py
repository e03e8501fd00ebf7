"""Which checkpoint of a sweep is the one to use."""

import json

import numpy as np
import pytest

from headstart.cli import main
from headstart.compare.best_checkpoint import find_best_checkpoint
from headstart.errors import HeadstartError
from headstart.files import write_json
from headstart.runs import run_directory
from headstart.runs.predictions import write_predictions
from headstart.runs.result import RunResult, write_result

IMAGES = 200


@pytest.fixture
def a_run(tmp_path):
    """Writes a finished run that has the first ``right`` of 200 test images right."""

    def write(arm, seed, right, budget=5, validated=None, seconds=1.0, data="photos"):
        directory = tmp_path / "sweep" / f"{arm}-{data}-{budget}-{seed}"
        (directory / run_directory.CHECKPOINT_FOLDER).mkdir(parents=True)
        run_directory.best_checkpoint_path(directory).touch()
        labels = np.arange(IMAGES) % 2
        predicted = np.where(np.arange(IMAGES) < right, labels, 1 - labels)
        write_predictions(directory, [str(i) for i in range(IMAGES)], labels, np.eye(2, dtype=np.float32)[predicted])
        metrics = {"test/accuracy": right / IMAGES} | ({"val/accuracy": validated} if validated else {})
        result = {"status": "finished", "model": arm, "arm": arm, "data": data, "labels_per_class": budget,
                  "seed": seed, "identity": directory.name, "metrics": metrics,
                  "cost": {"seconds": seconds}, "settings": {}}  # fmt: skip
        write_json(directory / run_directory.RESULT_FILE, result)
        return tmp_path / "sweep"

    return write


def test_the_arm_that_wins_at_the_largest_budget_and_its_best_validated_seed(a_run):
    for seed, validated in ((0, 0.7), (1, 0.9), (2, 0.8)):
        a_run("frozen", seed, 190, budget=5)
        a_run("finetune", seed, 100, budget=5)
        a_run("frozen", seed, 100, budget=20, validated=0.99)
        sweep = a_run("finetune", seed, 180 - seed, budget=20, validated=validated)
    choice = find_best_checkpoint(sweep)
    assert choice.path == run_directory.best_checkpoint_path(sweep / "finetune-photos-20-1")
    assert choice.reason.startswith("finetune at 20 labels per class: nothing beat it") and "90.0%" in choice.reason


def test_of_undecided_arms_the_most_accurate_so_far_and_it_says_so(a_run):
    for seed in range(3):
        a_run("frozen", seed, 150, seconds=1.0)
        sweep = a_run("finetune", seed, 151, seconds=9.0)
    choice = find_best_checkpoint(sweep)
    assert "undecided between it and frozen" in choice.reason and "finetune-photos-5-0" in str(choice.path)
    assert "most often so far, which may be luck; right on 75.5% of the test images" in choice.reason
    assert "the lowest, since nothing validates" in choice.reason


def test_of_a_tie_the_cheapest_and_it_says_so(a_run, monkeypatch):
    monkeypatch.setattr("headstart.compare.inference.verdict.Verdict.is_tie", True)
    for seed in range(3):
        a_run("frozen", seed, 150, seconds=1.0)
        sweep = a_run("finetune", seed, 151, seconds=9.0)
    choice = find_best_checkpoint(sweep)
    assert "a tie of it and finetune, of which it trains fastest" in choice.reason
    assert "frozen-photos-5-0" in str(choice.path)


def test_a_sweep_that_is_not_whole_says_so(a_run):
    for seed in range(2):
        a_run("frozen", seed, 190)
        sweep = a_run("scratch_cnn", seed, 100)
    for path in sweep.rglob(run_directory.RESULT_FILE):
        asked = {"asked_seeds": [0, 1, 2], "asked_arms": 2, "asked_budgets": 1}
        path.write_text(json.dumps({**json.loads(path.read_text()), **asked}))
    assert "Not finished: 2 of 6 runs are missing" in find_best_checkpoint(sweep).reason


def test_test_images_never_choose_between_the_runs_of_an_arm(a_run):
    a_run("frozen", 0, 100, validated=0.9)
    sweep = a_run("frozen", 1, 190, validated=0.8)
    assert "frozen-photos-5-0" in str(find_best_checkpoint(sweep).path)


def test_all_labels_are_the_largest_budget(a_run):
    a_run("frozen", 0, 100, budget=20)
    assert "all labels" in find_best_checkpoint(a_run("frozen", 0, 100, budget=None)).reason


def test_what_cannot_be_chosen_is_said_in_one_line(a_run, tmp_path):
    sweep = a_run("frozen", 0, 100)
    a_run("finetune", 1, 100)
    with pytest.raises(HeadstartError, match="its arms share no seed"):
        find_best_checkpoint(sweep)
    a_run("frozen", 0, 100, data="others")
    with pytest.raises(HeadstartError, match="others and photos"):
        find_best_checkpoint(sweep)
    (tmp_path / "empty").mkdir()
    with pytest.raises(HeadstartError, match="holds no run"):
        find_best_checkpoint(tmp_path / "empty")


def test_the_command_prints_the_path_alone(a_run, capsys):
    sweep = a_run("frozen", 0, 100)
    assert main.run_cli(["best", str(sweep)]) == 0
    said = capsys.readouterr()
    assert (
        said.out.strip() == str(run_directory.best_checkpoint_path(sweep / "frozen-photos-5-0"))
        and "only arm" in said.err
    )


def test_a_failed_run_is_no_choice(a_run):
    sweep = a_run("frozen", 0, 100)
    failed = sweep / "failed"
    failed.mkdir()
    write_result(failed, RunResult("failed", "frozen", "photos", 0, error="x"))
    assert "frozen" in find_best_checkpoint(sweep).reason


def test_an_arm_that_failed_is_no_choice_and_is_named(a_run):
    for seed in range(2):
        a_run("frozen", seed, 150)
        a_run("scratch_cnn", seed, 100)
        sweep = a_run("finetune", seed, 199)
    place = sweep / "finetune-photos-5-1" / run_directory.RESULT_FILE
    place.write_text(json.dumps({**json.loads(place.read_text()), "status": "failed", "error": "the loss is NaN"}))
    assert "finetune is refused as evidence there: seed 1 failed: the loss is NaN" in find_best_checkpoint(sweep).reason


def test_an_arm_whose_runs_all_failed_leaves_the_others_fit_to_be_compared(a_run):
    for seed in range(2):
        a_run("frozen", seed, 190)
        a_run("scratch_cnn", seed, 100)
        sweep = a_run("finetune", seed, 199)
        place = sweep / f"finetune-photos-5-{seed}" / run_directory.RESULT_FILE
        place.write_text(json.dumps({**json.loads(place.read_text()), "status": "failed", "error": "x"}))
    assert (
        "frozen at 5 labels per class: nothing beat it, and every other was beaten"
        in find_best_checkpoint(sweep).reason
    )
