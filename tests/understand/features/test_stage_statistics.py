import pytest
import torch
from torch import nn

from headstart.understand.features.stage_statistics import channel_means, compute_stage_statistics

LABELS = torch.arange(40) % 2


class Stages(nn.Module):
    """Three stages of one channel: brightness, contrast of neighbours, and whether the upper half is the brighter."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Identity(), Neighbours(), Halves()

    def forward(self, images):
        self.first(images), self.middle(images)
        return self.last(images).flatten(1)


class Neighbours(nn.Module):
    def forward(self, images):
        return (images[:, :, 1:] - images[:, :, :-1]).abs()


class Halves(nn.Module):
    def forward(self, images):
        upper, lower = images.chunk(2, dim=2)
        return (upper - lower).mean(dim=(2, 3), keepdim=True)


class Same(nn.Module):
    """An untrained network that answers the same to every arrangement."""

    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, images):
        return self.last(self.middle(self.first(images))).flatten(1)


class TestComputeStageStatistics:
    def test_finds_what_each_stage_depends_on(self):
        images = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        images[LABELS == 0, :, :8] += 1
        images[LABELS == 1, :, 8:] += 1
        names = ["first", "middle", "last"]
        found = compute_stage_statistics(
            Stages(), Same(), images, LABELS, channel_means(Stages(), images, names), tiles=8
        )
        assert found.share[0].value < 0.1 and found.share[-1].value > 0.95 and found.share_grows.low > 0.5
        assert found.share_scrambled[-1].value < 0.3 and found.share_needs_whole.low > 0
        assert found.share_learned.low > 0.5 and found.chance[-1][1] < 0.5
        assert found.lost[0].value == pytest.approx(0, abs=1e-6)
        assert found.lost_grows.low > 0 and found.lost_learned.low > 0
        assert found.lost_random[1].value == pytest.approx(0, abs=1e-6) and found.tiles == 8
