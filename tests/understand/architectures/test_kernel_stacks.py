"""What a field costs in weights, deep or wide."""

import pytest
import torch
from torch import nn

from headstart.understand.architectures import kernel_stacks


class TestCounts:
    @pytest.mark.parametrize(("inputs", "outputs"), [(16, 16), (3, 8)])
    @pytest.mark.parametrize("layers", [1, 2, 3])
    def test_are_torchs_for_equal_receptive_fields(self, inputs, outputs, layers):
        stack = [nn.Conv2d(inputs if i == 0 else outputs, outputs, 3, bias=False) for i in range(layers)]
        kernel = nn.Conv2d(inputs, outputs, 2 * layers + 1, bias=False)
        assert sum(c.weight.numel() for c in stack) == kernel_stacks.count_stack_weights(inputs, outputs, layers)
        assert kernel.weight.numel() == kernel_stacks.count_single_kernel_weights(inputs, outputs, layers)
        image = torch.zeros(1, inputs, 2 * layers + 1, 2 * layers + 1)
        assert nn.Sequential(*stack)(image).shape == kernel(image).shape == (1, outputs, 1, 1)

    def test_are_27_to_49_for_three_layers(self):
        assert kernel_stacks.count_stack_weights(64, 64, 3) / kernel_stacks.count_single_kernel_weights(
            64, 64, 3
        ) == pytest.approx(27 / 49)


class TestListSpatialConvolutions:
    def test_leaves_out_1x1_and_counts_groups(self):
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1), nn.Conv2d(4, 4, 5, groups=4), nn.Linear(4, 2))
        assert kernel_stacks.list_spatial_convolutions(network) == [("0", 3, 8), ("2", 1, 1)]


class TestStackCostVerdict:
    @pytest.mark.parametrize(
        ("channels", "verdict"), [([(64, 64)], "holds"), ([(3, 64), (64, 64)], "depends"), ([(1, 4), (3, 64)], "fails")]
    )
    def test_fails_with_many_more_output_channels(self, channels, verdict):
        assert kernel_stacks.stack_cost_verdict(channels, layers=3) == verdict
