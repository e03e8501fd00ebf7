"""Advice on freezing that rests on a curve, with curves that must contradict the probes'."""

from headstart.understand.statistics import Interval
from headstart.understand.transfer.frozen_stages import (
    advice,
    against_tuning_all,
    put_to_the_test,
    stages_to_freeze,
    verdict,
)
from headstart.understand.transfer.sweep_rows import swept

NAMES = ["stem", "layer1"]
LITTLE, MUCH, OPEN = Interval(-0.01, -0.015, 0.0), Interval(-0.2, -0.25, -0.15), Interval(-0.01, -0.2, 0.18)


def test_each_choice_is_held_against_fine_tuning_all_seed_by_seed(transplanted):
    gains = against_tuning_all(swept(transplanted()), 2)
    assert [round(gain.middle, 3) for gain in gains] == [-0.3, -0.005, -0.2]
    assert all(gain.high - gain.low < 0.01 for gain in gains), "seeds' own luck is gone"


def test_a_curve_of_another_network_or_with_holes_says_nothing(transplanted):
    assert against_tuning_all(swept(transplanted()), 3) == []
    holes = [row for row in transplanted() if row["settings"] != {"model.kept": 1, "model.kept_as": "frozen"}]
    assert against_tuning_all(swept(holes), 2) == []


def test_the_most_stages_that_lose_little_are_frozen():
    assert stages_to_freeze([MUCH, LITTLE, MUCH]) == 1 and stages_to_freeze([MUCH, MUCH, LITTLE]) == 2
    assert stages_to_freeze([LITTLE, MUCH, MUCH]) == 0


def test_the_probes_advice_fails_where_the_runs_that_followed_it_surely_lost():
    assert [verdict(1, [MUCH, gain]) for gain in (LITTLE, MUCH, OPEN)] == ["holds", "fails", "depends"]
    assert [verdict(0, [MUCH, gain]) for gain in (LITTLE, MUCH, OPEN)] == ["fails", "holds", "depends"]
    assert "2 stages frozen its runs are −20.0 points" in put_to_the_test(2, [MUCH, LITTLE, MUCH])
    assert "so their advice fails" in put_to_the_test(2, [MUCH, LITTLE, MUCH])
    assert "so their advice fails" in put_to_the_test(0, [MUCH, LITTLE, MUCH])
    assert "do not tell" in put_to_the_test(1, [MUCH, OPEN, MUCH])


def test_the_advice_says_that_it_rests_on_the_curve_and_how_sure_that_is(transplanted):
    found = swept(transplanted())
    said = advice(found, NAMES, against_tuning_all(found, 2))
    assert "freeze up to stage 1 (stem)" in said and "digits, 5 labels per class, 3 seeds" in said
    assert "stronger evidence" in said and "too few" not in said
    one = swept(transplanted(seeds=1))
    assert "too few" in advice(one, NAMES, against_tuning_all(one, 2))
    lost = swept(transplanted(frozen=(0.5, 0.7, 0.6)))
    assert advice(lost, NAMES, against_tuning_all(lost, 2)).startswith("Advice: freeze nothing")
