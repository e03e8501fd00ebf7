"""Networks of equal depth and parameters with and without skip connections: their gradients and their training."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide, decide_by
from headstart.understand.statistics import Estimate, t_interval

BASE_CHANNELS = 8  # of the first stage: narrow, so that the networks differ by depth
MAX_EVEN_RATIO = 100.0  # layers whose gradient norms differ by at most this factor can learn at one rate
MAX_RATIO = 1e12  # larger ratios count as this one
LOSS_MARGIN = 0.05  # nats: a smaller difference of training losses counts as none


class ShortcutBlock(nn.Module):
    """Two 3×3 convolutions with or without a parameter-free shortcut.

    A shortcut that halves the map and widens it takes every second position and pads channels with zeros (option A of
    He et al. 2016, arXiv:1512.03385, section 4.2). So networks have equal parameters with and without skips.

    Args:
        inputs, outputs: channels.
        stride: of the first convolution.
        skip_connections: whether the block has the shortcut.
        batch_norm: whether BatchNorm follows each convolution.

    Example:
        >>> ShortcutBlock(8, 16, stride=2, skip_connections=True, batch_norm=True)(torch.zeros(1, 8, 8, 8)).shape
        torch.Size([1, 16, 4, 4])
    """

    def __init__(self, inputs: int, outputs: int, stride: int, skip_connections: bool, batch_norm: bool) -> None:
        super().__init__()
        first = _build_convolution(inputs, outputs, stride, batch_norm)
        second = _build_convolution(outputs, outputs, 1, batch_norm)
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
    """The CIFAR network of He et al. 2016 (section 4.2) at half its width: three stages with equal numbers of blocks.

    Weights are drawn as in He et al. 2015 (arXiv:1502.01852: normal, variance 2/fan-in); one seed gives the same
    weights with and without skips.

    Args:
        depth: convolutions and the last linear layer, 6n + 2.
        skip_connections: whether each block has a shortcut.
        batch_norm: whether BatchNorm follows each convolution.
        channels: of an image.
        num_classes: number of logits.
        seed: of the weights.

    Raises:
        ValueError: another depth.
    """
    blocks, remainder = divmod(depth - 2, 6)
    if remainder or blocks < 1:
        raise ValueError(f"a depth of {depth} is not 6n + 2")
    widths = [BASE_CHANNELS * 2**stage for stage in range(3) for _ in range(blocks)]
    with torch.random.fork_rng(devices=[]):  # layers draw from torch's global stream
        torch.manual_seed(seed)
        stem = [*_build_convolution(channels, BASE_CHANNELS, 1, batch_norm), nn.ReLU()]
        body = [
            ShortcutBlock(inputs, outputs, outputs // inputs, skip_connections, batch_norm)
            for inputs, outputs in zip([BASE_CHANNELS, *widths], widths, strict=False)
        ]
        return nn.Sequential(*stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], num_classes))


def _build_convolution(inputs: int, outputs: int, stride: int, batch_norm: bool) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not batch_norm)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return [layer, nn.BatchNorm2d(outputs)] if batch_norm else [layer]


def relative_gradient_norms(network: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """‖∂loss/∂W‖ / ‖W‖ of each convolution from first to last.

    Args:
        network: switched to train mode, in which BatchNorm uses the images' statistics and updates its running ones.
            No gradient is left in it.
        images: float (N, C, H, W).
        labels: int64 (N,).
    """
    kernels = [layer.weight for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    gradients = torch.autograd.grad(F.cross_entropy(network.train()(images), labels), kernels)
    return [float(g.norm() / kernel.detach().norm()) for g, kernel in zip(gradients, kernels, strict=True)]


def gradient_ratio(gradient_norms: Sequence[float]) -> float:
    """The largest gradient norm divided by the smallest; infinite if one is zero or not finite."""
    if not np.isfinite(gradient_norms).all() or min(gradient_norms) <= 0:
        return float("inf")
    return max(gradient_norms) / min(gradient_norms)


def gradient_ratio_interval(ratios: Sequence[float]) -> Estimate:
    """The geometric mean of gradient ratios over seeds and its t interval; infinite ratios count as 10¹²."""
    logs = t_interval(np.log(np.minimum(ratios, MAX_RATIO)).tolist())
    return Estimate(*(max(1.0, float(np.exp(log))) for log in logs))


def train_network(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    steps: int,
    seed: int = 0,
    lr: float = 0.03,
    batch_size: int = 64,
) -> list[float]:
    """Trains a network by SGD with momentum 0.9 and 10 steps of linear warmup.

    Args:
        network: trained in place.
        images: float (N, C, H, W).
        labels: int64 (N,).
        steps: number of steps.
        seed: of the batches.
        lr: learning rate after warmup.
        batch_size: images of a step.

    Returns:
        The loss of each step in nats.
    """
    network.train()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min(1.0, (step + 1) / 10)
        indices = torch.randperm(len(images), generator=generator)[:batch_size]
        loss = F.cross_entropy(network(images[indices]), labels[indices])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def final_loss(losses: Sequence[float], num_classes: int) -> float:
    """Mean loss of the last quarter of the steps in nats; a loss above chance or not finite counts as chance."""
    chance = float(np.log(num_classes))
    last = np.nan_to_num(np.asarray(losses[-max(1, len(losses) // 4) :]), nan=chance, posinf=chance)
    return float(last.clip(max=chance).mean())


def paired_difference(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """The second values minus the first, paired, and the t interval of the mean difference."""
    return t_interval([b - a for a, b in zip(first, second, strict=True)])


def is_below_chance_loss(final_losses: Sequence[float], num_classes: int) -> bool:
    """Whether the mean final loss is clearly below chance. Networks that learned nothing cannot be compared."""
    return float(np.mean(final_losses)) < 0.95 * float(np.log(num_classes))


def depth_without_skips_verdict(deeper: Estimate, excess: Estimate, has_shallow_learned: bool) -> ClaimVerdict:
    """Whether a deeper network trains worse for lack of skips.

    Fails if it is as good within the margin; holds if it is worse, and more so than with skips; otherwise depends.

    Args:
        deeper: its loss minus that of the shallower one.
        excess: that difference minus the same with skips.
        has_shallow_learned: whether the shallower one learned; if not, the verdict is "depends".
    """
    if not has_shallow_learned:
        return "depends"
    return decide_by(holds=deeper.low > 0 and excess.low > 0, fails=deeper.high < LOSS_MARGIN)


def depth_with_skips_verdict(deeper: Estimate, without_batch_norm: Estimate, has_shallow_learned: bool) -> ClaimVerdict:
    """Whether a deeper network with skips trains as well, by its skips alone.

    Holds if it is as good within the margin and needs no BatchNorm for that; fails if it is worse even with
    BatchNorm; otherwise depends.

    Args:
        deeper: its loss minus that of the shallower network, both with skips and BatchNorm.
        without_batch_norm: loss of the deeper one without BatchNorm minus that with it.
        has_shallow_learned: whether the shallower one learned; if not, the verdict is "depends".
    """
    if not has_shallow_learned:
        return "depends"
    is_as_good = deeper.high < LOSS_MARGIN
    return decide_by(
        holds=is_as_good and without_batch_norm.high < LOSS_MARGIN, fails=deeper.low > 0 and not is_as_good
    )


def gradient_ratio_verdict(without_skips: Sequence[Estimate], with_skips: Sequence[Estimate]) -> ClaimVerdict:
    """Whether even gradients need skips, in networks with BatchNorm.

    Holds if gradients are uneven without skips and even with them at every depth; fails if they are even without
    skips at every depth, or uneven with them at one; otherwise depends.

    Args:
        without_skips: ratio of the largest gradient norm to the smallest at each depth.
        with_skips: the same with skips.
    """
    without, with_ = ([ratio.as_exact() for ratio in ratios] for ratios in (without_skips, with_skips))
    return decide_by(
        holds=decide(without, MAX_EVEN_RATIO) == "holds" and decide(with_, MAX_EVEN_RATIO) == "fails",
        fails=decide(without, MAX_EVEN_RATIO) == "fails" or any(ratio.low > MAX_EVEN_RATIO for ratio in with_),
    )
