import pytest
import torch
from torch import nn

from headstart.understand.receptive_field.fields import fields_by_module, receptive_fields
from headstart.understand.translation.locality import (
    LocalityResult,
    locality_verdict,
    measure_locality,
    relative_change,
)


def fields(network, names, shape):
    by_name = fields_by_module(network, receptive_fields(network, shape))
    return [by_name[name] for name in names]


def draw_images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class Dense(nn.Module):
    """A fully connected layer, its output laid out as a map."""

    def __init__(self):
        super().__init__()
        self.mix, self.map = nn.Linear(64, 64), nn.Conv2d(1, 1, 1)

    def forward(self, images):
        return self.map(self.mix(images.flatten(1)).view_as(images))


class Gated(nn.Module):
    """A convolution whose map is scaled by its mean."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 1)

    def forward(self, images):
        maps = self.conv(images)
        return self.last(maps * maps.mean((2, 3), keepdim=True))


class TestMeasureLocality:
    def test_only_pixels_in_the_field_change_a_unit(self, lesson):
        network = lesson()
        layers = fields(network, ["conv1", "conv2"], (1, 28, 28))
        results = measure_locality(network, layers, draw_images(4, 1, 28, 28))
        assert [result.box for result in results] == [(13, 13, 16, 16), (11, 11, 19, 19)]
        assert [result.outside_change for result in results] == [0, 0]
        assert min(result.inside_change for result in results) > 1e-3
        assert locality_verdict(results) == "holds"

    @pytest.mark.parametrize(("network", "name"), [(Dense(), "map"), (Gated(), "last")])
    def test_a_unit_that_sees_the_whole_image_has_no_outside(self, network, name):
        torch.manual_seed(0)
        [result] = measure_locality(network, fields(network, [name], (1, 8, 8)), draw_images(2, 1, 8, 8))
        assert result.box == (0, 0, 8, 8) and result.outside_change is None
        assert locality_verdict([result]) == "fails"


class TestRelativeChange:
    def test_takes_pixels_of_the_next_image_and_brighter(self):
        edges = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(edges.weight, 0.0)
        edges.weight.data[0, 0, 1] = torch.tensor([-1.0, 0.0, 1.0])  # not changed by more light everywhere
        whole = torch.ones(8, 8, dtype=torch.bool)
        assert relative_change(nn.Sequential(edges), "0", (4, 4), draw_images(3, 1, 8, 8), whole) > 0.1


class TestLocalityVerdict:
    @pytest.mark.parametrize(
        ("changes", "verdict"),
        [
            ([(0.0, 0.5), (None, 0.5)], "depends"),
            ([(0.0, 0.5), (0.01, 0.5)], "fails"),
            ([(0.0, 0.0)], "fails"),
            ([(0.0, 0.5)], "holds"),
        ],
    )
    def test_fails_if_pixels_outside_count(self, changes, verdict):
        results = [LocalityResult("a", (0, 0, 1, 1), 0.1, outside, inside) for outside, inside in changes]
        assert locality_verdict(results) == verdict
