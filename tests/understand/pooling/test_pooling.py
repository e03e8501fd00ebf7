import pytest
import torch
from torch import nn

from headstart.understand.pooling.pooling import (
    HeadSize,
    average_smoothness_verdict,
    find_head,
    head_savings_verdict,
    invariant_share,
    max_pooling_verdict,
    measure_impulse_response,
    pool_maps,
    retained_peak_share,
    roughness,
)
from headstart.understand.statistics import Estimate


class TestMeasureImpulseResponse:
    @pytest.mark.parametrize(
        ("kind", "size", "share"),
        [
            ("max", 2, 0.5),
            ("average", 2, 0.5),
            ("max", 4, 0.75),
            ("average", 4, 0.75),
            ("global", 2, 1.0),
            ("blur", 2, 0.0),
        ],
    )
    def test_agrees_with_the_derived_share(self, kind, size, share):
        found = measure_impulse_response(kind, size)
        assert invariant_share(kind, size) == found.derived == share
        assert found.measured == share

    def test_has_height_and_change(self):
        assert measure_impulse_response("max", 2).height == measure_impulse_response("max", 4).height == 1
        assert (
            measure_impulse_response("average", 2).height == 1 / 4
            and measure_impulse_response("average", 4).height == 1 / 16
        )
        assert measure_impulse_response("global", 2).height == 1 / 256
        assert (
            measure_impulse_response("blur", 2).change
            < measure_impulse_response("max", 2).change
            == pytest.approx(2**0.5)
        )


class TestPoolMaps:
    def test_pools_by_each_kind(self):
        maps = torch.arange(16.0).view(1, 1, 4, 4)
        assert pool_maps(maps, "max").flatten().tolist() == [5, 7, 13, 15]
        assert pool_maps(maps, "average").flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
        assert pool_maps(maps, "global").flatten().tolist() == [7.5]
        assert pool_maps(torch.ones(1, 3, 8, 8), "blur", 4).unique().tolist() == [1]
        assert pool_maps(torch.ones(1, 3, 8, 8), "blur", 4).shape == (1, 3, 2, 2)


class TestRetainedPeakShare:
    def test_is_1_for_the_maximum_only(self):
        maps = torch.rand(6, 3, 9, 9, generator=torch.Generator().manual_seed(0))
        assert max_pooling_verdict(retained_peak_share(maps, "max")) == "holds"
        assert max_pooling_verdict(retained_peak_share(maps, "average")) == "fails"
        assert max_pooling_verdict(torch.tensor([1.0, 0.5])) == "depends"


class TestRoughness:
    def test_is_the_difference_of_neighbors(self):
        steps = torch.tensor([1.0, 1.0, 3.0, 3.0]).expand(1, 1, 4, 4)
        absolute, relative = roughness(steps, "average")
        assert absolute.tolist() == [1.0] and relative.tolist() == [0.5]


class TestAverageSmoothnessVerdict:
    def test_fails_if_rougher(self):
        smoother, rougher = Estimate(2.0, 1.0, 3.0), Estimate(-2.0, -3.0, -1.0)
        assert average_smoothness_verdict(smoother, smoother) == "holds"
        assert average_smoothness_verdict(smoother, rougher) == "depends"
        assert average_smoothness_verdict(rougher, rougher) == "fails"


class TestFindHead:
    def test_finds_a_head_on_flattened_maps(self, lesson):
        found = find_head(lesson(), torch.zeros(1, 1, 28, 28))
        assert found == HeadSize("fc1", (8, 7, 7), 32, averages_map=False)
        assert found.parameters_flattened == 12_576 and found.parameters_averaged == 288
        assert head_savings_verdict(found) == "holds"

    def test_finds_an_averaged_map_or_none(self):
        images = torch.zeros(1, 1, 12, 12)
        features = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        assert find_head(nn.Sequential(features, nn.Linear(6, 4)), images) == HeadSize(
            "1", (6, 6, 6), 4, averages_map=True
        )
        assert find_head(features, images) is None
        assert find_head(nn.Sequential(nn.Flatten(), nn.Linear(144, 4)), images) is None


class TestHeadSavingsVerdict:
    def test_fails_for_a_map_of_one_number(self):
        assert head_savings_verdict(HeadSize("fc", (256, 1, 1), 10, averages_map=True)) == "fails"
