import warnings

import pytest
import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.features.grad_cam import confidence_drop, cover_top_pixels, grad_cam, rank_correlation


class Spot(nn.Module):
    """Class 1 for bright pixels, class 0 for dark ones; the in-place ReLU overwrites what the convolution gave."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2), nn.ReLU(inplace=True))
        self.features[0].weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)

    def forward(self, images):
        return self.features(images).mean(dim=(2, 3)).flip(1)


@pytest.fixture
def images():
    images = torch.full((2, 1, 8, 8), -1.0)
    images[:, :, 2:4, 5:7] = 3.0
    return images


def frozen(network):
    return network.requires_grad_(False).train()


class Unfelt(Spot):
    """As a frozen model calls its backbone."""

    def forward(self, images):
        with torch.no_grad():
            maps = self.features(images)
        return maps.mean(dim=(2, 3)).flip(1)


class TestGradCam:
    @pytest.mark.parametrize("layer", ["features", "features.0", "features.1"])
    def test_maps_the_evidence_in_a_frozen_network(self, images, layer):
        network = frozen(Spot())
        before = {name: value.clone() for name, value in network.state_dict().items()}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            maps = grad_cam(network, images, torch.tensor([1, 0]), layer)
        assert maps.shape == (2, 8, 8) and not maps.requires_grad
        assert maps[0, 2, 5] == 1 and maps[0, 0, 0] == 0 and maps[1, 2, 5] == 0 and maps[1, 0, 0] == 1
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
        assert network.features[2].inplace and network.training
        with torch.no_grad():  # a hook that enables gradients would still be there
            network(images)
            assert not torch.is_grad_enabled()

    def test_is_0_without_evidence(self, images):
        maps = grad_cam(frozen(Spot()), images.clamp(min=0) * 0 - 1, torch.tensor([1, 1]), "features")
        assert torch.equal(maps, torch.zeros(2, 8, 8))

    def test_passes_through_a_backbone_without_gradients(self, images):
        classes = torch.tensor([1, 0])
        maps = grad_cam(Spot(), images, classes, "features")
        with torch.no_grad():
            assert torch.equal(grad_cam(frozen(Unfelt()), images, classes, "features"), maps)
            assert not torch.is_grad_enabled()
        assert torch.is_grad_enabled()

    def test_rejects_a_network_that_detaches(self, images):
        class Cut(Spot):
            def forward(self, images):
                return self.features(images).detach().mean(dim=(2, 3)).requires_grad_(True)

        with pytest.raises(HeadstartError, match="no gradient flows to features"):
            grad_cam(Cut(), images, torch.tensor([1, 0]), "features")


class TestConfidenceDrop:
    def test_is_largest_for_the_pixels_of_the_evidence(self, images):
        network = Spot().eval()
        maps = grad_cam(network, images, torch.tensor([1, 1]), "features")
        hidden = cover_top_pixels(images, maps, 4 / 64)
        assert torch.equal(hidden[:, :, 2:4, 5:7], images.mean(dim=(2, 3), keepdim=True).expand(-1, -1, 2, 2))
        assert (hidden != images).sum() == 8
        own = confidence_drop(network, images, maps, torch.tensor([1, 1]), 4 / 64)
        elsewhere = confidence_drop(network, images, maps.flip(2), torch.tensor([1, 1]), 4 / 64)
        assert (own > 0.02).all() and (elsewhere < own).all()


class TestRankCorrelation:
    def test_is_spearmans(self):
        from scipy.stats import spearmanr

        draw = torch.Generator().manual_seed(0)
        one, two = torch.rand(3, 5, 5, generator=draw), torch.rand(3, 5, 5, generator=draw).round(decimals=1)
        two[1], two[2] = one[1] ** 3, 0.4
        like = rank_correlation(one, two)
        assert like[0].item() == pytest.approx(spearmanr(one[0].flatten(), two[0].flatten()).statistic)
        assert like[1].item() == pytest.approx(1) and like[2] != like[2]
