"""A run that learned nothing is no evidence, and seeds that were added later are another look."""

import math

import pytest

from headstart.compare.inference.eligibility import count_looks, exclusion_reason


def a_run(loss=0.3, entropy=0.693, seed=0, **more):
    return {"status": "finished", "seed": seed, "training": {"loss": loss, "label_entropy": entropy}, **more}


def test_an_arm_that_learned_is_evidence_and_so_is_one_of_a_version_that_did_not_say():
    assert exclusion_reason([a_run(), {"status": "finished", "seed": 1}]) is None


@pytest.mark.parametrize("loss", [0.693, 0.66, math.nan, math.inf, None])
def test_one_run_that_never_learned_refuses_its_arm(loss):
    # The scratch arm of a well-known tutorial comparison sat at 0.693 for fifteen epochs.
    assert "seed 3 never learned" in exclusion_reason([a_run(), a_run(loss, seed=3)])


def test_a_failed_run_refuses_its_arm_with_its_reason():
    failed = {"status": "failed", "error": "the loss is NaN", "seed": 2, "fold": 1, "folds": 5}
    assert exclusion_reason([a_run(), failed]) == "seed 2, fold 1, failed: the loss is NaN"


def asked(*seeds, started=None):
    return {"asked_seeds": list(seeds)} | ({"started": started} if started else {})


def test_a_sweep_that_was_asked_for_once_is_one_look_however_often_it_was_killed():
    assert count_looks([asked(0, 1, 2)] * 6) == 1
    assert count_looks([]) == count_looks([{}]) == 1


def test_seeds_that_were_added_are_further_looks():
    assert count_looks([asked(0, 1, 2), asked(0, 1, 2, 3, 4), asked(0, 1, 2)]) == 2
    assert (
        count_looks([asked(5, started="2026-03"), asked(0, 1, started="2026-01"), asked(0, 1, 2, started="2026-02")])
        == 3
    )


def test_a_part_of_what_was_asked_before_is_no_further_look():
    assert count_looks([asked(0, 1, 2, started="2026-01"), asked(0, started="2026-02")]) == 1
