import pytest
import torch
from torch import nn

from headstart.networks.hooks import list_layers
from headstart.understand.translation.locality import (
    Box,
    LocalityResult,
    MapUnit,
    locality_verdict,
    measure_locality,
    nan_dependency,
    relative_change,
    unit_boxes,
)


def stack(*made):
    torch.manual_seed(0)
    return nn.Sequential(*made).eval()


def width(network, side=25):
    (given,) = [layer.output_shape for layer in list_layers(network, torch.zeros(1, 1, side, side))[-1:]]
    name = list_layers(network, torch.zeros(1, 1, side, side))[-1].name
    box = unit_boxes(network, [MapUnit(name, given[1] // 2, given[2] // 2)], (1, side, side))[0]
    return box.right - box.left


@pytest.mark.parametrize(("depth", "pixels"), [(1, 3), (2, 5), (3, 7), (5, 11)])
def test_stacked_kernels_of_three_see_two_pixels_more_each(depth, pixels):
    made = [m for i in range(depth) for m in (nn.Conv2d(1 if i == 0 else 4, 4, 3, padding=1), nn.ReLU())]
    assert width(stack(*made)) == pixels


def test_the_lessons_second_convolution_sees_eight_pixels_past_a_pool_that_is_a_function(lesson):
    units = [MapUnit("conv1", 14, 14), MapUnit("conv2", 7, 7)]
    assert unit_boxes(lesson(), units, (1, 28, 28)) == [Box(13, 13, 16, 16), Box(11, 11, 19, 19)]


def test_a_field_is_clipped_at_the_border(lesson):
    assert unit_boxes(lesson(), [MapUnit("conv1", 0, 0)], (1, 28, 28)) == [Box(0, 0, 2, 2)]


def test_a_field_is_found_where_units_on_the_way_are_switched_off():
    network = stack(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(), nn.Conv2d(1, 1, 3, padding=1))
    nn.init.constant_(network[0].bias, -100.0)
    assert width(network) >= 5


def test_a_stain_passes_what_cuts_off_great_values():
    for gate in (nn.ReLU6(), nn.Hardswish(), nn.Hardsigmoid(), nn.MaxPool2d(2), nn.GELU()):
        network = nn.Sequential(gate, nn.Conv2d(1, 1, 1))
        stains = torch.zeros(1, 8, 8, dtype=torch.bool)
        stains[0, 3, 3] = True
        assert nan_dependency(network, torch.zeros(1, 1, 8, 8), stains, ["1"])["1"].sum() == 1, gate


def test_all_outside_a_field_changes_nothing_and_one_pixel_inside_does(lesson):
    draw = torch.Generator().manual_seed(0)
    found = measure_locality(
        lesson(), [MapUnit("conv1", 14, 14), MapUnit("conv2", 7, 7)], torch.randn(4, 1, 28, 28, generator=draw)
    )
    assert [row.outside_change for row in found] == [0, 0] and min(row.inside_change for row in found) > 1e-3
    assert locality_verdict(found) == "holds"


def test_changed_pixels_are_those_of_the_next_image_not_the_same_ones_brighter():
    edges = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    nn.init.constant_(edges.weight, 0.0)
    edges.weight.data[0, 0, 1] = torch.tensor([-1.0, 0.0, 1.0])  # blind to more light everywhere
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = torch.ones(8, 8, dtype=torch.bool)
    assert relative_change(nn.Sequential(edges), MapUnit("0", 4, 4), images, whole) > 0.1


class Dense(nn.Module):
    """A fully connected layer, its output laid out as a map."""

    def __init__(self):
        super().__init__()
        self.mix, self.map = nn.Linear(64, 64), nn.Conv2d(1, 1, 1)

    def forward(self, images):
        return self.map(self.mix(images.flatten(1)).view_as(images))


def test_a_fully_connected_layer_is_not_local():
    torch.manual_seed(0)
    found = measure_locality(Dense(), [MapUnit("map", 4, 4)], torch.randn(2, 1, 8, 8))
    assert found[0].outside_change is None and locality_verdict(found) == "fails"


def local(outside, inside=0.5):
    return LocalityResult(MapUnit("a", 0, 0), Box(0, 0, 1, 1), 0.1, outside, inside)


def test_locality_fails_where_pixels_outside_count_or_none_inside_does():
    assert locality_verdict([local(0.0), local(None)]) == "depends"
    assert locality_verdict([local(0.0), local(0.01)]) == "fails"
    assert locality_verdict([local(0.0, inside=0.0)]) == "fails"
