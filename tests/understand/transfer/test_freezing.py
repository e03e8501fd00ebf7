"""The rules of the verdicts, each with a case in which it must fail."""

import pytest

from headstart.understand.statistics import Estimate
from headstart.understand.transfer.freezing import (
    count_stages_to_freeze_from_probes,
    explain_undecided_stage_change,
    first_stage_transfer_verdict,
    format_probe_advice,
    stage_change_verdict,
    universality_verdict,
)

LIKELY, WORTH_LITTLE = Estimate(0.06, -0.02, 0.14), Estimate(0.04, 0.01, 0.08)
NOTHING, SMALL, LARGE = Estimate(0.0, -0.02, 0.02), Estimate(0.01, 0.005, 0.03), Estimate(0.2, 0.1, 0.3)
UNKNOWN = Estimate(0.02, -0.1, 0.14)
LOST = Estimate(-0.1, -0.2, -0.01)


def test_the_first_stage_is_universal_where_training_it_gains_the_margin_at_most():
    said = [universality_verdict(gained, LOST) for gained in (NOTHING, SMALL, LARGE, UNKNOWN)]
    assert said == ["holds", "holds", "fails", "depends"]
    assert universality_verdict(WORTH_LITTLE, LOST) == universality_verdict(LIKELY, LOST) == "depends"


def test_it_is_not_where_random_weights_may_do_as_much():
    assert universality_verdict(NOTHING, UNKNOWN) == universality_verdict(NOTHING, LARGE) == "depends"
    assert universality_verdict(LARGE, UNKNOWN) == "fails"


def test_first_filters_serve_another_task_where_random_ones_do_not_serve_as_well():
    assert [first_stage_transfer_verdict(gained) for gained in (LARGE, NOTHING, UNKNOWN)] == [
        "holds",
        "fails",
        "depends",
    ]
    assert first_stage_transfer_verdict(SMALL) == "fails" and first_stage_transfer_verdict(WORTH_LITTLE) == "holds"


def test_the_higher_stages_changed_most_where_likeness_and_weights_agree_that_they_did():
    fell, stayed = Estimate(0.4, 0.3, 0.5), Estimate(0.0, -0.02, 0.02)
    assert stage_change_verdict(fell, [0.1, 0.5]) == "holds"
    assert stage_change_verdict(stayed, [0.5, 0.1]) == "fails"
    assert stage_change_verdict(fell, [0.5, 0.1]) == stage_change_verdict(stayed, [0.1, 0.5]) == "depends"
    assert "disagree" in explain_undecided_stage_change(fell) and "disagree" in explain_undecided_stage_change(stayed)


def test_a_fall_of_likeness_that_few_images_leave_open_decides_nothing():
    open_ = Estimate(0.04, -0.1, 0.2)
    assert stage_change_verdict(open_, [0.5, 0.1]) == stage_change_verdict(open_, [0.1, 0.5]) == "depends"
    assert "do not tell" in explain_undecided_stage_change(open_)


def test_stages_are_frozen_up_to_the_first_that_gained():
    assert count_stages_to_freeze_from_probes([NOTHING, UNKNOWN, LARGE, NOTHING]) == 2
    assert count_stages_to_freeze_from_probes([LARGE, NOTHING]) == 0
    assert count_stages_to_freeze_from_probes([NOTHING, NOTHING]) == 2
    assert count_stages_to_freeze_from_probes([SMALL, WORTH_LITTLE, LIKELY]) == 2


@pytest.mark.parametrize("high", [0.01, 0.03, 0.049, 0.051, 0.07, 0.2])
@pytest.mark.parametrize("low", [-0.2, -0.01, 0.005, 0.049, 0.051, 0.06])
def test_the_advice_never_contradicts_the_verdict_on_the_first_stage(low, high):
    frozen = count_stages_to_freeze_from_probes([Estimate((low + high) / 2, low, high)]) == 1
    assert {"holds": frozen, "fails": not frozen}.get(
        universality_verdict(Estimate(0, low, high), LOST), True
    ) or low > high


def test_the_advice_names_stage_and_evidence():
    alike = [Estimate(0.99, 0.98, 1.0), Estimate(0.9, 0.8, 1.0), Estimate(0.4, 0.3, 0.5)]
    said = format_probe_advice(["stem", "layer1", "layer2"], [NOTHING, UNKNOWN, LARGE], alike)
    assert "freeze up to stage 2 (layer1) on this data" in said and "+2.0 points (−10.0 to +14.0)" in said
    assert (
        "likeness to the pretrained ones is 0.90 or more" in said
        and "+20.0 points (+10.0 to +30.0): train that" in said
    )
    assert "too few to exclude" in said
    assert (
        "keep the backbone as it is" in format_probe_advice(["stem"], [NOTHING], alike)
        and "keep the backbone" not in said
    )
    assert format_probe_advice(["stem"], [LARGE], alike).startswith("Advice: freeze nothing")
    assert "too few" not in format_probe_advice(["stem"], [NOTHING], alike) and "train that" not in format_probe_advice(
        ["stem"], [NOTHING], alike
    )
