"""The commands that asked for the runs of a sweep."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from headstart.errors import HeadstartError
from headstart.runs.run_directory import SWEEP_FILE
from headstart.runs.sweep_file import Look, PlannedRun, SweepCommand, append_sweep_command, read_sweep_commands


def plan_run(model="frozen", seed=0, budget=5):
    return PlannedRun(f"{model}-{budget}-{seed}", f"{model}{budget}{seed}", model, {"lr": 0.1}, "digits", budget, seed)


def plan_command(*runs, command="headstart-train -m", margin=0.01):
    return SweepCommand(command, "2026-11-30T10:00:00+00:00", runs, {"margin": margin}, threads=1, workers=2)


class TestArmKey:
    def test_is_the_same_once_it_was_read_from_a_file(self, tmp_path):
        run = replace(plan_run(), settings={"model.epochs": {5: 40, 10: 30, 1000: 2}, "sizes": (1, 2)})
        append_sweep_command(tmp_path, plan_command(run))
        (command,) = read_sweep_commands(tmp_path)
        assert command.runs[0].arm_key == run.arm_key


class TestSweepCommand:
    def test_keeps_its_looks(self, tmp_path):
        command = replace(plan_command(plan_run()), looks=(Look(3, 0.1), Look(5, 0.9)), rotates=True)
        append_sweep_command(tmp_path, command)
        assert read_sweep_commands(tmp_path) == [command]
        append_sweep_command(tmp_path, replace(command, looks=(Look(3, 1.0),)))
        assert len(read_sweep_commands(tmp_path)) == 2

    def test_has_the_axes_of_its_runs(self):
        command = plan_command(plan_run(seed=1), plan_run(seed=0), plan_run("finetune", 1, None))
        assert command.seeds == (1, 0) and command.budgets == (5, None)
        assert command.arms == (plan_run().arm_key, plan_run("finetune").arm_key)


class TestAppendSweepCommand:
    def test_is_read_back_in_order(self, tmp_path):
        commands = [plan_command(plan_run(seed=seed)) for seed in (1, 0)]
        for command in commands:
            append_sweep_command(tmp_path / "new", command)
        assert read_sweep_commands(tmp_path / "new") == commands

    def test_leaves_out_the_same_runs_asked_again(self, tmp_path):
        command = plan_command(plan_run(), plan_run(seed=1))
        append_sweep_command(tmp_path, command)
        append_sweep_command(tmp_path, replace(command, runs=command.runs[::-1], command="the same", started="later"))
        assert read_sweep_commands(tmp_path) == [command]

    @pytest.mark.parametrize(
        "other",
        [
            plan_command(plan_run(), margin=0.02),
            plan_command(plan_run(), plan_run(seed=1)),
            plan_command(replace(plan_run(), identity="other")),
            replace(plan_command(plan_run()), threads=2),
            replace(plan_command(plan_run()), rotates=True),
        ],
    )
    def test_adds_other_runs_or_another_comparison(self, tmp_path, other):
        append_sweep_command(tmp_path, plan_command(plan_run()))
        append_sweep_command(tmp_path, other)
        assert len(read_sweep_commands(tmp_path)) == 2

    def test_loses_no_command_of_two_writers(self, tmp_path):
        commands = [plan_command(plan_run(seed=seed)) for seed in range(12)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda command: append_sweep_command(tmp_path, command), commands))
        assert {command.seeds for command in read_sweep_commands(tmp_path)} == {(seed,) for seed in range(12)}


class TestReadSweepCommands:
    def test_is_empty_without_a_file(self, tmp_path):
        assert read_sweep_commands(tmp_path) == []

    @pytest.mark.parametrize("text", ["[", "3", '[{"command": "x"}]'])
    def test_names_a_file_that_is_no_list_of_commands(self, tmp_path, text):
        (tmp_path / SWEEP_FILE).write_text(text)
        with pytest.raises(HeadstartError, match=r"sweep\.json"):
            read_sweep_commands(tmp_path)
