"""Networks that differ in one thing, how they are trained, and what is said of it."""

import math

import pytest
import torch
from torch import nn

from headstart.understand.architectures import skip_connections
from headstart.understand.statistics import Estimate

DRAW = torch.Generator().manual_seed(0)
IMAGES, LABELS = torch.randn(32, 1, 8, 8, generator=DRAW), torch.arange(32) % 4


def kernels(network):
    return [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d)]


@pytest.mark.parametrize("normalised", [True, False])
def test_with_skips_and_without_a_network_has_the_same_first_weights(normalised):
    plain, skipped = (
        skip_connections.build_cifar_resnet(20, skips, normalised, 1, 4, seed=3) for skips in (False, True)
    )
    assert len(kernels(plain)) == 19
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), skipped.parameters(), strict=True))
    assert not torch.equal(plain(IMAGES), skipped(IMAGES))


def test_the_seed_decides_the_weights_and_torchs_own_stream_stays_as_it_was():
    torch.manual_seed(1)
    untouched = torch.rand(1)
    torch.manual_seed(1)
    first, other = (
        skip_connections.build_cifar_resnet(8, True, True, 1, 4, seed=0),
        skip_connections.build_cifar_resnet(8, True, True, 1, 4, seed=1),
    )
    assert torch.equal(torch.rand(1), untouched) and not torch.equal(kernels(first)[0], kernels(other)[0])


def test_a_shortcut_without_weights_keeps_every_second_place_and_fills_up_with_zeros():
    block = skip_connections.ShortcutBlock(2, 4, stride=2, skip_connections=True, batch_norm=False)
    for kernel in block.parameters():
        nn.init.zeros_(kernel)
    maps = torch.rand(1, 2, 6, 6)
    out = block(maps)
    assert torch.equal(out[:, :2], maps[:, :, ::2, ::2]) and out[:, 2:].abs().sum() == 0


def test_a_depth_that_three_stages_cannot_share_is_refused():
    with pytest.raises(ValueError, match="6n \\+ 2"):
        skip_connections.build_cifar_resnet(21, True, True, 1, 4)


def test_the_pull_at_a_layer_is_its_gradient_relative_to_its_weights():
    network = nn.Sequential(nn.Conv2d(1, 2, 8, bias=False), nn.Flatten())
    labels = LABELS % 2
    (pull,) = skip_connections.relative_gradient_norms(network, IMAGES, labels)
    nn.functional.cross_entropy(network(IMAGES), labels).backward()
    weight = network[0].weight
    assert pull == pytest.approx((weight.grad.norm() / weight.norm()).item(), rel=1e-5)


def test_pulls_are_counted_from_the_image_on_and_leave_no_gradient():
    network = skip_connections.build_cifar_resnet(20, False, True, 1, 4)
    assert len(skip_connections.relative_gradient_norms(network, IMAGES, LABELS)) == 19
    assert all(p.grad is None for p in network.parameters())


def test_batch_norm_without_skips_pulls_the_first_layers_of_a_deep_network_far_more_than_the_last():
    uneven = {
        skips: skip_connections.gradient_ratio(
            skip_connections.relative_gradient_norms(
                skip_connections.build_cifar_resnet(44, skips, True, 1, 4), IMAGES, LABELS
            )
        )
        for skips in (False, True)
    }
    assert uneven[True] < skip_connections.MAX_EVEN_RATIO < uneven[False]


def test_a_layer_that_is_not_pulled_at_all_makes_it_infinitely_uneven():
    assert skip_connections.gradient_ratio([1.0, 4.0, 2.0]) == 4
    assert skip_connections.gradient_ratio([1.0, 0.0]) == skip_connections.gradient_ratio([1.0, math.nan]) == math.inf


def test_the_mean_of_factors_is_geometric_and_its_interval_students():
    found = skip_connections.gradient_ratio_interval([10, 1000, 100])
    assert found.value == pytest.approx(100)
    assert math.log10(found.high / found.value) == pytest.approx(4.302653 / math.sqrt(3), rel=1e-5)
    assert skip_connections.gradient_ratio_interval([1.1, 40.0]).low == 1
    assert skip_connections.gradient_ratio_interval([math.inf, math.inf]).low == pytest.approx(
        skip_connections.MAX_RATIO
    )


def test_the_same_seed_trains_the_same_and_the_loss_falls():
    runs = [
        skip_connections.train_network(
            skip_connections.build_cifar_resnet(8, True, True, 1, 4), IMAGES, LABELS, steps=25, seed=5
        )
        for _ in range(2)
    ]
    assert runs[0] == runs[1] and skip_connections.final_loss(runs[0], 4) < runs[0][0]


def test_the_rate_is_a_tenth_of_its_own_in_the_first_step_and_whole_in_the_tenth(monkeypatch):
    rates = []
    step = torch.optim.SGD.step
    spied = lambda self: (rates.append(self.param_groups[0]["lr"]), step(self))  # noqa: E731
    monkeypatch.setattr(torch.optim.SGD, "step", spied)
    skip_connections.train_network(
        skip_connections.build_cifar_resnet(8, True, True, 1, 4), IMAGES, LABELS, steps=12, lr=0.5
    )
    assert rates == pytest.approx([0.05 * n for n in range(1, 11)] + [0.5, 0.5])


def test_what_bursts_counts_as_guessing():
    assert skip_connections.final_loss([1.0, math.nan, math.inf, 900.0, math.nan], num_classes=4) == pytest.approx(
        math.log(4)
    )
    assert skip_connections.final_loss([9.0] * 8, num_classes=4) == pytest.approx(math.log(4))
    assert skip_connections.final_loss([9, 9, 9, 9, 9, 9, 0.2, 0.4], num_classes=4) == pytest.approx(0.3)


def test_a_difference_is_paired_and_has_students_interval():
    said = skip_connections.paired_difference([1.0, 2.0, 3.0], [2.0, 3.5, 3.5])
    assert said.value == pytest.approx(1.0)
    assert said.high - said.value == pytest.approx(4.302653 * 0.5 / math.sqrt(3), rel=1e-5)


WORSE, SAME, OPEN = Estimate(1.0, 0.5, 1.5), Estimate(0.0, -0.02, 0.02), Estimate(0.5, -0.5, 1.5)


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
def test_that_deeper_is_worse_fails_where_it_is_as_good(deeper, beyond, learned, verdict):
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
def test_that_skips_make_depth_harmless_fails_where_the_deeper_one_is_worse(deeper, alone, learned, verdict):
    assert skip_connections.depth_with_skips_verdict(deeper, alone, learned) == verdict


def about(*factors):
    """Factors that are known within a fifth."""
    return [Estimate(each, each / 1.2, each * 1.2) for each in factors]


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
def test_that_it_takes_skips_fails_where_batch_norm_does_or_skips_do_not(plain, skipped, verdict):
    assert skip_connections.gradient_ratio_verdict(plain, skipped) == verdict


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [([WORSE, WORSE], "holds"), ([WORSE, OPEN], "depends"), ([WORSE, Estimate(-1.0, -1.5, -0.5)], "fails")],
)
def test_that_each_is_better_fails_where_one_is_worse(steps, verdict):
    assert skip_connections.architecture_gains_verdict(steps) == verdict


def test_runs_that_end_at_guessing_have_learned_nothing():
    assert skip_connections.is_below_chance_loss(
        [0.5, 1.0], num_classes=4
    ) and not skip_connections.is_below_chance_loss([1.38, 1.39], num_classes=4)
