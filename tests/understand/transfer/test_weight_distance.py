"""How far training moved the weights."""

import math

import pytest
import torch
from torch import nn

from headstart.understand.transfer.weight_distance import relative_weight_change

STAGES = ["conv1", "conv2"]


class TestRelativeWeightChange:
    def test_is_relative_to_the_weights_of_each_stage(self, lesson):
        before, after = lesson(), lesson()
        with torch.no_grad():
            for parameter in after.conv2.parameters():
                parameter *= 1.25
            for parameter in after.fc2.parameters():
                parameter += 1
        first, second, behind = relative_weight_change(before, after, STAGES)
        assert first == 0 and second == pytest.approx(0.25)
        dense = [*before.fc1.parameters(), *before.fc2.parameters()]
        length = sum(float(p.detach().square().sum()) for p in dense) ** 0.5
        assert behind == pytest.approx(sum(p.numel() for p in before.fc2.parameters()) ** 0.5 / length, rel=1e-5)

    def test_ignores_batch_norm_statistics(self):
        before, after = (nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)) for _ in range(2))
        after.load_state_dict(before.state_dict())
        after[1].running_mean += 5
        assert relative_weight_change(before, after, ["1"])[0] == 0

    def test_is_nan_without_parameters_and_infinite_from_0(self, lesson):
        before, after = lesson(), lesson()
        nn.init.zeros_(before.fc2.weight), nn.init.zeros_(before.fc2.bias)
        assert math.isnan(relative_weight_change(before, after, ["conv1", "conv2", "fc1", "fc2"])[-1])
        assert relative_weight_change(before, after, ["conv1", "conv2", "fc1", "fc2"])[3] == math.inf
