import pytest
import torch
from torch import nn

from headstart.understand.receptive_field.fields import fields_by_module, receptive_fields
from headstart.understand.translation.equivariance import (
    EquivarianceResult,
    equivariance_error_map,
    equivariance_verdict,
    measure_equivariance,
)

IMAGES = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def build_strided_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 4, 1),
    ).eval()


def measure(network, names, shifts):
    fields = fields_by_module(network, receptive_fields(network, (1, 32, 32)))
    return measure_equivariance(network, [fields[name] for name in names], IMAGES, shifts)


class Unshared(nn.Module):
    """A separate weight at each place: local, but not shared."""

    def __init__(self):
        super().__init__()
        self.scale, self.map = nn.Parameter(torch.rand(1, 1, 32, 32)), nn.Conv2d(1, 1, 1)

    def forward(self, images):
        return self.map(images * self.scale)


class TestMeasureEquivariance:
    def test_is_exact_in_the_interior_for_whole_steps_only(self):
        results = measure(build_strided_network(), ["0", "2", "5"], [1, 2, 4, 8])
        assert [result.stride for result in results[:3]] == [1, 2, 4]
        for result in results:
            assert result.interior_error is not None
            if result.shift % result.stride == 0:
                assert result.interior_error < 1e-5 < 1e-3 < result.overall_error, result
            else:
                assert result.interior_error > 0.01, result
            assert result.unshifted_error > 0.1

    def test_has_no_interior_where_units_see_the_whole_image(self):
        network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.Conv2d(2, 2, 3))
        assert [result.interior_error for result in measure(network, ["2"], [1, 2])] == [None, None]

    def test_holds_without_any_padding(self):
        torch.manual_seed(0)
        assert equivariance_verdict(measure(nn.Sequential(nn.Conv2d(1, 2, 1)), ["0"], [1, 2])) == "holds"

    def test_fails_without_shared_weights(self):
        torch.manual_seed(0)
        assert equivariance_verdict(measure(Unshared(), ["map"], [1, 2])) == "fails"


class TestEquivarianceErrorMap:
    def test_is_zero_but_at_the_border(self):
        error = equivariance_error_map(build_strided_network(), "2", IMAGES, shift=2, stride=2)
        assert error[2:-2, 3:-2].max() < 1e-5 < error[0].max()


class TestEquivarianceVerdict:
    @pytest.mark.parametrize(
        ("errors", "verdict"),
        [
            ([(2, 0.0, 0.0), (1, 0.0, 0.0)], "holds"),
            ([(2, 0.0, 0.2), (1, 0.3, 0.3)], "depends"),
            ([(2, 0.1, 0.2)], "fails"),
            ([(2, None, 0.2)], "not measured"),
        ],
    )
    def test_fails_if_the_interior_does_not_move(self, errors, verdict):
        results = [EquivarianceResult("a", 2, shift, interior, overall, 1.0) for shift, interior, overall in errors]
        assert equivariance_verdict(results) == verdict
