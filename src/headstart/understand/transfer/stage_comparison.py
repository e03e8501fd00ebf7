"""What the stages of a network tell of the classes, and what training changed of them, in one go."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from headstart.networks.stages import AT_ONCE, stages
from headstart.understand.statistics import NO_FIGURE, Interval
from headstart.understand.subject import Subject, copied
from headstart.understand.transfer.cka import fall, likeness
from headstart.understand.transfer.linear_probe import FOLDS, accuracy, features, gain, pooled, read, shuffled
from headstart.understand.transfer.weight_distance import weight_change

MOST = 400  # images that are looked at
STATISTICS = 128  # of them are enough for BatchNorm's
ENOUGH = 30  # images for a probe, of classes with at least one for each fold


@dataclass
class Measured:
    """What was found, stage by stage.

    Args:
        names: of the stages.
        right: by network (``trained``, ``random`` and, where there is one, ``pretrained``) which images its probe names
            right, bool (N,) for each stage; {} where too few images are labelled.
        luck: accuracy of the trained network's probes with labels dealt anew.
        held_out: whether none of the images trained the network.
        images: how many they are.
        commonest: share of the commonest class among them.
        pixels: accuracy of a probe of the images themselves.
        alike: likeness of the trained network to its beginning.
        fall: of that likeness, from the first stage to the last.
        changes: relative weight change, and that of what stands behind the last stage.
        pretrained: whether that beginning was pretrained.
    """

    names: list[str]
    held_out: bool
    images: int
    pretrained: bool
    alike: list[Interval]
    fall: Interval
    changes: list[float]
    right: dict[str, list[np.ndarray]] = field(default_factory=dict)
    luck: list[float] = field(default_factory=list)
    commonest: float = math.nan
    pixels: Interval = NO_FIGURE

    def gains(self, better: str, other: str) -> list[Interval]:
        return [gain(*pair) for pair in zip(self.right[better], self.right[other], strict=True)]

    @property
    def moved(self) -> bool:
        return any(self.changes[:-1])

    @property
    def incomparable(self) -> str:
        """Why the trained network cannot be held against its own beginning; "" where it can."""
        reasons = {
            "this network was not pretrained": not self.pretrained,
            "the backbone never changed, so that there is nothing to hold it against": not self.moved,
            f"fewer than {ENOUGH} images are labelled": not self.right,
            "the network was trained on too many of the labelled images": not self.held_out,
        }
        return next((reason for reason, so in reasons.items() if so), "")


def measured(subject: Subject, tell: Callable[[str], None]) -> Measured:
    """Probes of each stage, beside those before its training and at random weights, and what training changed.

    Args:
        subject: stays as it is.
        tell: takes a short line of progress.
    """
    shape = subject.images.shape[1], subject.images.shape[2], subject.images.shape[3]
    names = stages(subject.network, shape)
    chosen, held_out = _chosen(subject)
    images = subject.images[chosen]
    networks = {"trained": subject.network, "pretrained": subject.pretrained, "random": subject.random}
    given: dict[str, list[Tensor]] = {}
    for role, network in networks.items():
        if network is not None:
            tell(f"features of the {role} network")
            network = calibrated(network, images) if role == "random" else network
            given[role] = list(features(network, images, names).values())
    before = given.get("pretrained", given["random"])
    pairs = [*zip(before, given["trained"], strict=True)]
    found = Measured(
        names,
        held_out,
        len(images),
        subject.pretrained is not None,
        [likeness(*pair) for pair in pairs],
        fall(pairs[0], pairs[-1]),
        weight_change(subject.random if subject.pretrained is None else subject.pretrained, subject.network, names),
    )
    labels = None if subject.labels is None else subject.labels[chosen]
    if labels is not None and len(labels) >= ENOUGH and len(labels.unique()) > 1:
        tell(f"probes of {len(names)} stages")
        found.right = {role: [read(stage, labels) for stage in of_role] for role, of_role in given.items()}
        found.luck = [shuffled(stage, labels) for stage in given["trained"]]
        found.pixels = accuracy(read(pooled(images), labels))
        found.commonest = float(torch.bincount(labels).max() / len(labels))
    return found


def calibrated(network: nn.Module, images: Tensor) -> nn.Module:
    """A copy whose BatchNorm statistics are those of the images: random weights come with none."""
    copy = copied(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of dropout
        some = images[:: max(1, len(images) // STATISTICS)]
        update_bn([batch for batch in some.split(AT_ONCE) if len(batch) > 1], copy)
    return copy.eval()


def _chosen(subject: Subject) -> tuple[Tensor, bool]:
    """Positions of the images to look at: those that trained nothing where enough are labelled, else any."""
    for held_out, some in ((True, ~subject.trained_on), (False, torch.ones_like(subject.trained_on))):
        positions = some.nonzero().flatten()
        if subject.labels is not None:
            labels = subject.labels[positions]
            common = torch.bincount(labels, minlength=len(subject.classes)) >= FOLDS
            positions = positions[common[labels]]
            if len(positions) >= ENOUGH and common.sum() > 1:
                # Evenly over all, in whatever order they come.
                return positions[torch.linspace(0, len(positions) - 1, min(MOST, len(positions))).long()], held_out
    return torch.arange(min(MOST, len(subject.images))), False
