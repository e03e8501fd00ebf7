"""Advice on freezing that rests on a curve, with curves that must contradict the probes'."""

from headstart.understand.statistics import Estimate
from headstart.understand.transfer.frozen_stages import (
    count_stages_to_freeze_from_curve,
    format_advice_check,
    format_curve_advice,
    freezing_verdict,
    gains_over_full_finetuning,
)
from headstart.understand.transfer.sweep_rows import build_transfer_sweep

NAMES = ["stem", "layer1"]
LITTLE, MUCH, OPEN = Estimate(-0.01, -0.015, 0.0), Estimate(-0.2, -0.25, -0.15), Estimate(-0.01, -0.2, 0.18)


def test_each_choice_is_held_against_fine_tuning_all_seed_by_seed(transplanted):
    gains = gains_over_full_finetuning(build_transfer_sweep(transplanted()), 2)
    assert [round(gain.value, 3) for gain in gains] == [-0.3, -0.005, -0.2]
    assert all(gain.high - gain.low < 0.01 for gain in gains), "seeds' own luck is gone"


def test_a_curve_of_another_network_or_with_holes_says_nothing(transplanted):
    assert gains_over_full_finetuning(build_transfer_sweep(transplanted()), 3) == []
    holes = [row for row in transplanted() if row["settings"] != {"model.num_stages": 1, "model.mode": "frozen"}]
    assert gains_over_full_finetuning(build_transfer_sweep(holes), 2) == []


def test_the_most_stages_that_lose_little_are_frozen():
    assert (
        count_stages_to_freeze_from_curve([MUCH, LITTLE, MUCH]) == 1
        and count_stages_to_freeze_from_curve([MUCH, MUCH, LITTLE]) == 2
    )
    assert count_stages_to_freeze_from_curve([LITTLE, MUCH, MUCH]) == 0


def test_the_probes_advice_fails_where_the_runs_that_followed_it_surely_lost():
    assert [freezing_verdict(1, [MUCH, gain]) for gain in (LITTLE, MUCH, OPEN)] == ["holds", "fails", "depends"]
    assert [freezing_verdict(0, [MUCH, gain]) for gain in (LITTLE, MUCH, OPEN)] == ["fails", "holds", "depends"]
    assert "2 stages frozen its runs are −20.0 points" in format_advice_check(2, [MUCH, LITTLE, MUCH])
    assert "so their advice fails" in format_advice_check(2, [MUCH, LITTLE, MUCH])
    assert "so their advice fails" in format_advice_check(0, [MUCH, LITTLE, MUCH])
    assert "do not tell" in format_advice_check(1, [MUCH, OPEN, MUCH])


def test_the_advice_says_that_it_rests_on_the_curve_and_how_sure_that_is(transplanted):
    found = build_transfer_sweep(transplanted())
    said = format_curve_advice(found, NAMES, gains_over_full_finetuning(found, 2))
    assert "freeze up to stage 1 (stem)" in said and "digits, 5 labels per class, 3 seeds" in said
    assert "stronger evidence" in said and "too few" not in said
    one = build_transfer_sweep(transplanted(seeds=1))
    assert "too few" in format_curve_advice(one, NAMES, gains_over_full_finetuning(one, 2))
    lost = build_transfer_sweep(transplanted(frozen=(0.5, 0.7, 0.6)))
    assert format_curve_advice(lost, NAMES, gains_over_full_finetuning(lost, 2)).startswith("Advice: freeze nothing")
