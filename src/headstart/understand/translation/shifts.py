"""Shifts of images by whole pixels, and whether a network's predictions stay the same."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by
from headstart.understand.statistics import Estimate

RECOGNITION_THRESHOLD = 0.95  # share of shifted images that keep their class, from which they count as recognized

Shift = tuple[int, int]  # pixels down, right


def shift_images(images: Tensor, down: int, right: int) -> Tensor:
    """Images (N, C, H, W) with their content ``down`` and ``right`` pixels further and a mirrored strip at the border.

    A mirrored strip adds no edge, as black would.
    """
    y, x = abs(down), abs(right)
    wide = F.pad(images, (x, x, y, y), mode="reflect")
    return wide[:, :, y - down : y - down + images.shape[2], x - right : x - right + images.shape[3]]


def axis_shifts(distance: int) -> list[Shift]:
    """The four shifts by ``distance`` along an axis."""
    return [(distance, 0), (-distance, 0), (0, distance), (0, -distance)]


def relative_error(maps: Tensor, expected: Tensor) -> float:
    """The norm of the difference divided by the norm of ``expected``."""
    return float((maps - expected).norm() / expected.norm().clamp(min=1e-12))


@torch.no_grad()
def unchanged_predictions(network: nn.Module, images: Tensor, shifts: Sequence[Shift], batch_size: int = 64) -> Tensor:
    """Whether the predicted class is the same before and after each shift, bool (len(shifts), N)."""

    def predict(shift: Shift) -> Tensor:
        return torch.cat([network(shift_images(batch, *shift)).argmax(dim=1) for batch in images.split(batch_size)])

    unshifted = predict((0, 0))
    return torch.stack([predict(shift) == unshifted for shift in shifts])


@torch.no_grad()
def chance_agreement(network: nn.Module, images: Tensor) -> float:
    """The share of pairs of different images with the same predicted class: the level of a constant network is 1."""
    counts = torch.cat([network(batch).argmax(dim=1) for batch in images.split(64)]).bincount().double()
    total = counts.sum()
    return float((counts * (counts - 1)).sum() / (total * (total - 1)).clamp(min=1))


def recognition_verdict(share: Estimate, chance: float) -> ClaimVerdict:
    """The verdict on the claim that shifted images keep their class.

    Holds where the interval lies at 95 % or above; fails where it includes the chance level or lies below one half.

    Args:
        share: of shifted images that keep their class.
        chance: share of pairs of different images with the same class.
    """
    return decide_by(
        holds=share.low >= RECOGNITION_THRESHOLD,
        fails=share.low <= chance or share.high < 0.5,
    )
