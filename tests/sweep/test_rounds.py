"""The rounds of a sweep with looks: which runs train next."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.inference.looks import plan_looks
from headstart.runs.predictions import write_predictions
from headstart.runs.result import RunResult, read_result, write_result
from headstart.runs.sweep_file import PlannedRun, SweepCommand, append_sweep_command
from headstart.sweep.plan import SweepPlan
from headstart.sweep.rounds import iterate_rounds, list_next_jobs

ACCURACY = {"frozen": 0.9, "scratch_cnn": 0.2, "finetune": 0.7, "scratch_backbone": 0.7}
LABELS = np.arange(200) % 2
DECLARED = {"contrast": ["finetune", "scratch_backbone"], "metric": "accuracy", "margin": 0.01, "level": 0.05}


def plan_race(folder, max_seeds=8, arms=tuple(ACCURACY), minutes=None, looks=True):
    runs = tuple(
        PlannedRun(f"{arm}-{seed}", f"{arm}-{seed}", arm, {}, "photos", None, seed)
        for seed, arm in product(range(max_seeds), arms)
    )
    command = SweepCommand("race", "2026-11-30", runs, DECLARED, looks=plan_looks(max_seeds) if looks else ())
    append_sweep_command(folder, command)
    return SweepPlan(folder, command, jobs=tuple((run.directory,) for run in runs), minutes=minutes)


def train(folder, jobs, accuracy=None):
    """Writes a result of each run, without a training."""
    for run, _ in jobs:
        directory = folder / run.directory
        directory.mkdir(parents=True)
        draw = np.random.default_rng([run.seed, *run.model.encode()])
        is_right = draw.random(200) < (accuracy or ACCURACY)[run.model]
        result = RunResult(
            "finished",
            run.model,
            "photos",
            run.seed,
            identity=run.identity,
            metrics={"test/accuracy": float(is_right.mean())},
            cost={"seconds": 1.0, "seconds_in_all": 2.0, "trainable_parameters": 1},
            compare=DECLARED,
            started=f"2026-11-30T10:{run.seed:02}",
        )
        write_result(directory, result)
        predicted = np.where(is_right, LABELS, 1 - LABELS)
        write_predictions(directory, [f"{i}.png" for i in range(200)], LABELS, np.eye(2, dtype=np.float32)[predicted])


def names(jobs):
    return [run.directory for run, _ in jobs]


class TestIterateRounds:
    def test_without_looks_are_all_runs_at_once(self, tmp_path):
        plan = plan_race(tmp_path, max_seeds=2, looks=False)
        assert [names(jobs) for jobs in iterate_rounds(plan)] == [[run.directory for run in plan.command.runs]]

    def test_begin_with_a_run_of_the_two_cheapest_arms(self, tmp_path):
        rounds = iterate_rounds(plan_race(tmp_path))
        first = next(rounds)
        assert names(first) == ["frozen-0", "scratch_cnn-0"]
        train(tmp_path, first)
        assert len(names(next(rounds))) == 4 * 3 - 2

    def test_train_each_arm_once_and_then_the_longest_first(self, tmp_path):
        plan = plan_race(tmp_path)
        train(tmp_path, list_next_jobs(plan)[:2])
        later = [f"{arm}-{seed}" for arm in reversed(ACCURACY) for seed in (1, 2)]
        assert names(next(iterate_rounds(plan))) == ["scratch_backbone-0", "finetune-0", *later]

    def test_have_no_more_time_left_than_the_sweep(self, tmp_path, capsys):
        plan = replace(plan_race(tmp_path, minutes=1), started=0.0)
        train(tmp_path, list_next_jobs(plan)[:2])
        next(iterate_rounds(plan))
        assert "next look at 3 seeds\n" in capsys.readouterr().err
        next(iterate_rounds(replace(plan, minutes=None)))
        assert "next look at 3 seeds; at most 60 s left\n" in capsys.readouterr().err

    def test_leave_out_arms_that_are_beaten(self, tmp_path):
        plan, trained = plan_race(tmp_path), []
        for jobs in iterate_rounds(plan):
            train(tmp_path, jobs)
            trained += names(jobs)
        assert {"scratch_cnn-0", "scratch_cnn-2"} <= set(trained) and "scratch_cnn-3" not in trained
        assert len(trained) == len(set(trained)) < len(plan.command.runs)
        assert not list_next_jobs(plan)

    def test_go_on_from_any_interruption_as_without_one(self, tmp_path):
        undisturbed = plan_race(tmp_path / "whole")
        for jobs in iterate_rounds(undisturbed):
            train(tmp_path / "whole", jobs)
        expected = sorted(path.name for path in (tmp_path / "whole").iterdir())
        for cut in (1, 3, 5):
            folder = tmp_path / f"cut{cut}"
            for _ in range(40):  # each time the command ends after a few runs
                rounds = iterate_rounds(plan_race(folder))
                if (jobs := next(rounds, None)) is None:
                    break
                train(folder, jobs[-cut:])  # in whatever order
            assert sorted(path.name for path in folder.iterdir()) == expected

    def test_end_where_no_run_of_a_round_ends(self, tmp_path):
        plan = plan_race(tmp_path)
        train(tmp_path, list_next_jobs(plan)[:1])
        rounds = iterate_rounds(plan)
        assert next(rounds) and next(rounds, None) is None

    def test_end_where_more_seeds_are_unlikely_to_decide(self, tmp_path):
        equal = plan_race(tmp_path, max_seeds=20, arms=("finetune", "scratch_backbone"))
        for jobs in iterate_rounds(equal):
            train(tmp_path, [(replace(run, seed=0), words) for run, words in jobs], dict.fromkeys(ACCURACY, 0.7))
            for run, _ in jobs:  # each training is alike
                result = read_result(tmp_path / run.directory)
                write_result(tmp_path / run.directory, replace(result, seed=run.seed))
        assert len(list(tmp_path.glob("finetune-*"))) == 5
        (verdict,) = analyze_sweep(tmp_path).verdicts
        assert verdict.stopped_for_futility and verdict.next_look is None and not list_next_jobs(equal)

    def test_end_at_the_last_look_where_nothing_is_decided(self, tmp_path):
        plan = plan_race(tmp_path, max_seeds=5)
        for jobs in iterate_rounds(plan):
            train(tmp_path, jobs, dict.fromkeys(ACCURACY, 0.7))
        assert len(list(tmp_path.glob("*-4"))) >= 2

    def test_print_the_table_of_the_arms(self, tmp_path, capsys):
        plan = plan_race(tmp_path)
        for jobs in iterate_rounds(plan):
            train(tmp_path, jobs)
        printed = capsys.readouterr().err
        assert "stopped after 3 seeds" in printed and "next look at 3 seeds" in printed


class TestListNextJobs:
    def test_trains_a_budget_by_its_own_looks(self, tmp_path):
        plan = plan_race(tmp_path, arms=("frozen", "scratch_cnn"))
        ten = tuple(
            replace(run, directory=f"ten-{run.directory}", identity=f"ten-{run.identity}", labels_per_class=10)
            for run in plan.command.runs
        )
        command = replace(plan.command, runs=(*plan.command.runs, *ten))
        plan = replace(plan, command=command, jobs=tuple((run.directory,) for run in command.runs))
        append_sweep_command(tmp_path, command)
        train(tmp_path, [job for job in list_next_jobs(plan) if job[0].labels_per_class is None])
        assert {run.labels_per_class for run, _ in list_next_jobs(plan)} == {10}

    def test_trains_a_data_set_by_its_own_looks(self, tmp_path):
        plan = plan_race(tmp_path, arms=("frozen", "scratch_cnn"))
        birds = tuple(
            replace(run, directory=f"birds-{run.directory}", identity=f"birds-{run.identity}", data="birds")
            for run in plan.command.runs
        )
        command = replace(plan.command, runs=(*plan.command.runs, *birds))
        plan = replace(plan, command=command, jobs=tuple((run.directory,) for run in command.runs))
        append_sweep_command(tmp_path, command)
        train(tmp_path, [job for job in list_next_jobs(plan) if job[0].data == "photos"])
        assert {run.data for run, _ in list_next_jobs(plan)} == {"birds"}

    @pytest.mark.parametrize("max_seeds", [1, 2, 3])
    def test_has_a_single_round_of_few_seeds(self, tmp_path, max_seeds):
        assert len(list_next_jobs(plan_race(tmp_path, max_seeds))) == 4 * max_seeds
