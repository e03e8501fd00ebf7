"""The runs that the commands of a sweep ask for and that have no result."""

from itertools import product

import pytest

from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.collect.sweep_runs import collect_runs
from headstart.runs.run_directory import IDENTITY_FILE, RESULT_FILE


@pytest.fixture
def unfinished(tmp_path):
    """Returns the unfinished sweeps of ``tmp_path / "sweep"``."""
    return lambda *folders: find_unfinished_sweeps(collect_runs(*folders or [tmp_path / "sweep"]))


class TestFindUnfinishedSweeps:
    def test_counts_each_command_and_not_their_product(self, fake_run, fake_command, missing_run, unfinished, tmp_path):
        arms = ("finetune", "frozen")
        fake_command(tmp_path / "sweep", [fake_run(arm, seed) for arm, seed in product(arms, range(5))])
        larger = [fake_run(arm, 0, budget) for arm, budget in product(arms, (10, 20))]
        missing = [missing_run(arm, 1, budget) for arm, budget in product(arms, (10, 20))]
        fake_command(tmp_path / "sweep", [*larger, *missing])
        (state,) = unfinished()
        assert (state.sweep, state.asked, state.missing, state.begun) == ("sweep", 18, 4, 0)

    def test_asks_once_for_a_run_of_two_commands(self, fake_run, fake_command, missing_run, unfinished, tmp_path):
        run = fake_run()
        fake_command(tmp_path / "sweep", [run])
        fake_command(tmp_path / "sweep", [run, missing_run(seed=1)])
        (state,) = unfinished()
        assert (state.asked, state.missing) == (2, 1)

    def test_is_empty_for_a_whole_sweep(self, fake_sweep, fake_command, unfinished):
        fake_command(fake_sweep(budgets=(5,)))
        assert unfinished() == []

    def test_is_empty_without_commands(self, fake_sweep, unfinished):
        fake_sweep(budgets=(5,), seeds=(0,))
        assert unfinished() == []

    def test_takes_failed_runs_for_ended_ones(self, fake_run, fake_command, unfinished):
        run = fake_run(status="failed", error="the loss is NaN")
        fake_command(run.parent)
        assert unfinished() == []

    def test_takes_an_unreadable_result_for_a_missing_run(self, fake_run, fake_command, unfinished):
        kept, lost = fake_run(), fake_run(seed=1)
        fake_command(kept.parent)
        (lost / RESULT_FILE).write_text('{"status": "fini')
        assert unfinished()[0].missing == 1

    def test_counts_directories_without_a_result(self, fake_run, unfinished):
        begun = fake_run().parent / "begun"
        begun.mkdir()
        (begun / IDENTITY_FILE).write_text("begun")
        (state,) = unfinished()
        assert (state.asked, state.missing, state.begun) == (None, 0, 1)

    def test_misses_no_run_that_two_sweeps_share(self, fake_run, fake_command, unfinished, tmp_path):
        for sweep in ("one", "two"):
            fake_command(tmp_path / sweep, [fake_run(sweep=sweep, identity="same")])
        assert unfinished(tmp_path / "one", tmp_path / "two") == []

    def test_asks_for_nothing_beside_a_single_run(self, fake_run, fake_command, missing_run, unfinished):
        run = fake_run()
        fake_command(run.parent, [run, missing_run(seed=1)])
        assert unfinished(run) == []

    def test_asks_for_the_later_of_two_runs_of_a_place(self, fake_run, fake_command, missing_run, unfinished):
        run = fake_run()
        fake_command(run.parent, [run])
        fake_command(run.parent, [missing_run()])  # images changed
        (state,) = unfinished()
        assert (state.asked, state.missing) == (1, 1)
