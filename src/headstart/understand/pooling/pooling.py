"""Measures of pooling: impulse response, retained peaks, roughness, and parameters of the head."""

from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.call_recorder import CallRecorder
from headstart.networks.copying import clone_network
from headstart.networks.hooks import LayerInfo, list_layers
from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by, decide_cases
from headstart.understand.statistics import Estimate
from headstart.understand.translation.shifts import axis_shifts

POOLING_KINDS = ("max", "average", "blur", "global")


def pool_maps(maps: Tensor, kind: str, size: int = 2) -> Tensor:
    """Maps (N, C, H, W), reduced by ``size`` along both axes, or to their mean, 1×1, by ``"global"``.

    ``"blur"`` halves a map repeatedly (``size`` is a power of two): it convolves with 1 2 1 along both axes, circular
    at the border, and takes every second value (Zhang, "Making convolutional networks shift-invariant again", 2019,
    section 3.3).
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
    """The response of a kind of pooling to a single pixel of height 1 on black.

    Args:
        kind, size: of the pooling.
        derived: share of shifts by one pixel along an axis that do not change the output, by arithmetic.
        measured: the same share, measured.
        height: largest value of the output, mean over positions.
        change: norm of the output's change relative to the output, at the worst position and shift.

    Example:
        >>> measure_impulse_response("max", 2).measured
        0.5
    """

    kind: str
    size: int
    derived: float
    measured: float
    height: float
    change: float


def invariant_share(kind: str, size: int) -> float:
    """The share of shifts of an impulse by one pixel along an axis that do not change the output.

    Of ``size`` positions in a window all but the last have their neighbor in the same window, and maximum and average
    do not depend on the position within it: 1 − 1/size. A global average depends on no position: 1. A blur weighs each
    position by its distance, so every shift changes it: 0.
    """
    return {"global": 1.0, "blur": 0.0}.get(kind, 1 - 1 / size)


def measure_impulse_response(kind: str, size: int, side: int = 16) -> ImpulseResponse:
    """Pools an impulse at each pixel of a ``side``×``side`` map and shifted in four directions (circular)."""
    impulses = torch.eye(side * side).view(side * side, 1, side, side)
    before = pool_maps(impulses, kind, size)
    is_unchanged, changes = [], []
    for shift in axis_shifts(1):
        after = pool_maps(impulses.roll(shift, dims=(2, 3)), kind, size)
        change = (after - before).flatten(1).norm(dim=1) / before.flatten(1).norm(dim=1)
        is_unchanged.append((change < 1e-6).float())
        changes.append(change)
    return ImpulseResponse(
        kind,
        size,
        invariant_share(kind, size),
        float(torch.stack(is_unchanged).mean()),
        float(before.amax(dim=(1, 2, 3)).mean()),
        float(torch.stack(changes).max()),
    )


def retained_peak_share(maps: Tensor, kind: str, size: int = 2) -> Tensor:
    """The largest value of a map after pooling divided by that before, mean over channels: (N,).

    Args:
        maps: (N, C, H, W), ≥ 0, as after a ReLU; H and W are cropped to a multiple of ``size``.
        kind, size: of the pooling.
    """
    maps = _crop_to_multiple(maps, size)
    before, after = maps.amax(dim=(2, 3)), pool_maps(maps, kind, size).amax(dim=(2, 3))
    return torch.where(before > 0, after / before.clamp(min=1e-12), torch.ones_like(before)).mean(dim=1)


def roughness(maps: Tensor, kind: str, size: int = 2) -> tuple[Tensor, Tensor]:
    """The mean difference of neighboring values after pooling, and that relative to the mean value, (N,) each."""
    pooled = pool_maps(_crop_to_multiple(maps, size), kind, size)
    vertical, horizontal = (pooled.diff(dim=dim).abs().mean(dim=(1, 2, 3)) for dim in (2, 3))
    difference = (vertical + horizontal) / 2
    return difference, difference / pooled.abs().mean(dim=(1, 2, 3)).clamp(min=1e-12)


def _crop_to_multiple(maps: Tensor, size: int) -> Tensor:
    height, width = (side // size * size for side in maps.shape[2:])
    return maps[:, :, :height, :width]


@dataclass(frozen=True)
class HeadSize:
    """The size of the first fully connected layer after the last map.

    Args:
        layer: its name.
        map: (C, H, W) of the last convolution's output.
        outputs: of the layer.
        averages_map: whether the network averages its map; False: it flattens it; None: neither, by its inputs.

    Example:
        >>> HeadSize("fc", (512, 7, 7), 10, averages_map=True).parameters_flattened
        250890
    """

    layer: str
    map: tuple[int, int, int]
    outputs: int
    averages_map: bool | None

    @property
    def parameters_averaged(self) -> int:
        """Weights and biases if each map is averaged first."""
        return (self.map[0] + 1) * self.outputs

    @property
    def parameters_flattened(self) -> int:
        """Weights and biases if the map is flattened."""
        return (prod(self.map) + 1) * self.outputs


def find_head(network: nn.Module, images: Tensor) -> HeadSize | None:
    """The first fully connected layer after the last convolution; None without one."""
    layers = list_layers(network, images, (nn.Conv2d, nn.Linear))
    convolutions = [i for i, layer in enumerate(layers) if isinstance(layer.module, nn.Conv2d)]
    if not convolutions:
        return None
    linear = [layer for layer in layers[convolutions[-1] :] if isinstance(layer.module, nn.Linear)]
    return _build_head_size(layers[convolutions[-1]], linear[0]) if linear else None


def _build_head_size(last: LayerInfo, dense: LayerInfo) -> HeadSize | None:
    channels, height, width = last.output_shape
    inputs = dense.input_shape[-1]
    # A function that no hook sees may pool the map; the number of inputs shows its size.
    side = round((inputs / channels) ** 0.5) if inputs % channels == 0 and inputs > channels else 0
    if side and side * side * channels == inputs:
        return HeadSize(dense.name, (channels, side, side), dense.output_shape[-1], False)
    averages_map = True if inputs == channels else None
    return HeadSize(dense.name, (channels, height, width), dense.output_shape[-1], averages_map)


@torch.no_grad()
def has_pooling(network: nn.Module, images: Tensor) -> bool:
    """Whether a network pools, by a module, a function or a mean over maps."""
    kinds: set[str] = set()
    copy = clone_network(network)
    with CallRecorder(copy, lambda _name, kind, _output, _layer: kinds.add(kind.lower())):
        copy(images[:1])
    return any("pool" in kind for kind in kinds) or not kinds.isdisjoint({"mean", "amax"})


def max_pooling_verdict(peak_shares: Tensor) -> ClaimVerdict:
    """Whether pooling preserves a map's largest value: holds for all images, depends for some, fails for none."""
    return decide_cases((peak_shares >= 1 - 1e-6).tolist())


def average_smoothness_verdict(reduction: Estimate, relative_reduction: Estimate) -> ClaimVerdict:
    """Whether averaging is smoother than the maximum.

    Holds if neighboring values differ less both absolutely and relative to the values, which shrink too; depends if
    only one of the two is true; fails if neither is.

    Args:
        reduction: of the mean difference of neighbors.
        relative_reduction: of that difference relative to the values.
    """
    return decide_cases([reduction.low > 0, relative_reduction.low > 0])


def head_savings_verdict(head: HeadSize) -> ClaimVerdict:
    """Whether averaging saves parameters: holds for a half or more, depends for less, fails for none."""
    saving = 1 - head.parameters_averaged / head.parameters_flattened
    return decide_by(holds=saving >= 0.5, fails=saving <= 0)
