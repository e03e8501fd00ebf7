"""Networks that differ in one thing, how they are trained, and what is said of it."""

import math

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from headstart.understand.architectures import skip_connections
from headstart.understand.statistics import Estimate

DRAW = torch.Generator().manual_seed(0)


IMAGES, LABELS = torch.randn(32, 1, 8, 8, generator=DRAW), torch.arange(32) % 4


def kernels(network):
    return [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d)]


class TestShortcutBlock:
    def test_takes_every_second_position_and_pads_zeros(self):
        block = skip_connections.ShortcutBlock(2, 4, stride=2, skip_connections=True, batch_norm=False)
        for kernel in block.parameters():
            nn.init.zeros_(kernel)
        maps = torch.rand(1, 2, 6, 6)
        out = block(maps)
        assert torch.equal(out[:, :2], maps[:, :, ::2, ::2]) and out[:, 2:].abs().sum() == 0


class TestBuildCifarResnet:
    @pytest.mark.parametrize("batch_norm", [True, False])
    def test_has_equal_weights_with_and_without_skips(self, batch_norm):
        plain, skipped = (
            skip_connections.build_cifar_resnet(20, skips, batch_norm, 1, 4, seed=3) for skips in (False, True)
        )
        assert len(kernels(plain)) == 19
        assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), skipped.parameters(), strict=True))
        assert not torch.equal(plain(IMAGES), skipped(IMAGES))

    def test_draws_weights_from_the_seed_alone(self):
        torch.manual_seed(1)
        untouched = torch.rand(1)
        torch.manual_seed(1)
        first, other = (
            skip_connections.build_cifar_resnet(8, True, True, 1, 4, seed=0),
            skip_connections.build_cifar_resnet(8, True, True, 1, 4, seed=1),
        )
        assert torch.equal(torch.rand(1), untouched) and not torch.equal(kernels(first)[0], kernels(other)[0])

    def test_rejects_other_depths(self):
        with pytest.raises(ValueError, match="6n \\+ 2"):
            skip_connections.build_cifar_resnet(21, True, True, 1, 4)


class TestRelativeGradientNorms:
    def test_are_relative_to_the_weights(self):
        network = nn.Sequential(nn.Conv2d(1, 2, 8, bias=False), nn.Flatten())
        labels = LABELS % 2
        (pull,) = skip_connections.relative_gradient_norms(network, IMAGES, labels)
        nn.functional.cross_entropy(network(IMAGES), labels).backward()
        weight = network[0].weight
        assert pull == pytest.approx((weight.grad.norm() / weight.norm()).item(), rel=1e-5)

    def test_leave_no_gradient(self):
        network = skip_connections.build_cifar_resnet(20, False, True, 1, 4)
        assert len(skip_connections.relative_gradient_norms(network, IMAGES, LABELS)) == 19
        assert all(p.grad is None for p in network.parameters())


class TestGradientRatio:
    def test_is_large_in_a_deep_network_without_skips(self):
        uneven = {
            skips: skip_connections.gradient_ratio(
                skip_connections.relative_gradient_norms(
                    skip_connections.build_cifar_resnet(44, skips, True, 1, 4), IMAGES, LABELS
                )
            )
            for skips in (False, True)
        }
        assert uneven[True] < skip_connections.MAX_EVEN_RATIO < uneven[False]

    def test_is_infinite_without_a_gradient(self):
        assert skip_connections.gradient_ratio([1.0, 4.0, 2.0]) == 4
        assert (
            skip_connections.gradient_ratio([1.0, 0.0]) == skip_connections.gradient_ratio([1.0, math.nan]) == math.inf
        )


class TestGradientRatioInterval:
    def test_is_geometric(self):
        found = skip_connections.gradient_ratio_interval([10, 1000, 100])
        assert found.value == pytest.approx(100)
        assert math.log10(found.high / found.value) == pytest.approx(4.302653 / math.sqrt(3), rel=1e-5)
        assert skip_connections.gradient_ratio_interval([1.1, 40.0]).low == 1
        assert skip_connections.gradient_ratio_interval([math.inf, math.inf]).low == pytest.approx(
            skip_connections.MAX_RATIO
        )


class TestTrainNetwork:
    def test_repeats_and_lowers_the_loss(self):
        runs = [
            skip_connections.train_network(
                skip_connections.build_cifar_resnet(8, True, True, 1, 4), IMAGES, LABELS, steps=25, seed=5
            )
            for _ in range(2)
        ]
        assert runs[0] == runs[1] and skip_connections.final_loss(runs[0], 4) < runs[0][0]

    def test_warms_up_the_learning_rate(self):
        rates = []
        handle = register_optimizer_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
        network = skip_connections.build_cifar_resnet(8, True, True, 1, 4)
        skip_connections.train_network(network, IMAGES, LABELS, steps=12, lr=0.5)
        handle.remove()
        assert rates == pytest.approx([0.05 * n for n in range(1, 11)] + [0.5, 0.5])


class TestFinalLoss:
    def test_counts_overflow_as_chance(self):
        assert skip_connections.final_loss([1.0, math.nan, math.inf, 900.0, math.nan], num_classes=4) == pytest.approx(
            math.log(4)
        )
        assert skip_connections.final_loss([9.0] * 8, num_classes=4) == pytest.approx(math.log(4))
        assert skip_connections.final_loss([9, 9, 9, 9, 9, 9, 0.2, 0.4], num_classes=4) == pytest.approx(0.3)


class TestPairedDifference:
    def test_has_a_t_interval(self):
        said = skip_connections.paired_difference([1.0, 2.0, 3.0], [2.0, 3.5, 3.5])
        assert said.value == pytest.approx(1.0)
        assert said.high - said.value == pytest.approx(4.302653 * 0.5 / math.sqrt(3), rel=1e-5)


WORSE, SAME, OPEN = Estimate(1.0, 0.5, 1.5), Estimate(0.0, -0.02, 0.02), Estimate(0.5, -0.5, 1.5)


def about(*factors):
    """Factors that are known within a fifth."""
    return [Estimate(each, each / 1.2, each * 1.2) for each in factors]


class TestVerdicts:
    @pytest.mark.parametrize(
        ("deeper", "beyond", "learned", "verdict"),
        [
            (WORSE, WORSE, True, "holds"),
            (WORSE, OPEN, True, "depends"),
            (SAME, WORSE, True, "fails"),
            (OPEN, WORSE, True, "depends"),
            (WORSE, WORSE, False, "depends"),
        ],
    )
    def test_depth_without_skips(self, deeper, beyond, learned, verdict):
        assert skip_connections.depth_without_skips_verdict(deeper, beyond, learned) == verdict

    @pytest.mark.parametrize(
        ("deeper", "alone", "learned", "verdict"),
        [
            (SAME, SAME, True, "holds"),
            (SAME, WORSE, True, "depends"),
            (WORSE, SAME, True, "fails"),
            (OPEN, SAME, True, "depends"),
            (SAME, SAME, False, "depends"),
        ],
    )
    def test_depth_with_skips(self, deeper, alone, learned, verdict):
        assert skip_connections.depth_with_skips_verdict(deeper, alone, learned) == verdict

    @pytest.mark.parametrize(
        ("plain", "skipped", "verdict"),
        [
            (about(500, 9000), about(5, 9), "holds"),
            (about(16, 800), about(5, 9), "depends"),
            (about(110, 800), about(5, 9), "depends"),
            (about(500, 9000), about(5, 90), "depends"),
            (about(16, 90), about(5, 9), "depends"),
            (about(16, 20), about(5, 9), "fails"),
            (about(500, 9000), about(5, 900), "fails"),
        ],
    )
    def test_gradient_ratio(self, plain, skipped, verdict):
        assert skip_connections.gradient_ratio_verdict(plain, skipped) == verdict


class TestIsBelowChanceLoss:
    def test_is_false_near_chance(self):
        assert skip_connections.is_below_chance_loss(
            [0.5, 1.0], num_classes=4
        ) and not skip_connections.is_below_chance_loss([1.38, 1.39], num_classes=4)
