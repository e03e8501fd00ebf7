"""Which checkpoint of a sweep is the one to use."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from headstart.cli import main
from headstart.compare.best_checkpoint import find_best_checkpoint
from headstart.compare.inference.looks import plan_looks
from headstart.errors import HeadstartError
from headstart.runs.predictions import write_predictions
from headstart.runs.result import RunResult, read_result, write_result
from headstart.runs.run_directory import best_checkpoint_path
from headstart.runs.sweep_file import PlannedRun, SweepCommand, append_sweep_command

IMAGES = 200


@pytest.fixture
def fake_checkpoint(tmp_path):
    """Writes a finished run with a checkpoint that has the first ``correct`` of 200 test images right."""

    def write(arm, seed, correct, budget=5, validation=None, seconds=1.0, data="photos", **changes):
        directory = tmp_path / "sweep" / f"{arm}-{data}-{budget}-{seed}"
        best_checkpoint_path(directory).parent.mkdir(parents=True)
        best_checkpoint_path(directory).touch()
        labels = np.arange(IMAGES) % 2
        predicted = np.where(np.arange(IMAGES) < correct, labels, 1 - labels)
        names = [str(i) for i in range(IMAGES)]
        write_predictions(directory, names, labels, np.eye(2, dtype=np.float32)[predicted])
        result = RunResult(
            "finished",
            arm,
            data,
            seed,
            labels_per_class=budget,
            identity=directory.name,
            metrics={"test/accuracy": correct / IMAGES} | ({"val/accuracy": validation} if validation else {}),
            cost={"seconds": seconds},
        )
        write_result(directory, replace(result, **changes))
        return tmp_path / "sweep"

    return write


class TestSelectArm:
    def test_takes_the_winner_at_the_largest_budget(self, fake_checkpoint):
        for seed, validation in ((0, 0.7), (1, 0.9), (2, 0.8)):
            fake_checkpoint("frozen", seed, 190, budget=5)
            fake_checkpoint("finetune", seed, 100, budget=5)
            fake_checkpoint("frozen", seed, 100, budget=20, validation=0.99)
            sweep = fake_checkpoint("finetune", seed, 180 - seed, budget=20, validation=validation)
        best = find_best_checkpoint(sweep)
        assert best.path == best_checkpoint_path(sweep / "finetune-photos-20-1")
        assert best.reason.startswith("finetune at 20 labels per class: unbeaten") and "90.0%" in best.reason

    def test_takes_none_before_the_first_look(self, fake_checkpoint):
        sweep = fake_checkpoint("frozen", 0, 150)
        runs = tuple(
            PlannedRun(f"{arm}-photos-5-{seed}", f"{arm}-photos-5-{seed}", arm, {}, "photos", 5, seed)
            for seed, arm in product(range(3), ("frozen", "finetune"))
        )
        append_sweep_command(sweep, SweepCommand("race", "2026-11-30", runs, {}, looks=plan_looks(3)))
        with pytest.raises(HeadstartError, match="of frozen alone a run has ended; the same command goes on"):
            find_best_checkpoint(sweep)
        alone = fake_checkpoint("lenet", 0, 150, budget=20)  # a budget that the race does not train
        assert find_best_checkpoint(alone).reason.startswith("lenet at 20 labels per class: the only arm there")

    def test_takes_the_most_accurate_of_undecided_arms(self, fake_checkpoint):
        for seed in range(3):
            fake_checkpoint("frozen", seed, 150, seconds=1.0)
            sweep = fake_checkpoint("finetune", seed, 151, seconds=9.0)
        best = find_best_checkpoint(sweep)
        assert "finetune-photos-5-0" in str(best.path)
        assert "no clear lead over frozen" in best.reason and "75.5% of the test images" in best.reason

    def test_takes_the_cheapest_of_tied_arms(self, fake_checkpoint):
        for seed in range(3):
            fake_checkpoint("frozen", seed, 198, seconds=1.0, compare={"margin": 0.2})
            sweep = fake_checkpoint("finetune", seed, 199, seconds=9.0, compare={"margin": 0.2})
        best = find_best_checkpoint(sweep)
        assert "a tie with finetune" in best.reason and "frozen-photos-5-0" in str(best.path)

    def test_takes_all_labels_for_the_largest_budget(self, fake_checkpoint):
        fake_checkpoint("frozen", 0, 100, budget=20)
        assert "all labels" in find_best_checkpoint(fake_checkpoint("frozen", 0, 100, budget=None)).reason

    def test_takes_no_failed_arm(self, fake_checkpoint):
        for seed in range(2):
            fake_checkpoint("frozen", seed, 150)
            fake_checkpoint("scratch_cnn", seed, 100)
            sweep = fake_checkpoint("finetune", seed, 199)
        run = sweep / "finetune-photos-5-1"
        write_result(run, replace(read_result(run), status="failed", error="the loss is NaN"))
        best = find_best_checkpoint(sweep)
        assert best.path.is_relative_to(sweep / "frozen-photos-5-0")
        assert "finetune is refused as evidence there: seed 1 failed: the loss is NaN" in best.reason

    def test_compares_the_others_where_all_runs_of_an_arm_failed(self, fake_checkpoint):
        for seed in range(2):
            fake_checkpoint("frozen", seed, 190)
            fake_checkpoint("scratch_cnn", seed, 100)
            sweep = fake_checkpoint("finetune", seed, 199, status="failed", error="x")
        assert "frozen at 5 labels per class: unbeaten, and all others" in find_best_checkpoint(sweep).reason

    def test_takes_the_only_arm(self, fake_checkpoint):
        sweep = fake_checkpoint("frozen", 0, 100)
        (sweep / "failed").mkdir()
        write_result(sweep / "failed", RunResult("failed", "finetune", "photos", 0, labels_per_class=20, error="x"))
        assert "the only arm there" in find_best_checkpoint(sweep).reason


class TestSelectRun:
    def test_never_uses_test_images(self, fake_checkpoint):
        fake_checkpoint("frozen", 0, 100, validation=0.9)
        sweep = fake_checkpoint("frozen", 1, 190, validation=0.8)
        assert "frozen-photos-5-0" in str(find_best_checkpoint(sweep).path)

    def test_takes_the_lowest_seed_without_validation(self, fake_checkpoint):
        fake_checkpoint("frozen", 1, 190)
        assert "frozen-photos-5-0" in str(find_best_checkpoint(fake_checkpoint("frozen", 0, 100)).path)

    def test_takes_no_debug_run(self, fake_checkpoint):
        fake_checkpoint("frozen", 0, 100)
        sweep = fake_checkpoint("frozen", 1, 190, validation=0.99, debug="trainer.fast_dev_run=true")
        assert "frozen-photos-5-0" in str(find_best_checkpoint(sweep).path)


class TestFindBestCheckpoint:
    def test_mentions_missing_runs(self, fake_checkpoint, fake_command, missing_run):
        sweep = fake_checkpoint("frozen", 0, 190)
        fake_command(sweep, [sweep / "frozen-photos-5-0", missing_run("frozen", 1)])
        assert "Not finished: 1 of 2 runs is missing" in find_best_checkpoint(sweep).reason

    def test_names_the_refit_where_there_is_a_verdict(self, fake_checkpoint):
        sweep = fake_checkpoint("frozen", 0, 190)
        assert find_best_checkpoint(sweep).refit_command is None
        fake_checkpoint("finetune", 0, 100)
        assert find_best_checkpoint(sweep).refit_command == f"headstart refit {sweep}"

    def test_refuses_what_has_no_best_arm(self, fake_checkpoint, tmp_path):
        sweep = fake_checkpoint("frozen", 0, 100)
        fake_checkpoint("finetune", 1, 100)
        with pytest.raises(HeadstartError, match="its arms share no seed"):
            find_best_checkpoint(sweep)
        fake_checkpoint("frozen", 0, 100, data="others")
        with pytest.raises(HeadstartError, match="others and photos"):
            find_best_checkpoint(sweep)
        (tmp_path / "empty").mkdir()
        with pytest.raises(HeadstartError, match="holds no run"):
            find_best_checkpoint(tmp_path / "empty")

    def test_is_printed_as_a_path_alone(self, fake_checkpoint, capsys):
        sweep = fake_checkpoint("frozen", 0, 100)
        assert main.run_cli(["best", str(sweep)]) == 0
        printed = capsys.readouterr()
        assert printed.out.strip() == str(best_checkpoint_path(sweep / "frozen-photos-5-0"))
        assert "only arm" in printed.err
