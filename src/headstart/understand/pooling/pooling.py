"""Pooling: what each kind keeps of a map, what a shift changes in it, and what it saves in the head."""

from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.call_recorder import CallRecorder
from headstart.networks.copying import clone_network
from headstart.networks.hooks import LayerInfo, list_layers
from headstart.understand.claims import ClaimVerdict
from headstart.understand.translation.shifts import axis_shifts

POOLING_KINDS = ("max", "average", "blur", "global")


def pool_maps(maps: Tensor, kind: str, size: int = 2) -> Tensor:
    """Maps (N, C, H, W), made smaller by ``size`` along both axes, or to 1×1 by ``"global"``, which averages.

    ``"blur"`` halves a map as often as it takes (``size`` is a power of two): blurred by 1 2 1 along both axes,
    wrapped round the border, of which each second value is kept (Zhang, "Making convolutional networks
    shift-invariant again", 2019, section 3.3).
    """
    if kind == "max":
        return F.max_pool2d(maps, size)
    if kind == "average":
        return F.avg_pool2d(maps, size)
    if kind == "global":
        return maps.mean(dim=(2, 3), keepdim=True)
    row = torch.tensor([0.25, 0.5, 0.25])
    kernel = (row[:, None] * row).expand(maps.shape[1], 1, -1, -1)
    for _ in range(size.bit_length() - 1):
        maps = F.conv2d(F.pad(maps, (1, 1, 1, 1), mode="circular"), kernel, stride=2, groups=maps.shape[1])
    return maps


@dataclass(frozen=True)
class ImpulseResponse:
    """What a kind of pooling makes of a single bright pixel of height 1 amid black.

    Args:
        kind, size: of the pooling.
        derived: the share of moves by one pixel along an axis that leave the output as it was, by arithmetic.
        measured: that share, by moving it.
        height: the greatest value of the output, mean over places.
        change: size of the change of the output, relative to the output, at the worst place and move.
    """

    kind: str
    size: int
    derived: float
    measured: float
    height: float
    change: float


def unmoved_share(kind: str, size: int) -> float:
    """How often moving an impulse by one pixel along an axis leaves the output as it was.

    Of ``size`` places in a window all but the last have their neighbour in the same window, and maximum and average
    are blind to the place within it: 1 − 1/size. A global average is blind to all of it: 1. A blur weighs each place
    by its distance, so that every move shows: 0.
    """
    return {"global": 1.0, "blur": 0.0}.get(kind, 1 - 1 / size)


def measure_impulse_response(kind: str, size: int, side: int = 16) -> ImpulseResponse:
    """Puts an impulse on each pixel of a ``side``×``side`` map, moves it all four ways (round the border) and pools."""
    points = torch.eye(side * side).view(side * side, 1, side, side)
    before = pool_maps(points, kind, size)
    same, changes = [], []
    for shift in axis_shifts(1):
        after = pool_maps(points.roll(shift, dims=(2, 3)), kind, size)
        change = (after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)
        same.append((change < 1e-6).float())
        changes.append(change)
    return ImpulseResponse(
        kind, size, unmoved_share(kind, size), float(torch.stack(same).mean()),
        float(before.amax(dim=(1, 2, 3)).mean()), float(torch.stack(changes).max()),
    )  # fmt: skip


def retained_peak_share(maps: Tensor, kind: str, size: int = 2) -> Tensor:
    """The greatest value of a map that is left after pooling, as a share of it, mean over channels: (N,).

    Args:
        maps: (N, C, H, W), ≥ 0, as after a ReLU; H and W are cut to a multiple of ``size``.
    """
    maps = _crop_to_multiple(maps, size)
    peak, left = maps.amax(dim=(2, 3)), pool_maps(maps, kind, size).amax(dim=(2, 3))
    return torch.where(peak > 0, left / peak.clamp(min=1e-12), torch.ones_like(peak)).mean(dim=1)


def roughness(maps: Tensor, kind: str, size: int = 2) -> tuple[Tensor, Tensor]:
    """The mean difference of neighbours after pooling, and the same relative to the mean value, (N,) each."""
    left = pool_maps(_crop_to_multiple(maps, size), kind, size)
    steps = (left.diff(dim=2).abs().mean(dim=(1, 2, 3)) + left.diff(dim=3).abs().mean(dim=(1, 2, 3))) / 2
    return steps, steps / left.abs().mean(dim=(1, 2, 3)).clamp(min=1e-12)


def _crop_to_multiple(maps: Tensor, size: int) -> Tensor:
    height, width = (side // size * size for side in maps.shape[2:])
    return maps[:, :, :height, :width]


@dataclass(frozen=True)
class HeadSize:
    """The first layer after the last map, by two ways of leading there.

    Args:
        layer: its name in the network.
        map: shape of the last convolution's map.
        outputs: of that layer.
        pools: the network averages its map; False: it flattens; None: neither, by its number of inputs.
    """

    layer: str
    map: tuple[int, int, int]
    outputs: int
    averages_map: bool | None

    @property
    def parameters_averaged(self) -> int:
        """Weights and biases when each map is averaged to one number first."""
        return (self.map[0] + 1) * self.outputs

    @property
    def parameters_flattened(self) -> int:
        """Weights and biases when the map is flattened."""
        return (prod(self.map) + 1) * self.outputs


def find_head(network: nn.Module, images: Tensor) -> HeadSize | None:
    """The first fully connected layer after the last convolution; None where there is none, or no map before it."""
    passed = list_layers(network, images, (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d))
    convolutions = [i for i, layer in enumerate(passed) if isinstance(layer.module, nn.Conv2d)]
    if not convolutions:
        return None
    after = [layer for layer in passed[convolutions[-1] :] if isinstance(layer.module, nn.Linear)]
    if not after:
        return None
    return _build_head_size(passed[convolutions[-1]], after[0])


def _build_head_size(last: LayerInfo, dense: LayerInfo) -> HeadSize | None:
    channels, height, width = last.output_shape
    taken = dense.input_shape[-1]
    # Pooled on its way, as a rule by a function that no hook sees: what arrives tells how large it was.
    side = round((taken / channels) ** 0.5) if taken % channels == 0 and taken > channels else 0
    if side and side * side * channels == taken:
        return HeadSize(dense.name, (channels, side, side), dense.output_shape[-1], False)
    return HeadSize(dense.name, (channels, height, width), dense.output_shape[-1], True if taken == channels else None)


@torch.no_grad()
def has_pooling(network: nn.Module, images: Tensor) -> bool:
    """Whether a network pools anywhere, by a module, a function or a mean over maps."""
    kinds: set[str] = set()
    copy = clone_network(network)
    with CallRecorder(copy, lambda _name, kind, _output, _layer: kinds.add(kind.lower())):
        copy(images[:1])
    return any("pool" in kind for kind in kinds) or not kinds.isdisjoint({"mean", "amax"})


def max_pooling_verdict(peak_shares: Tensor) -> ClaimVerdict:
    """Whether pooling keeps a map's greatest value: holds where always, depends where in some image, else fails."""
    whole = peak_shares >= 1 - 1e-6
    return "holds" if whole.all() else "depends" if whole.any() else "fails"


def average_smoothness_verdict(reduction: tuple[float, float], relative_reduction: tuple[float, float]) -> ClaimVerdict:
    """Whether averaging is smoother, by the intervals of how much smaller the differences of neighbours are then.

    Holds where they are smaller both as they are and relative to the values, which shrink too; depends where only
    one of the two is sure; fails where neither is.
    """
    smaller = [low > 0 for low, _ in (reduction, relative_reduction)]
    return "holds" if all(smaller) else "depends" if any(smaller) else "fails"


def head_savings_verdict(head: HeadSize) -> ClaimVerdict:
    """Whether averaging saves parameters: holds from half of them on, depends where fewer, fails where none."""
    saved = 1 - head.parameters_averaged / head.parameters_flattened
    return "holds" if saved >= 0.5 else "depends" if saved > 0 else "fails"
