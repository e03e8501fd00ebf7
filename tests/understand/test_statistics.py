"""A figure and its interval."""

import math

import numpy as np
import pytest
from scipy import stats

from headstart.understand.statistics import Estimate, newcombe_interval, t_interval, wilson_interval


def test_seeds_have_students_interval_and_one_seed_has_none():
    values = [0.5, 0.6, 0.8]
    expected = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert t_interval(values) == pytest.approx((np.mean(values), *expected))
    assert t_interval([0.7]).value == 0.7 and math.isnan(t_interval([0.7]).low)


def test_a_share_has_wilsons_interval():
    expected = stats.binomtest(10, 16).proportion_ci(method="wilson")
    assert wilson_interval(10 / 16, 16) == pytest.approx((10 / 16, expected.low, expected.high))
    assert (
        0.95 < wilson_interval(1.0, 100).low < 0.97
        and wilson_interval(1.0, 100).high == 1
        and wilson_interval(0.0, 0) == (0, 0, 1)
    )


def test_two_shares_differ_by_as_much_as_in_newcombes_first_example():
    found = newcombe_interval(wilson_interval(56 / 70, 70), wilson_interval(48 / 80, 80))
    assert found == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_it_is_said_with_its_interval_where_it_has_one():
    assert Estimate(0.02, -0.011, 0.051).format_points() == "+2.0 points (−1.1 to +5.1)"
    assert Estimate(0.801, 0.752, 0.845).format_percent() == "80.1 % (75.2 to 84.5)"
    assert Estimate(-0.3, -0.4, -0.2).format_decimal() == "−0.30 (−0.40 to −0.20)"
    assert Estimate(0.85, math.nan, math.nan).format_decimal() == "0.85"
    assert Estimate(math.nan, math.nan, math.nan).format_decimal() == "–"
    assert Estimate(0.9, -0.1, 1.2).clip_to_unit_interval() == (0.9, 0, 1)
    assert math.isnan(Estimate(0.9, math.nan, math.nan).clip_to_unit_interval().low)
    assert Estimate(0.1, 0.05, 0.2).scaled_interval(100) == pytest.approx((5, 20))
    assert Estimate(0.1, math.nan, math.nan).scaled_interval(100) is None
