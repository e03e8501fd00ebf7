"""What a sweep was asked for by all its commands together."""

from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.summary_table import collect_runs


def test_a_sweep_asks_for_what_each_of_its_commands_did_and_not_for_their_product(fake_run, tmp_path):
    for arm in ("finetune", "frozen"):
        for seed in range(5):
            fake_run(arm, seed, 5, asked_seeds=[0, 1, 2, 3, 4], asked_budgets=1, asked_arms=2)
        for budget in (10, 20):
            fake_run(arm, 0, budget, asked_seeds=[0, 1], asked_budgets=3, asked_arms=2)
    (state,) = find_unfinished_sweeps(collect_runs(tmp_path / "sweep"))
    # Five seeds at 5 labels, two at 10 and two at 20, of two arms; seed 1 is missing at 10 and 20.
    assert (state.asked, state.missing) == (18, 4)


def test_a_budget_that_no_run_has_reached_is_missing_with_all_its_seeds(fake_run, tmp_path):
    for arm in ("finetune", "frozen"):
        fake_run(arm, 0, 5, asked_seeds=[0, 1], asked_budgets=2, asked_arms=2)
    (state,) = find_unfinished_sweeps(collect_runs(tmp_path / "sweep"))
    assert (state.asked, state.missing) == (8, 6)


def test_folds_that_were_asked_for_later_are_a_command_of_their_own(fake_run, tmp_path):
    for arm in ("finetune", "frozen"):
        for seed in range(2):
            asked = {"asked_budgets": 1, "asked_arms": 2}
            fake_run(arm, seed, 10, asked_seeds=[0, 1], **asked)
            for fold in range(2):
                fake_run(arm, 2 + seed, 10, fold=fold, folds=2, asked_seeds=[2, 3], **asked)
    assert find_unfinished_sweeps(collect_runs(tmp_path / "sweep")) == []


def test_an_arm_asked_for_at_one_more_budget_asks_nothing_of_the_others(fake_run, tmp_path):
    for arm in ("frozen", "scratch_cnn"):
        for seed in range(2):
            fake_run(arm, seed, 5, asked_seeds=[0, 1], asked_budgets=1, asked_arms=2)
    fake_run("frozen", 0, 10, asked_seeds=[0], asked_budgets=1, asked_arms=1)
    assert find_unfinished_sweeps(collect_runs(tmp_path / "sweep")) == []


def test_an_arm_that_no_run_has_reached_is_missing(fake_run, tmp_path):
    fake_run("frozen", 0, 5, asked_seeds=[0, 1], asked_budgets=1, asked_arms=3)
    (state,) = find_unfinished_sweeps(collect_runs(tmp_path / "sweep"))
    assert (state.asked, state.missing) == (6, 5)
