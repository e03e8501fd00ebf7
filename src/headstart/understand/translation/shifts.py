"""Images moved by whole pixels, and whether a network says the same of them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by
from headstart.understand.statistics import Estimate

RECOGNITION_THRESHOLD = 0.95  # share of moved images that keep their class, from which on they are called recognised

Shift = tuple[int, int]


def shift_images(images: Tensor, down: int, right: int) -> Tensor:
    """Images (N, C, H, W) whose content lies ``down`` and ``right`` pixels further; what comes in is mirrored.

    A mirrored strip brings no edge that was not in the picture, as black would.
    """
    y, x = abs(down), abs(right)
    wide = F.pad(images, (x, x, y, y), mode="reflect")
    return wide[:, :, y - down : y - down + images.shape[2], x - right : x - right + images.shape[3]]


def axis_shifts(distance: int) -> list[Shift]:
    """The four shifts by ``distance`` along an axis."""
    return [(distance, 0), (-distance, 0), (0, distance), (0, -distance)]


@torch.no_grad()
def unchanged_predictions(network: nn.Module, images: Tensor, shifts: Sequence[Shift], batch: int = 64) -> Tensor:
    """Whether the network names the same class before and after each shift, bool (len(shifts), N)."""

    def answers(shift: Shift) -> Tensor:
        return torch.cat([network(shift_images(part, *shift)).argmax(dim=1) for part in images.split(batch)])

    unmoved = answers((0, 0))
    return torch.stack([answers(shift) == unmoved for shift in shifts])


def chance_agreement(network: nn.Module, images: Tensor) -> float:
    """How often two different images get the same class: what sameness is worth in a network that ignores its input."""
    with torch.no_grad():
        counts = torch.cat([network(part).argmax(dim=1) for part in images.split(64)]).bincount().double()
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
