"""How far training moved the weights."""

import math

import pytest
import torch
from torch import nn

from headstart.understand.transfer.weight_distance import relative_weight_change

STAGES = ["conv1", "conv2"]


def test_it_is_the_length_of_the_change_over_that_of_the_weights_stage_by_stage(lesson):
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


def test_statistics_of_batch_norm_are_no_weights():
    before, after = (nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)) for _ in range(2))
    after.load_state_dict(before.state_dict())
    after[1].running_mean += 5
    assert relative_weight_change(before, after, ["1"])[0] == 0


def test_a_stage_without_parameters_has_no_change_and_one_that_grew_out_of_nothing_an_endless_one(lesson):
    before, after = lesson(), lesson()
    nn.init.zeros_(before.fc2.weight), nn.init.zeros_(before.fc2.bias)
    assert math.isnan(relative_weight_change(before, after, ["conv1", "conv2", "fc1", "fc2"])[-1])
    assert relative_weight_change(before, after, ["conv1", "conv2", "fc1", "fc2"])[3] == math.inf
