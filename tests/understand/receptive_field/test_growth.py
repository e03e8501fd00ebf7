import pytest
import torch
from torch import nn

from headstart.understand.receptive_field import growth as it
from headstart.understand.receptive_field.fields import receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork
from headstart.understand.receptive_field.growth_claims import stacks_verdict, stride_growth_verdict


def conv(kernel=3, **options):
    return nn.Conv2d(1, 1, kernel, **({"padding": options.get("dilation", 1) * (kernel // 2)} | options))


def added(*layers, side=40, uniform=LinearizedNetwork):
    network = nn.Sequential(*layers)
    shape = (1, side, side)
    return it.measure_field_growth(network, receptive_fields(network, shape), uniform(network, shape))


def seen(*layers):
    return [it.stack_field_sizes(run) for run in it.find_stacks(added(*layers))]


class TestTheoreticalStackField:
    def test_counts_layers_and_pools(self):
        assert [it.theoretical_stack_field(["3"] * n) for n in (1, 2, 3)] == [3, 5, 7]
        assert (
            it.theoretical_stack_field(["3", "p"] * 4 + ["3"]) == 78
            and it.theoretical_stack_field(["3", "p"] * 5) == 94
        )


class TestCompareDoubledFirstStride:
    def test_doubles_what_later_layers_add(self, lesson):
        network = lesson()
        doubled = it.compare_doubled_first_stride(network, (1, 28, 28), receptive_fields(network, (1, 28, 28)))
        assert doubled == [("conv1", 3, 3), ("conv2", 8, 13), ("max_pool2d_1", 10, 17)]
        assert network.conv1.stride == (1, 1)

    def test_is_empty_without_convolutions(self):
        network = nn.Sequential(nn.MaxPool2d(2))
        assert it.compare_doubled_first_stride(network, (1, 8, 8), receptive_fields(network, (1, 8, 8))) == []


class TestFindStacks:
    def test_begin_on_any_map(self):
        assert seen(conv(), nn.ReLU(), conv(1), conv(), conv(), conv()) == [[3, 5, 7]]
        assert seen(nn.MaxPool2d(2), conv(), conv()) == [[3, 5]]
        assert seen(conv(), conv(), nn.MaxPool2d(2), conv(), conv()) == [[3, 5], [3, 5]]

    def test_include_strides_and_dilations(self):
        assert seen(conv(stride=2), conv(), conv()) == [[3, 7, 11]]
        assert seen(conv(dilation=2), conv(dilation=2)) == [[5, 9]]

    def test_end_at_a_pool(self):
        assert seen(conv(), nn.MaxPool2d(2), conv(), nn.Conv2d(1, 1, 1, stride=2), conv(5)) == []


class TestMeasureFieldGrowth:
    def test_finds_a_layers_stride_and_dilation(self):
        layers = added(
            conv(stride=2), conv(dilation=2), nn.MaxPool2d(2), conv(5, padding=4, dilation=2, stride=3), side=96
        )
        assert [(each.layer_stride, each.layer_dilation) for each in layers] == [(2, 1), (1, 2), (3, 2)]

    def test_uses_gradients(self):
        class Blind(LinearizedNetwork):
            def pixel_weights(self, layer, i, j):
                return super().pixel_weights(layer, i, j) * (torch.arange(40) < i)[:, None]

        assert [each.increment for each in added(conv(), conv())] == [2, 2]
        [blind] = it.find_stacks(added(conv(), conv(), uniform=Blind))
        assert it.stack_field_sizes(blind) == [1, 2]

    def test_leaves_out_clipped_fields_and_fourth_layers(self):
        assert len(added(*(conv() for _ in range(5)))) == 3
        assert [each.field_size for each in added(conv(), nn.MaxPool2d(2), conv(), conv(), side=12)] == [3, 8]


class TestGrowthByStride:
    def test_rises_with_stride_but_not_after_dilation(self):
        faster = it.growth_by_stride(added(conv(), conv(5), nn.MaxPool2d(2), conv(), conv(stride=2), conv()))
        assert faster == {1: 1, 2: 2, 4: 4} and stride_growth_verdict(list(faster.values())) == "holds"
        dilated = nn.Conv2d(1, 1, 3, padding=2, dilation=2)
        even = it.growth_by_stride(added(dilated, conv(stride=1), nn.MaxPool2d(2), conv()))
        assert even == {1: 1.5, 2: 2}
        even = it.growth_by_stride(added(dilated, nn.MaxPool2d(2), conv()))
        assert even == {1: 2, 2: 2} and stride_growth_verdict(list(even.values())) == "fails"


class TestStrideGrowthVerdict:
    @pytest.mark.parametrize(
        ("rule", "measured", "verdict"),
        [
            (stride_growth_verdict, [2, 4, 8], "holds"),
            (stride_growth_verdict, [2, 4, 4], "depends"),
            (stride_growth_verdict, [4, 4], "fails"),
            (stride_growth_verdict, [2], "not measured"),
        ],
    )
    def test_requires_growth_at_each_stride(self, rule, measured, verdict):
        assert rule(measured) == verdict


class TestStacksVerdict:
    @pytest.mark.parametrize(
        ("sizes", "plain", "verdict"),
        [
            ([[3, 5, 7], [3, 5]], [True, True], "holds"),
            ([[3, 5, 7], [3, 7]], [True, False], "depends"),
            ([[3, 7, 11]], [False], "depends"),
            ([[3, 5, 7], [3, 7]], [True, True], "fails"),
            ([[3, 7, 11]], [True], "fails"),
            ([], [], "not measured"),
        ],
    )
    def test_plain_stacks_must_see_3_5_7(self, sizes, plain, verdict):
        assert stacks_verdict(sizes, plain) == verdict
