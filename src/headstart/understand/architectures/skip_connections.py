"""Depth with and without skip connections: networks of equal depth and parameters, their gradients, their training."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.understand.claims import Verdict
from headstart.understand.statistics import Interval, of_seeds

WIDTH = 8  # channels of the first stage: narrow, so that depth alone is what the networks have much of
EVEN = 100.0  # layers whose gradients lie within this factor of each other can learn at one rate
WORST = 1e12  # a factor beyond which one is as bad as another
MARGIN = 0.05  # nats of loss below which two networks train as well as each other


class Block(nn.Module):
    """Two 3×3 convolutions, and around them a shortcut without parameters, or none.

    The shortcut of a block that halves and widens takes every second place and fills up with zeros (option A of He et
    al. 2016, arXiv:1512.03385, section 4.2): so a network has as many parameters with its skips as without.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, skips: bool, normalised: bool) -> None:
        super().__init__()
        first, second = _convolution(inputs, outputs, stride, normalised), _convolution(outputs, outputs, 1, normalised)
        self.layers = nn.Sequential(*first, nn.ReLU(), *second)
        self.stride, self.more, self.skips = stride, outputs - inputs, skips

    def forward(self, maps: Tensor) -> Tensor:
        out = self.layers(maps)
        if self.skips:
            out = out + F.pad(maps[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        return F.relu(out)


def stack(depth: int, skips: bool, normalised: bool, channels: int, classes: int, seed: int = 0) -> nn.Module:
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
    widths = [WIDTH * 2**stage for stage in range(3) for _ in range(blocks)]
    with torch.random.fork_rng(devices=[]):  # layers draw from torch's own stream, which stays as it was
        torch.manual_seed(seed)
        first = [*_convolution(channels, WIDTH, 1, normalised), nn.ReLU()]
        middle = [
            Block(inputs, outputs, outputs // inputs, skips, normalised)
            for inputs, outputs in zip([WIDTH, *widths], widths, strict=False)
        ]
        return nn.Sequential(*first, *middle, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


def _convolution(inputs: int, outputs: int, stride: int, normalised: bool) -> list[nn.Module]:
    layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=not normalised)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return [layer, nn.BatchNorm2d(outputs)] if normalised else [layer]


def gradients(network: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
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


def unevenness(pulls: Sequence[float]) -> float:
    """By what factor the strongest pull exceeds the weakest; infinite where one is nothing or no number."""
    if not np.isfinite(pulls).all() or min(pulls) <= 0:
        return float("inf")
    return max(pulls) / min(pulls)


def factor(unevenness: Sequence[float]) -> Interval:
    """The geometric mean of such factors over seeds, and Student's interval of it; infinite ones count as 10¹²."""
    logs = of_seeds(np.log(np.minimum(unevenness, WORST)).tolist())
    return Interval(*(max(1.0, float(np.exp(each))) for each in logs))


def trained(
    network: nn.Module, images: Tensor, labels: Tensor, steps: int, seed: int = 0, lr: float = 0.03, batch: int = 64
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
        chosen = torch.randperm(len(images), generator=draw)[:batch]
        loss = F.cross_entropy(network(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def reached(losses: Sequence[float], classes: int) -> float:
    """Mean loss of the last quarter of the steps, nats; worse than guessing, or no number, counts as guessing."""
    guessing = float(np.log(classes))
    last = np.nan_to_num(np.asarray(losses[-max(1, len(losses) // 4) :]), nan=guessing, posinf=guessing)
    return float(last.clip(max=guessing).mean())


def difference(first: Sequence[float], second: Sequence[float]) -> Interval:
    """By how much the second exceed the first, pair by pair, and Student's interval of it."""
    return of_seeds([after - before for before, after in zip(first, second, strict=True)])


def learned(reached: Sequence[float], classes: int) -> bool:
    """Whether these runs, on average, ended clearly below guessing: a comparison of two that did not says nothing."""
    return float(np.mean(reached)) < 0.95 * float(np.log(classes))


def deeper_is_worse(deeper: Interval, beyond: Interval, shallow_learned: bool) -> Verdict:
    """Whether a deeper network without skips trains worse, for the want of them.

    It fails where the deeper one is surely as good within the margin. It depends where neither is sure, where it is
    not surely worse than depth makes a network with skips, or where the shallower one learned nothing to lose.

    Args:
        deeper: its loss above that of the shallower one.
        beyond: by how much that is more than with skips.
        shallow_learned: whether the shallower one learned.
    """
    if not shallow_learned:
        return "depends"
    if deeper.high < MARGIN:
        return "fails"
    return "holds" if deeper.low > 0 and beyond.low > 0 else "depends"


def skips_make_depth_harmless(deeper: Interval, alone: Interval, shallow_learned: bool) -> Verdict:
    """Whether a deeper network with skips trains as well, and by its skips alone.

    It fails where the deeper one is worse even with BatchNorm, and depends where it needs that, or nothing is sure.

    Args:
        deeper: loss above that of the shallower network, both with skips and BatchNorm.
        alone: loss of the deeper one without BatchNorm above that of the deeper one with it.
        shallow_learned: whether the shallower one learned.
    """
    if not shallow_learned:
        return "depends"
    if deeper.high < MARGIN:
        return "holds" if alone.high < MARGIN else "depends"
    return "fails" if deeper.low > 0 else "depends"


def only_skips_even_gradients(plain: Sequence[Interval], skipped: Sequence[Interval]) -> Verdict:
    """Whether it takes skips to keep gradients even, in networks that have BatchNorm.

    It holds where gradients are surely uneven without skips and surely even with them, at each depth. It fails where
    they are surely even without skips at each, or surely uneven with them at one; else it depends.

    Args:
        plain: by what factor the pulls differ without skips (``factor``), for each depth.
        skipped: with them.
    """
    if any(each.ends[0] > EVEN for each in skipped) or all(each.ends[1] <= EVEN for each in plain):
        return "fails"
    uneven, even = all(each.ends[0] > EVEN for each in plain), all(each.ends[1] <= EVEN for each in skipped)
    return "holds" if uneven and even else "depends"


def each_is_better(steps: Sequence[Interval]) -> Verdict:
    """Whether each network is more accurate than the one before it: surely all, surely not all, or neither is sure."""
    if any(step.high < 0 for step in steps):
        return "fails"
    return "holds" if all(step.low > 0 for step in steps) else "depends"
