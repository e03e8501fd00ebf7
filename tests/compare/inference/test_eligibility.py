"""Which runs are evidence, and how often their results were looked at."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from headstart.compare.inference.eligibility import count_looks, count_planned_budgets, exclusion_reason
from headstart.compare.inference.looks import plan_looks
from headstart.runs.result import RunResult
from headstart.runs.sweep_file import PlannedRun, SweepCommand


def trained_result(loss=0.3, entropy=0.693, seed=0, **changes):
    training = {"training": {"loss": loss, "label_entropy": entropy}}
    return RunResult("finished", "frozen", "photos", seed, metrics={"test/accuracy": 0.5}, **(training | changes))


class TestExclusionReason:
    def test_is_none_for_an_arm_that_learned(self):
        assert exclusion_reason([trained_result(), trained_result(seed=1, training={})]) is None

    # The scratch arm of a well-known tutorial comparison sat at 0.693 for fifteen epochs.
    @pytest.mark.parametrize("loss", [0.693, 0.66, math.nan, math.inf, None])
    def test_names_the_one_run_that_never_learned(self, loss):
        assert "seed 3 never learned" in exclusion_reason([trained_result(), trained_result(loss, seed=3)])

    def test_has_the_error_of_a_failed_run(self):
        failed = RunResult("failed", "frozen", "photos", 2, fold=1, folds=5, error="the loss is NaN")
        assert exclusion_reason([trained_result(), failed]) == "seed 2, fold 1, failed: the loss is NaN"


def plan_command(*seeds, month, budgets=(5,), version="", data="photos", folds=None):
    runs = tuple(
        PlannedRun(f"{seed}-{budget}{version}", f"{seed}-{budget}{version}", "frozen", {}, data, budget, seed, 0, folds)
        for seed in seeds
        for budget in budgets
    )
    return SweepCommand("headstart-train -m", f"2026-{month:02}", runs, {})


def looks(*commands, started="2026-01-15"):
    return count_looks({Path("sweep"): list(commands)}, trained_result(labels_per_class=5), started)


class TestCountLooks:
    def test_is_one_without_commands(self):
        assert count_looks({}, trained_result(), "") == looks() == 1

    def test_is_one_for_one_command(self):
        assert looks(plan_command(0, 1, 2, month=1)) == 1

    def test_adds_one_for_new_seeds(self):
        assert looks(plan_command(0, 1, 2, month=1), plan_command(0, 1, 2, 3, 4, month=2)) == 2
        assert looks(plan_command(5, month=3), plan_command(0, 1, month=1), plan_command(0, 1, 2, month=2)) == 3

    def test_adds_none_for_a_part_of_the_seeds(self):
        assert looks(plan_command(0, 1, 2, month=1), plan_command(0, month=2)) == 1

    def test_adds_one_for_another_schedule(self):
        first, same, other = (
            replace(plan_command(0, 1, month=month), looks=plan_looks(seeds))
            for month, seeds in ((1, 2), (3, 2), (4, 5))
        )
        result = trained_result(labels_per_class=5)
        assert count_looks({Path("a"): [first, same]}, result, "2026-02") == 1
        assert count_looks({Path("a"): [first, same, other]}, result, "2026-02") == 2

    def test_adds_none_before_a_run_started(self):
        commands = plan_command(0, month=1), plan_command(0, 1, month=2)
        assert looks(*commands, started="2026-03") == 1

    def test_adds_one_each_time_that_runs_are_trained_anew(self):
        commands = [plan_command(0, 1, month=month, version=f"v{month}") for month in (1, 2, 3)]
        assert looks(*commands) == 3

    @pytest.mark.parametrize("other", [{"budgets": (10,)}, {"data": "birds"}, {"folds": 5}])
    def test_leaves_out_other_budgets_and_data(self, other):
        assert looks(plan_command(0, month=1), plan_command(1, month=2, **other)) == 1

    def test_goes_over_all_sweeps(self):
        commands = {Path("one"): [plan_command(0, month=1)], Path("two"): [plan_command(1, month=2)]}
        assert count_looks(commands, trained_result(labels_per_class=5), "2026-01-15") == 2


class TestCountPlannedBudgets:
    def test_counts_those_of_the_data_set(self):
        commands = [
            plan_command(0, month=1, budgets=(5, 10)),
            plan_command(1, month=2, budgets=(10, None)),
            plan_command(1, month=2, budgets=(40,), data="birds"),
        ]
        assert count_planned_budgets({Path("sweep"): commands}, trained_result()) == 3
