"""How long the rest of a sweep takes."""

from dataclasses import replace

import pytest

from headstart.compare.inference.looks import plan_looks
from headstart.runs.result import RunResult, write_result
from headstart.runs.sweep_file import PlannedRun, SweepCommand
from headstart.training.context import estimate_seconds_left


@pytest.fixture
def sweep(tmp_path):
    """A sweep of two arms with three seeds, and a function that finishes a run of it."""
    runs = [PlannedRun(f"{arm}{seed}", "", arm, {}, "digits", 5, seed) for seed in range(3) for arm in ("slow", "fast")]
    command = SweepCommand("headstart-train -m", "", tuple(runs), {}, workers=2)

    def finish(name, seconds):
        (tmp_path / name).mkdir()
        cost = {"seconds_in_all": seconds}
        result = RunResult("finished", name[:4], "digits", 0, metrics={"test/accuracy": 0.5}, cost=cost)
        write_result(tmp_path / name, result)

    return tmp_path, command, finish


class TestEstimateSecondsLeft:
    def test_is_unknown_before_a_run_has_finished(self, sweep):
        directory, command, _ = sweep
        assert estimate_seconds_left(directory, command, 0) is None

    def test_takes_each_arm_by_its_own_runs(self, sweep):
        directory, command, finish = sweep
        finish("slow0", 100.0)
        finish("fast0", 2.0)
        assert estimate_seconds_left(directory, command, 2) == (2 * 2.0 + 100.0) / 2

    def test_takes_other_arms_by_the_mean(self, sweep):
        directory, command, finish = sweep
        finish("fast0", 2.0)
        assert estimate_seconds_left(directory, command, 4) == 2.0 / 2

    def test_counts_all_others_where_a_sweep_has_looks(self, sweep):
        directory, command, finish = sweep
        finish("fast0", 2.0)
        with_looks = replace(command, looks=plan_looks(3))  # a round does not train in the order of the plan
        assert estimate_seconds_left(directory, with_looks, 4) == 4 * 2.0 / 2

    def test_is_none_left_in_the_last_run(self, sweep):
        directory, command, finish = sweep
        finish("slow0", 100.0)
        assert estimate_seconds_left(directory, command, 5) == 0.0
