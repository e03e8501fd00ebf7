import torch
from torch import nn

from headstart.understand.translation.equivariance import (
    EquivarianceResult,
    equivariance_error_map,
    equivariance_verdict,
    estimate_strides,
    measure_equivariance,
)

IMAGES = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def strided():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(4, 4, 1),
    ).eval()  # fmt: skip


def test_strides_are_measured_through_pools():
    assert estimate_strides(strided(), ["0", "2", "5"], IMAGES) == {"0": 1, "2": 2, "5": 4}


def test_maps_move_exactly_in_the_interior_at_multiples_of_the_stride_alone():
    for row in measure_equivariance(strided(), ["0", "2", "5"], IMAGES, [1, 2, 4, 8]):
        assert row.interior_error is not None
        if row.shift % row.stride == 0:
            assert row.interior_error < 1e-5 < 1e-3 < row.overall_error, row
        else:
            assert row.interior_error > 0.01, row
        assert row.unshifted_error > 0.1


def test_the_error_lies_at_the_border():
    wrong = equivariance_error_map(strided(), "2", IMAGES, shift=2, stride=2)
    assert wrong[2:-2, 3:-2].max() < 1e-5 < wrong[0].max()


def test_without_padding_nothing_is_broken_but_what_comes_in_and_without_any_border_nothing_at_all():
    torch.manual_seed(0)
    ring = nn.Sequential(nn.Conv2d(1, 2, 1))
    assert equivariance_verdict(measure_equivariance(ring, ["0"], IMAGES, [1, 2])) == "holds"


class Unshared(nn.Module):
    """A kernel of its own at each place: local, but not shared."""

    def __init__(self):
        super().__init__()
        self.scale, self.map = nn.Parameter(torch.rand(1, 1, 32, 32)), nn.Conv2d(1, 1, 1)

    def forward(self, images):
        return self.map(images * self.scale)


def test_a_layer_that_shares_no_weights_is_not_equivariant():
    torch.manual_seed(0)
    assert equivariance_verdict(measure_equivariance(Unshared(), ["map"], IMAGES, [1, 2])) == "fails"


def moved(interior, everywhere, shift=2):
    return EquivarianceResult("a", 2, shift, interior, everywhere, 1.0)


def test_equivariance_fails_where_the_interior_does_not_move_and_is_unknown_without_one():
    assert equivariance_verdict([moved(0.0, 0.0), moved(0.0, 0.0, shift=1)]) == "holds"
    assert equivariance_verdict([moved(0.0, 0.2), moved(0.3, 0.3, shift=1)]) == "depends"
    assert equivariance_verdict([moved(0.1, 0.2)]) == "fails"
    assert equivariance_verdict([moved(None, 0.2)]) == "not measured"
