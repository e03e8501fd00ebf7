"""Depth with and without skip connections: networks of equal depth and parameters, their gradients, their training."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.understand.claims import ClaimVerdict
from headstart.understand.statistics import Estimate, t_interval

BASE_CHANNELS = 8  # channels of the first stage: narrow, so that depth alone is what the networks have much of
MAX_EVEN_RATIO = 100.0  # layers whose gradients lie within this factor of each other can learn at one rate
MAX_RATIO = 1e12  # a factor beyond which one is as bad as another
LOSS_MARGIN = 0.05  # nats of loss below which two networks train as well as each other


class ShortcutBlock(nn.Module):
    """Two 3×3 convolutions, and around them a shortcut without parameters, or none.

    The shortcut of a block that halves and widens takes every second place and fills up with zeros (option A of He et
    al. 2016, arXiv:1512.03385, section 4.2): so a network has as many parameters with its skips as without.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, skip_connections: bool, batch_norm: bool) -> None:
        super().__init__()
        first, second = (
            _build_convolution(inputs, outputs, stride, batch_norm),
            _build_convolution(outputs, outputs, 1, batch_norm),
        )
        self.layers = nn.Sequential(*first, nn.ReLU(), *second)
        self.stride, self.extra_channels, self.skip_connections = stride, outputs - inputs, skip_connections

    def forward(self, maps: Tensor) -> Tensor:
        out = self.layers(maps)
        if self.skip_connections:
            out = out + F.pad(maps[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra_channels))
        return F.relu(out)


def build_cifar_resnet(
    depth: int, skip_connections: bool, batch_norm: bool, channels: int, num_classes: int, seed: int = 0
) -> nn.Module:
    """The CIFAR network of He et al. 2016 (section 4.2), half as wide: three stages of equally many blocks.

    Its weights are drawn as He et al. 2015 have it (arXiv:1502.01852: normal, variance 2/fan-in), the same for the same
    seed with skips and without.

    Args:
        depth: convolutions and the last linear layer; 6n + 2.
        skips: whether each block has a shortcut.
        normalised: whether a BatchNorm follows each convolution.
        channels: of an image.
        classes: how many logits it gives.

    Raises:
        ValueError: another depth.
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"a depth of {depth} is not 6n + 2")
    widths = [BASE_CHANNELS * 2**stage for stage in range(3) for _ in range(blocks)]
    with torch.random.fork_rng(devices=[]):  # layers draw from torch's own stream, which stays as it was
        torch.manual_seed(seed)
        first = [*_build_convolution(channels, BASE_CHANNELS, 1, batch_norm), nn.ReLU()]
        middle = [
            ShortcutBlock(inputs, outputs, outputs // inputs, skip_connections, batch_norm)
            for inputs, outputs in zip([BASE_CHANNELS, *widths], widths, strict=False)
        ]
        return nn.Sequential(*first, *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], num_classes))


def _build_convolution(inputs: int, outputs: int, stride: int, batch_norm: bool) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not batch_norm)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return [layer, nn.BatchNorm2d(outputs)] if batch_norm else [layer]


def relative_gradient_norms(network: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """How strongly the loss pulls at each convolution, from the first to the last: ‖∂loss/∂W‖ / ‖W‖.

    The network is made for it (``stack``): it goes to train mode, where BatchNorm takes the images' statistics, and its
    running ones move. No gradient is left in it.

    Args:
        images: float (N, C, H, W).
        labels: int64 (N,).
    """
    kernels = [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    pulls = torch.autograd.grad(F.cross_entropy(network.train()(images), labels), kernels)
    return [float(pull.norm() / kernel.detach().norm()) for pull, kernel in zip(pulls, kernels, strict=True)]


def gradient_ratio(gradient_norms: Sequence[float]) -> float:
    """By what factor the strongest pull exceeds the weakest; infinite where one is nothing or no number."""
    if not np.isfinite(gradient_norms).all() or min(gradient_norms) <= 0:
        return float("inf")
    return max(gradient_norms) / min(gradient_norms)


def gradient_ratio_interval(ratios: Sequence[float]) -> Estimate:
    """The geometric mean of such factors over seeds, and Student's interval of it; infinite ones count as 10¹²."""
    logs = t_interval(np.log(np.minimum(ratios, MAX_RATIO)).tolist())
    return Estimate(*(max(1.0, float(np.exp(each))) for each in logs))


def train_network(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    steps: int,
    seed: int = 0,
    lr: float = 0.03,
    batch_size: int = 64,
) -> list[float]:
    """Trains the network, by SGD with momentum 0.9 and a rate warmed up over 10 steps; gives each step's loss in nats.

    Args:
        images: float (N, C, H, W), of which each step draws ``batch`` by ``seed`` alone.
        labels: int64 (N,).
    """
    network.train()
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1.0, (step + 1) / 10)
        chosen = torch.randperm(len(images), generator=draw)[:batch_size]
        loss = F.cross_entropy(network(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def final_loss(losses: Sequence[float], num_classes: int) -> float:
    """Mean loss of the last quarter of the steps, nats; worse than guessing, or no number, counts as guessing."""
    guessing = float(np.log(num_classes))
    last = np.nan_to_num(np.asarray(losses[-max(1, len(losses) // 4) :]), nan=guessing, posinf=guessing)
    return float(last.clip(max=guessing).mean())


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """By how much the second exceed the first, pair by pair, and Student's interval of it."""
    return t_interval([after - before for before, after in zip(first, second, strict=True)])


def is_below_chance_loss(final_losses: Sequence[float], num_classes: int) -> bool:
    """Whether these runs, on average, ended clearly below guessing: a comparison of two that did not says nothing."""
    return float(np.mean(final_losses)) < 0.95 * float(np.log(num_classes))


def depth_without_skips_verdict(deeper: Estimate, excess: Estimate, has_shallow_learned: bool) -> ClaimVerdict:
    """Whether a deeper network without skips trains worse, for the want of them.

    It fails where the deeper one is surely as good within the margin. It depends where neither is sure, where it is
    not surely worse than depth makes a network with skips, or where the shallower one learned nothing to lose.

    Args:
        deeper: its loss above that of the shallower one.
        beyond: by how much that is more than with skips.
        shallow_learned: whether the shallower one learned.
    """
    if not has_shallow_learned:
        return "depends"
    if deeper.high < LOSS_MARGIN:
        return "fails"
    return "holds" if deeper.low > 0 and excess.low > 0 else "depends"


def depth_with_skips_verdict(deeper: Estimate, without_batch_norm: Estimate, has_shallow_learned: bool) -> ClaimVerdict:
    """Whether a deeper network with skips trains as well, and by its skips alone.

    It fails where the deeper one is worse even with BatchNorm, and depends where it needs that, or nothing is sure.

    Args:
        deeper: loss above that of the shallower network, both with skips and BatchNorm.
        alone: loss of the deeper one without BatchNorm above that of the deeper one with it.
        shallow_learned: whether the shallower one learned.
    """
    if not has_shallow_learned:
        return "depends"
    if deeper.high < LOSS_MARGIN:
        return "holds" if without_batch_norm.high < LOSS_MARGIN else "depends"
    return "fails" if deeper.low > 0 else "depends"


def gradient_ratio_verdict(without_skips: Sequence[Estimate], with_skips: Sequence[Estimate]) -> ClaimVerdict:
    """Whether it takes skips to keep gradients even, in networks that have BatchNorm.

    It holds where gradients are surely uneven without skips and surely even with them, at each depth. It fails where
    they are surely even without skips at each, or surely uneven with them at one; else it depends.

    Args:
        plain: by what factor the pulls differ without skips (``factor``), for each depth.
        skipped: with them.
    """
    if any(each.as_exact().low > MAX_EVEN_RATIO for each in with_skips) or all(
        each.as_exact().high <= MAX_EVEN_RATIO for each in without_skips
    ):
        return "fails"
    uneven, even = (
        all(each.as_exact().low > MAX_EVEN_RATIO for each in without_skips),
        all(each.as_exact().high <= MAX_EVEN_RATIO for each in with_skips),
    )
    return "holds" if uneven and even else "depends"


def architecture_gains_verdict(gains: Sequence[Estimate]) -> ClaimVerdict:
    """Whether each network is more accurate than the one before it: surely all, surely not all, or neither is sure."""
    if any(step.high < 0 for step in gains):
        return "fails"
    return "holds" if all(step.low > 0 for step in gains) else "depends"
