import math

import pytest

from headstart.understand.decision import decide, decide_by, decide_cases
from headstart.understand.statistics import Estimate

ABOVE, AROUND, BELOW = Estimate(0.2, 0.1, 0.3), Estimate(0.0, -0.1, 0.1), Estimate(-0.2, -0.3, -0.1)


class TestDecide:
    @pytest.mark.parametrize(
        ("estimates", "verdict"),
        [
            (ABOVE, "holds"),
            (AROUND, "depends"),
            (BELOW, "fails"),
            ([ABOVE, ABOVE], "holds"),
            ([ABOVE, BELOW], "depends"),
            ([BELOW, BELOW], "fails"),
            ([], "not measured"),
            (Estimate(0.2, math.nan, math.nan), "depends"),
            (Estimate(0.0, 0.0, 0.0), "fails"),
        ],
    )
    def test_holds_only_above_the_margin(self, estimates, verdict):
        assert decide(estimates) == verdict

    def test_moves_with_the_margin(self):
        assert decide(ABOVE, 0.2) == "depends" and decide(ABOVE, 0.3) == "fails"

    def test_a_lower_failure_margin_leaves_a_gap(self):
        assert (
            decide(ABOVE, 0.5, failure_margin=0.25) == "depends" and decide(AROUND, 0.5, failure_margin=0.25) == "fails"
        )


class TestDecideCases:
    @pytest.mark.parametrize(
        ("cases", "verdict"),
        [([True, True], "holds"), ([True, False], "depends"), ([False], "fails"), ([], "not measured")],
    )
    def test_counts_them(self, cases, verdict):
        assert decide_cases(cases) == verdict


class TestDecideBy:
    def test_failure_comes_first(self):
        assert decide_by(holds=True, fails=True) == "fails" and decide_by(holds=False, fails=False) == "depends"
