import math
from dataclasses import replace

import pytest

from headstart.understand.statistics import Estimate
from headstart.understand.transfer.transfer_curve import (
    CurveRow,
    TransferCurve,
    explain_undecided_adaptation,
    higher_stage_adaptation_verdict,
    lower_stage_transfer_verdict,
    render_transfer_curve,
)

NO_LOSS, LOSS, GAIN = Estimate(0.0, -0.01, 0.01), Estimate(-0.1, -0.15, -0.05), Estimate(0.1, 0.05, 0.15)
UNKNOWN, SMALL_LOSS = Estimate(0.0, -0.1, 0.1), Estimate(-0.018, -0.03, -0.006)
ACCURACIES = {
    "frozen": [0.80, 0.81, 0.79, 0.60],
    "finetuned": [0.80, 0.82, 0.83, 0.90],
    "random_frozen": [0.80, 0.7, 0.5, 0.3],
}


def build_rows(seeds=3, **accuracies):
    """Runs of three stages; each seed is a point above the last, and the modes differ by a tenth of one."""
    return [
        CurveRow(depth, mode, seed, accuracy + 0.01 * seed + 0.001 * (seed * i % 2))
        for i, (mode, by_depth) in enumerate((ACCURACIES | accuracies).items())
        for depth, accuracy in enumerate(by_depth)
        for seed in range(seeds)
        if depth or mode == "frozen"
    ]


def compute_verdicts(rows):
    curve = TransferCurve(rows)
    lower, deepest = curve.lower_depths(), curve.depths("frozen")[-1:]
    over_scratch, over_random, over_finetuned = (
        curve.difference("frozen", baseline, lower) for baseline in ("scratch", "random_frozen", "finetuned")
    )
    all_stages = curve.difference("frozen", "finetuned", deepest)
    return (
        lower_stage_transfer_verdict(over_scratch, over_random),
        higher_stage_adaptation_verdict(over_finetuned, all_stages),
    )


class TestTransferCurve:
    def test_averages_over_seeds(self):
        curve = TransferCurve(build_rows())
        assert [round(estimate.value, 3) for estimate in curve.accuracies("frozen")] == [0.81, 0.82, 0.80, 0.61]

    def test_counts_runs_without_transfer_in_every_mode(self):
        curve = TransferCurve(build_rows())
        assert curve.depths("finetuned") == curve.depths("random_frozen") == [0, 1, 2, 3]

    def test_averages_folds(self):
        folds = [replace(row, accuracy=row.accuracy + shift) for row in build_rows() for shift in (-0.1, 0.1)]
        expected = TransferCurve(build_rows()).accuracies("frozen")[0]
        assert TransferCurve(folds).accuracies("frozen")[0] == pytest.approx(expected)

    def test_differences_are_paired_by_seed(self):
        difference = TransferCurve(build_rows()).difference("frozen", "scratch", [1])
        assert difference.value == pytest.approx(0.01) and difference.high - difference.low < 0.01
        incomplete = TransferCurve(build_rows()[:-1]).difference("random_frozen", "frozen", [3])
        assert incomplete.value == pytest.approx(-0.3, abs=0.01)

    def test_has_no_difference_without_runs(self):
        assert TransferCurve([]).difference("frozen", "scratch", [1]) is None
        assert TransferCurve(build_rows()).difference("frozen", "scratch", []) is None

    def test_has_no_interval_of_one_seed(self):
        assert math.isnan(TransferCurve(build_rows(seeds=1)).difference("frozen", "scratch", [1]).low)

    def test_lower_depths_are_half_of_the_deepest_at_most(self):
        assert TransferCurve(build_rows()).lower_depths() == [1]
        assert TransferCurve([]).lower_depths() == []
        assert TransferCurve([row for row in build_rows() if row.num_stages == 1]).lower_depths() == []


class TestVerdicts:
    def test_hold_on_a_curve_that_drops_late(self):
        assert compute_verdicts(build_rows()) == ("holds", "holds")

    def test_fail_if_freezing_the_first_stage_loses(self):
        assert compute_verdicts(build_rows(frozen=[0.80, 0.70, 0.65, 0.60])) == ("fails", "fails")

    def test_transfer_fails_if_random_stages_are_better(self):
        assert compute_verdicts(build_rows(random_frozen=[0.80, 0.85, 0.5, 0.3]))[0] == "fails"

    def test_depend_on_one_seed(self):
        assert compute_verdicts(build_rows(seeds=1)) == ("depends", "depends")

    @pytest.mark.parametrize(
        ("over_scratch", "over_random", "verdict"),
        [
            (NO_LOSS, GAIN, "holds"),
            (LOSS, GAIN, "fails"),
            (NO_LOSS, LOSS, "fails"),
            (NO_LOSS, NO_LOSS, "fails"),
            (UNKNOWN, GAIN, "depends"),
            (NO_LOSS, UNKNOWN, "depends"),
            (SMALL_LOSS, GAIN, "depends"),
        ],
    )
    def test_lower_stage_transfer(self, over_scratch, over_random, verdict):
        assert lower_stage_transfer_verdict(over_scratch, over_random) == verdict

    @pytest.mark.parametrize(
        ("lower_stages", "all_stages", "verdict"),
        [
            (NO_LOSS, LOSS, "holds"),
            (LOSS, LOSS, "fails"),
            (NO_LOSS, NO_LOSS, "depends"),
            (UNKNOWN, LOSS, "depends"),
            (SMALL_LOSS, LOSS, "depends"),
            (NO_LOSS, SMALL_LOSS, "depends"),
        ],
    )
    def test_higher_stage_adaptation(self, lower_stages, all_stages, verdict):
        assert higher_stage_adaptation_verdict(lower_stages, all_stages) == verdict

    def test_undecided_adaptation_is_explained(self):
        assert "nothing had to adapt" in explain_undecided_adaptation(NO_LOSS)
        assert "too few" in explain_undecided_adaptation(UNKNOWN)


class TestRenderTransferCurve:
    def test_describes_its_figures(self):
        assert "pretrained, frozen: 81.0 at 0, 82.0 at 1" in render_transfer_curve(TransferCurve(build_rows()), "curve")

    def test_draws_a_single_mode(self):
        rows = [row for row in build_rows(seeds=1) if row.mode == "finetuned"]
        assert "fine-tuned: 82.0 at 1" in render_transfer_curve(TransferCurve(rows), "one")
