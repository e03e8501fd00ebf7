from math import cos, exp, pi, sin

import pytest
import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.features.gabor_fit import first_layer_filters, fit_filters, shuffle_filter_pixels


def gabor(size, angle, frequency, phase, along=1.5, across=2.5):
    """By the formula, pixel by pixel."""
    filter = torch.zeros(size, size)
    for i in range(size):
        for j in range(size):
            y, x = i - (size - 1) / 2, j - (size - 1) / 2
            u, v = x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle)
            bell = exp(-(u**2) / (2 * along**2) - v**2 / (2 * across**2))
            filter[i, j] = bell * cos(2 * pi * frequency * u + phase)
    return filter


RED, GREY = torch.tensor([1.0, -0.5, -0.4]).view(3, 1, 1), torch.ones(1, 1, 1)


class TestFitFilters:
    @pytest.mark.parametrize("colour", [RED, GREY])
    @pytest.mark.parametrize("frequency", [0.1, 0.25, 0.4])
    def test_fits_a_gabor_by_a_gabor_only(self, colour, frequency):
        filters = torch.stack([colour * gabor(7, angle, frequency, pi / 2) for angle in (0.3, 1.2, 2.5)])
        found = fit_filters(filters)
        assert found.gabor_share.min() > 0.99 and found.blob_share.max() < 0.6
        assert (found.reconstruction - filters).abs().max() < 0.15 * filters.abs().max()

    def test_fits_a_blob_and_sobel(self):
        y, x = torch.meshgrid(torch.arange(5.0), torch.arange(5.0), indexing="ij")
        blob = torch.exp(-((y - 1.5) ** 2 + (x - 2.2) ** 2) / (2 * 1.1**2))
        assert fit_filters((RED * blob)[None]).blob_share > 0.999
        sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
        assert fit_filters((RED * sobel)[None]).gabor_share > 0.99

    def test_fits_noise_in_small_kernels_only(self):
        torch.manual_seed(0)
        large, small = fit_filters(torch.randn(24, 3, 7, 7)), fit_filters(torch.randn(24, 1, 3, 3))
        assert large.best_share.mean() < 0.25 and small.best_share.mean() > 0.8
        assert (large.num_weights, large.num_gabor_parameters) == (147, 10) and (
            small.num_weights,
            small.num_gabor_parameters,
        ) == (9, 8)

    def test_share_is_that_of_the_reconstruction(self):
        torch.manual_seed(1)
        filters = torch.randn(10, 3, 3, 3)
        one, two = fit_filters(filters), fit_filters(filters)
        over = (filters - one.reconstruction).square().sum(dim=(1, 2, 3)) / filters.square().sum(dim=(1, 2, 3))
        torch.testing.assert_close(one.best_share, 1 - over, atol=1e-4, rtol=0)
        assert torch.equal(one.gabor_share, two.gabor_share) and torch.equal(one.reconstruction, two.reconstruction)

    def test_leaves_out_inactive_filters(self):
        torch.manual_seed(2)
        filters = torch.randn(4, 1, 5, 5)
        filters[2] *= 1e-4
        found = fit_filters(filters)
        assert (
            found.active.tolist() == [True, True, False, True]
            and len(found.gabor_share) == len(found.reconstruction) == 3
        )


class TestShuffleFilterPixels:
    def test_keeps_colors(self):
        filters = torch.arange(2 * 3 * 9.0).view(2, 3, 3, 3)
        twice = shuffle_filter_pixels(filters, 2)
        assert twice.shape == (4, 3, 3, 3) and not torch.equal(twice[:2], twice[2:])
        columns = {tuple(column) for column in filters[0].flatten(1).T.tolist()}
        assert {tuple(column) for column in twice[2].flatten(1).T.tolist()} == columns


class TestFirstLayerFilters:
    def test_follows_the_forward_pass(self):
        class Backwards(nn.Module):
            def __init__(self):
                super().__init__()
                self.second, self.first = nn.Conv2d(2, 5, 1), nn.Conv2d(1, 2, 3)

            def forward(self, images):
                return self.second(self.first(images))

        network = Backwards()
        assert torch.equal(first_layer_filters(network, (1, 6, 6)), network.first.weight)
        with pytest.raises(HeadstartError, match="no convolution"):
            first_layer_filters(nn.Flatten(), (1, 6, 6))
