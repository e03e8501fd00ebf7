import pytest
import torch
from torch import nn

from headstart.understand.pooling.pooling import (
    HeadSize,
    average_smoothness_verdict,
    find_head,
    head_savings_verdict,
    max_pooling_verdict,
    measure_impulse_response,
    pool_maps,
    retained_peak_share,
    roughness,
    unmoved_share,
)


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
def test_a_moved_impulse_leaves_the_output_in_the_share_of_cases_that_was_derived(kind, size, share):
    found = measure_impulse_response(kind, size)
    assert unmoved_share(kind, size) == found.derived == share
    assert found.measured == share


def test_what_is_left_of_an_impulse():
    assert measure_impulse_response("max", 2).height == measure_impulse_response("max", 4).height == 1
    assert (
        measure_impulse_response("average", 2).height == 1 / 4
        and measure_impulse_response("average", 4).height == 1 / 16
    )
    assert measure_impulse_response("global", 2).height == 1 / 256
    assert (
        measure_impulse_response("blur", 2).change < measure_impulse_response("max", 2).change == pytest.approx(2**0.5)
    )


def test_each_kind_pools_as_it_is_called_and_a_blur_keeps_the_sum_of_an_even_map():
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    assert pool_maps(maps, "max").flatten().tolist() == [5, 7, 13, 15]
    assert pool_maps(maps, "average").flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert pool_maps(maps, "global").flatten().tolist() == [7.5]
    assert pool_maps(torch.ones(1, 3, 8, 8), "blur", 4).unique().tolist() == [1]
    assert pool_maps(torch.ones(1, 3, 8, 8), "blur", 4).shape == (1, 3, 2, 2)


def test_a_maximum_keeps_the_peak_and_an_average_does_not():
    maps = torch.rand(6, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    assert max_pooling_verdict(retained_peak_share(maps, "max")) == "holds"
    assert max_pooling_verdict(retained_peak_share(maps, "average")) == "fails"
    assert max_pooling_verdict(torch.tensor([1.0, 0.5])) == "depends"


def test_roughness_is_the_difference_of_neighbours_and_that_relative_to_the_mean():
    steps = torch.tensor([1.0, 1.0, 3.0, 3.0]).expand(1, 1, 4, 4)
    absolute, relative = roughness(steps, "average")
    assert absolute.tolist() == [1.0] and relative.tolist() == [0.5]


def test_an_average_that_is_rougher_fails():
    assert average_smoothness_verdict((20.0, 24.0), (1.0, 3.0)) == "holds"
    assert average_smoothness_verdict((20.0, 24.0), (-7.0, -5.0)) == "depends"
    assert average_smoothness_verdict((-3.0, -1.0), (-7.0, -5.0)) == "fails"


def test_the_lessons_head_flattens_and_would_be_smaller_with_a_global_average(lesson):
    found = find_head(lesson(), torch.zeros(1, 1, 28, 28))
    assert found == HeadSize("fc1", (8, 7, 7), 32, averages_map=False)
    assert found.parameters_flattened == 12_576 and found.parameters_averaged == 288
    assert head_savings_verdict(found) == "holds"


def test_a_network_that_pools_is_known_by_its_inputs_and_one_without_a_head_has_none():
    images = torch.zeros(1, 1, 12, 12)
    features = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert find_head(nn.Sequential(features, nn.Linear(6, 4)), images) == HeadSize("1", (6, 6, 6), 4, averages_map=True)
    assert find_head(features, images) is None
    assert find_head(nn.Sequential(nn.Flatten(), nn.Linear(144, 4)), images) is None


def test_averaging_a_map_of_one_place_saves_nothing():
    assert head_savings_verdict(HeadSize("fc", (256, 1, 1), 10, averages_map=True)) == "fails"
