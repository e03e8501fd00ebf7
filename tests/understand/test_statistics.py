import math

import numpy as np
import pytest
import torch
from scipy import stats

from headstart.understand.statistics import (
    Estimate,
    bootstrap_mean,
    jackknife_intervals,
    newcombe_interval,
    t_interval,
    wilson_interval,
)


class TestEstimate:
    def test_is_formatted_with_its_interval(self):
        assert Estimate(0.02, -0.011, 0.051).format_points() == "+2.0 points (−1.1 to +5.1)"
        assert Estimate(0.801, 0.752, 0.845).format_percent() == "80.1 % (75.2 to 84.5)"
        assert Estimate(-0.3, -0.4, -0.2).format_decimal() == "−0.30 (−0.40 to −0.20)"

    def test_is_formatted_without_an_interval(self):
        assert Estimate(0.85, math.nan, math.nan).format_decimal() == "0.85"
        assert Estimate(math.nan, math.nan, math.nan).format_decimal() == "–"

    def test_is_clipped_to_the_unit_interval(self):
        assert Estimate(0.9, -0.1, 1.2).clip_to_unit_interval() == (0.9, 0, 1)
        assert math.isnan(Estimate(0.9, math.nan, math.nan).clip_to_unit_interval().low)

    def test_scales_its_interval(self):
        assert Estimate(0.1, 0.05, 0.2).scaled_interval(100) == pytest.approx((5, 20))
        assert Estimate(0.1, math.nan, math.nan).scaled_interval(100) is None

    def test_changes_sign_with_its_interval(self):
        assert -Estimate(0.1, 0.05, 0.2) == (-0.1, -0.2, -0.05)

    def test_is_exact_where_it_has_no_interval(self):
        assert Estimate(0.1, math.nan, math.nan).as_exact() == (0.1, 0.1, 0.1)
        assert Estimate(0.1, 0.05, 0.2).as_exact() == (0.1, 0.05, 0.2)


class TestTInterval:
    def test_equals_scipys(self):
        values = [0.5, 0.6, 0.8]
        expected = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
        assert t_interval(values) == pytest.approx((np.mean(values), *expected))

    def test_one_seed_has_none(self):
        assert t_interval([0.7]).value == 0.7 and math.isnan(t_interval([0.7]).low)


class TestWilsonInterval:
    def test_equals_scipys(self):
        expected = stats.binomtest(10, 16).proportion_ci(method="wilson")
        assert wilson_interval(10 / 16, 16) == pytest.approx((10 / 16, expected.low, expected.high))

    def test_ends_within_the_unit_interval(self):
        assert 0.95 < wilson_interval(1.0, 100).low < 0.97 and wilson_interval(1.0, 100).high == 1
        assert wilson_interval(0.0, 0) == (0, 0, 1)


class TestNewcombeInterval:
    def test_equals_the_papers_first_example(self):
        interval = newcombe_interval(wilson_interval(56 / 70, 70), wilson_interval(48 / 80, 80))
        assert interval == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


class TestBootstrapMean:
    def test_contains_the_mean_and_repeats(self):
        values = (torch.arange(200) % 10 < 7).float()
        estimate = bootstrap_mean(values)
        assert estimate.value == 0.7 and estimate.low < 0.7 < estimate.high
        assert 0.1 < estimate.high - estimate.low < 0.15
        assert bootstrap_mean(values) == estimate

    def test_equal_values_have_wilsons_interval(self):
        assert bootstrap_mean(torch.ones(100)) == wilson_interval(1.0, 100)


class TestJackknifeIntervals:
    def test_is_near_the_t_interval_of_a_mean(self):
        values = torch.randn(200, generator=torch.Generator().manual_seed(0))
        [mean] = jackknife_intervals(lambda indices: values[indices].mean()[None], 200)
        half = 2.093 * values.std() / 200**0.5
        assert mean.value == pytest.approx(values.mean().item())
        assert (mean.high - mean.low) / 2 == pytest.approx(half.item(), rel=0.35)

    def test_takes_fewer_images_than_groups(self):
        values = torch.arange(7.0)
        assert len(jackknife_intervals(lambda indices: values[indices][:3], 7)) == 3
