"""Which of several hypotheses are rejected, and at which level each is decided."""

import numpy as np
import pytest

from headstart.compare.inference.multiple_testing import reject_step_down


class TestRejectStepDown:
    def test_stops_at_the_first_that_is_not_rejected(self):
        p = {("a", "b"): 0.01, ("a", "c"): 0.04, ("b", "c"): 0.03}
        assert reject_step_down(p, 0.05, max_true=3).rejected == {("a", "b")}
        assert reject_step_down({**p, ("b", "c"): 0.02}, 0.05, max_true=3).rejected == set(p)

    def test_counts_pairs_that_can_still_be_equal(self):
        # Three arms, two of which differ: the third can equal one of them at most.
        p = {("a", "b"): 0.01, ("a", "c"): 0.04, ("b", "c"): 0.03}
        assert reject_step_down(p, 0.05, max_true=1).rejected == set(p)
        later = reject_step_down({("a", "c"): 0.04}, 0.05, max_true=1, has_prior_rejection=True)
        assert later.rejected == {("a", "c")}

    def test_levels_tell_the_rejected_from_the_others(self):
        draw = np.random.default_rng(0)
        for _ in range(100):
            p = {("a", str(i)): float(value) for i, value in enumerate(draw.random(6) ** 3)}
            outcome = reject_step_down(p, 0.05, max_true=3)
            assert {pair for pair in p if p[pair] <= outcome.levels[pair]} == outcome.rejected

    def test_levels_are_those_of_the_steps(self):
        p = {("a", "b"): 0.001, ("a", "c"): 0.01, ("b", "c"): 0.9}
        assert reject_step_down(p, 0.06, max_true=1).levels == pytest.approx(
            {("a", "b"): 0.02, ("a", "c"): 0.06, ("b", "c"): 0.06}
        )
