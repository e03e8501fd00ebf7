"""The rules of the verdicts, each with a case in which it must fail."""

import pytest

from headstart.understand.statistics import Interval
from headstart.understand.transfer.freezing import (
    advice,
    higher_changed_most,
    serves,
    stages_to_freeze,
    universal,
    why_it_depends,
)

LIKELY, WORTH_LITTLE = Interval(0.06, -0.02, 0.14), Interval(0.04, 0.01, 0.08)
NOTHING, SMALL, LARGE = Interval(0.0, -0.02, 0.02), Interval(0.01, 0.005, 0.03), Interval(0.2, 0.1, 0.3)
UNKNOWN = Interval(0.02, -0.1, 0.14)
LOST = Interval(-0.1, -0.2, -0.01)


def test_the_first_stage_is_universal_where_training_it_gains_the_margin_at_most():
    said = [universal(gained, LOST) for gained in (NOTHING, SMALL, LARGE, UNKNOWN)]
    assert said == ["holds", "holds", "fails", "depends"]
    assert universal(WORTH_LITTLE, LOST) == universal(LIKELY, LOST) == "depends"


def test_it_is_not_where_random_weights_may_do_as_much():
    assert universal(NOTHING, UNKNOWN) == universal(NOTHING, LARGE) == "depends"
    assert universal(LARGE, UNKNOWN) == "fails"


def test_first_filters_serve_another_task_where_random_ones_do_not_serve_as_well():
    assert [serves(gained) for gained in (LARGE, NOTHING, UNKNOWN)] == ["holds", "fails", "depends"]
    assert serves(SMALL) == "fails" and serves(WORTH_LITTLE) == "holds"


def test_the_higher_stages_changed_most_where_likeness_and_weights_agree_that_they_did():
    fell, stayed = Interval(0.4, 0.3, 0.5), Interval(0.0, -0.02, 0.02)
    assert higher_changed_most(fell, [0.1, 0.5]) == "holds"
    assert higher_changed_most(stayed, [0.5, 0.1]) == "fails"
    assert higher_changed_most(fell, [0.5, 0.1]) == higher_changed_most(stayed, [0.1, 0.5]) == "depends"
    assert "disagree" in why_it_depends(fell) and "disagree" in why_it_depends(stayed)


def test_a_fall_of_likeness_that_few_images_leave_open_decides_nothing():
    open_ = Interval(0.04, -0.1, 0.2)
    assert higher_changed_most(open_, [0.5, 0.1]) == higher_changed_most(open_, [0.1, 0.5]) == "depends"
    assert "do not tell" in why_it_depends(open_)


def test_stages_are_frozen_up_to_the_first_that_gained():
    assert stages_to_freeze([NOTHING, UNKNOWN, LARGE, NOTHING]) == 2
    assert stages_to_freeze([LARGE, NOTHING]) == 0
    assert stages_to_freeze([NOTHING, NOTHING]) == 2
    assert stages_to_freeze([SMALL, WORTH_LITTLE, LIKELY]) == 2


@pytest.mark.parametrize("high", [0.01, 0.03, 0.049, 0.051, 0.07, 0.2])
@pytest.mark.parametrize("low", [-0.2, -0.01, 0.005, 0.049, 0.051, 0.06])
def test_the_advice_never_contradicts_the_verdict_on_the_first_stage(low, high):
    frozen = stages_to_freeze([Interval((low + high) / 2, low, high)]) == 1
    assert {"holds": frozen, "fails": not frozen}.get(universal(Interval(0, low, high), LOST), True) or low > high


def test_the_advice_names_stage_and_evidence():
    alike = [Interval(0.99, 0.98, 1.0), Interval(0.9, 0.8, 1.0), Interval(0.4, 0.3, 0.5)]
    said = advice(["stem", "layer1", "layer2"], [NOTHING, UNKNOWN, LARGE], alike)
    assert "freeze up to stage 2 (layer1) on this data" in said and "+2.0 points (−10.0 to +14.0)" in said
    assert (
        "likeness to the pretrained ones is 0.90 or more" in said
        and "+20.0 points (+10.0 to +30.0): train that" in said
    )
    assert "too few to exclude" in said
    assert "keep the backbone as it is" in advice(["stem"], [NOTHING], alike) and "keep the backbone" not in said
    assert advice(["stem"], [LARGE], alike).startswith("Advice: freeze nothing")
    assert "too few" not in advice(["stem"], [NOTHING], alike) and "train that" not in advice(
        ["stem"], [NOTHING], alike
    )
