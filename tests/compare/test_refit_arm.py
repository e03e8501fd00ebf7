"""Which sweeps have an arm to train on all images."""

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.refit_arm import find_refit_command, select_refit_arm
from headstart.errors import HeadstartError


def select(sweep):
    return select_refit_arm(sweep, analyze_sweep(sweep))


def refusal(sweep):
    with pytest.raises(HeadstartError) as refused:
        select(sweep)
    assert "\n" not in str(refused.value) and find_refit_command(sweep, analyze_sweep(sweep)) is None
    return str(refused.value)


class TestSelectRefitArm:
    def test_takes_the_best_arm_at_the_largest_budget(self, fake_sweep, fake_command):
        sweep = fake_sweep()
        fake_command(sweep)
        arm = select(sweep)
        assert arm.labels_per_class == 20 and arm.name == arm.verdict.unbeaten[0]
        assert {(run.arm, run.result.labels_per_class) for run in arm.runs} == {(arm.name, 20)}

    def test_refuses_unfinished_sweeps(self, fake_sweep, fake_command, missing_run):
        sweep = fake_sweep(budgets=(5,), seeds=(0,))
        runs = [path.parent for path in sorted(sweep.rglob("result.json"))]
        fake_command(sweep, [*runs, missing_run("finetune", 1), missing_run("frozen", 1)])
        assert (
            "2 of 6 runs are missing; before headstart refit, give the sweep's command again: headstart-train -m"
            in refusal(sweep)
        )

    def test_refuses_begun_runs(self, fake_sweep):
        sweep = fake_sweep(budgets=(5,), seeds=(0,))
        (sweep / "begun").mkdir()
        (sweep / "begun" / "identity").write_text("1a2b")
        assert "1 run has begun and not ended" in refusal(sweep)

    def test_refuses_several_data_sets(self, fake_sweep, fake_run):
        sweep = fake_sweep(budgets=(5,), seeds=(0,))
        fake_run(data="others")
        assert "holds runs of others and photos" in refusal(sweep)

    def test_refuses_debug_runs(self, fake_sweep):
        assert "holds debug runs alone" in refusal(fake_sweep(budgets=(5,), seeds=(0,), debug="debug=fdr"))

    @pytest.mark.parametrize(
        ("runs", "reason"),
        [
            ([("frozen", 0)], "its runs are of one arm"),
            ([("frozen", 0), ("finetune", 1)], "its arms share no seed"),
        ],
    )
    def test_refuses_sweeps_without_a_verdict(self, fake_run, runs, reason):
        for arm, seed in runs:
            sweep = fake_run(arm, seed).parent
        line = refusal(sweep)
        assert "no verdict at 5 labels per class" in line and reason in line

    def test_refuses_where_one_arm_alone_is_fit_to_be_compared(self, fake_run):
        fake_run("frozen")
        sweep = fake_run("finetune", status="failed", error="the loss is NaN").parent
        assert "no verdict at 5 labels per class" in refusal(sweep)
