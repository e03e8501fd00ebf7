"""The transferability curve and its verdicts, each with a case in which it must fail."""

import math

import pytest

from headstart.understand.statistics import Estimate
from headstart.understand.transfer.transfer_curve import (
    TransferCurve,
    explain_undecided_adaptation,
    higher_stage_adaptation_verdict,
    lower_stage_transfer_verdict,
    render_transfer_curve,
)

NO_LOSS, LOSS, GAIN = Estimate(0.0, -0.01, 0.01), Estimate(-0.1, -0.15, -0.05), Estimate(0.1, 0.05, 0.15)
UNKNOWN = Estimate(0.0, -0.1, 0.1)
BASE = {
    "frozen": [0.80, 0.81, 0.79, 0.60],
    "finetuned": [0.80, 0.82, 0.83, 0.90],
    "random_frozen": [0.80, 0.7, 0.5, 0.3],
}


def rows(base=BASE, seeds=3):
    """Runs of three stages; each seed is a point above the last, and the ways jitter by a tenth of one."""
    return [
        {"num_stages": kept, "mode": way, "seed": seed, "accuracy": accuracy + 0.01 * seed + 0.001 * (seed * i % 2)}
        for i, (way, accuracies) in enumerate(base.items())
        for kept, accuracy in enumerate(accuracies)
        for seed in range(seeds)
        if kept or way == "frozen"
    ]


def verdicts(some):
    curve = TransferCurve(some)
    lower, every = curve.lower_depths(), curve.depths("frozen")[-1:]
    tuned, top = curve.difference("frozen", "finetuned", lower), curve.difference("frozen", "finetuned", every)
    over = curve.difference("frozen", "scratch", lower), curve.difference("frozen", "random_frozen", lower)
    return lower_stage_transfer_verdict(*over), higher_stage_adaptation_verdict(tuned, top)


def test_accuracies_are_means_over_seeds_and_nothing_kept_stands_in_every_line():
    curve = TransferCurve(rows())
    assert curve.depths("finetuned") == curve.depths("random_frozen") == [0, 1, 2, 3]
    assert [round(one.value, 3) for one in curve.accuracies("frozen")] == [0.81, 0.82, 0.80, 0.61]
    assert curve.lower_depths() == [1]


def test_differences_are_paired_by_seed():
    difference = TransferCurve(rows()).difference("frozen", "scratch", [1])
    assert difference.value == pytest.approx(0.01) and difference.high - difference.low < 0.01, (
        "seeds' own luck is gone"
    )
    assert TransferCurve(rows()[:-1]).difference("random_frozen", "frozen", [3]).value == pytest.approx(-0.3, abs=0.01)


def test_runs_of_several_folds_are_averaged():
    folded = [{**row, "accuracy": row["accuracy"] + shift} for row in rows() for shift in (-0.1, 0.1)]
    assert TransferCurve(folded).accuracies("frozen")[0] == pytest.approx(TransferCurve(rows()).accuracies("frozen")[0])


def test_what_was_not_run_has_no_difference_and_one_seed_no_interval():
    assert TransferCurve([]).difference("frozen", "scratch", [1]) is None and TransferCurve([]).lower_depths() == []
    assert TransferCurve(rows()).difference("frozen", "scratch", []) is None
    assert math.isnan(TransferCurve(rows(seeds=1)).difference("frozen", "scratch", [1]).low)


def test_a_curve_in_which_both_claims_hold():
    assert verdicts(rows()) == ("holds", "holds")


def test_a_curve_whose_first_stage_loses_when_it_is_frozen_fails_both():
    assert verdicts(rows({**BASE, "frozen": [0.80, 0.70, 0.65, 0.60]})) == ("fails", "fails")


def test_a_random_first_stage_that_does_better_fails_the_transfer():
    assert verdicts(rows({**BASE, "random_frozen": [0.80, 0.85, 0.5, 0.3]}))[0] == "fails"


def test_one_seed_decides_nothing():
    assert verdicts(rows(seeds=1)) == ("depends", "depends")


def test_the_rules():
    assert lower_stage_transfer_verdict(NO_LOSS, GAIN) == "holds" and lower_stage_transfer_verdict(
        LOSS, GAIN
    ) == "fails" == lower_stage_transfer_verdict(NO_LOSS, LOSS)
    assert lower_stage_transfer_verdict(UNKNOWN, GAIN) == "depends" == lower_stage_transfer_verdict(NO_LOSS, UNKNOWN)
    assert (
        higher_stage_adaptation_verdict(NO_LOSS, LOSS) == "holds"
        and higher_stage_adaptation_verdict(LOSS, LOSS) == "fails"
    )
    assert (
        higher_stage_adaptation_verdict(NO_LOSS, NO_LOSS) == "depends" == higher_stage_adaptation_verdict(UNKNOWN, LOSS)
    )
    little = Estimate(-0.018, -0.03, -0.006)
    assert (
        lower_stage_transfer_verdict(little, GAIN)
        == higher_stage_adaptation_verdict(little, LOSS)
        == higher_stage_adaptation_verdict(NO_LOSS, little)
        == "depends"
    )
    assert lower_stage_transfer_verdict(NO_LOSS, NO_LOSS) == "fails", "random stages do as well"
    assert "nothing had to adapt" in explain_undecided_adaptation(
        NO_LOSS
    ) and "too few" in explain_undecided_adaptation(UNKNOWN)


def test_a_curve_of_one_depth_has_no_lower_stages():
    assert TransferCurve([row for row in rows() if row["num_stages"] == 1]).lower_depths() == []
    assert "fine-tuned: 82.0 at 1" in render_transfer_curve(
        TransferCurve([r for r in rows(seeds=1) if r["mode"] == "finetuned"]), "one"
    )


def test_the_drawing_says_its_figures_in_words():
    assert "pretrained, frozen: 81.0 at 0, 82.0 at 1" in render_transfer_curve(TransferCurve(rows()), "curve")
