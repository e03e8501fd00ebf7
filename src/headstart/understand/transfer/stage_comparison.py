"""What the stages of a network tell of the classes, and what training changed of them, in one go."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from headstart.networks.copying import clone_network
from headstart.networks.hooks import BATCH_SIZE
from headstart.networks.stages import find_stages
from headstart.understand.statistics import NO_ESTIMATE, Estimate
from headstart.understand.subject import Subject
from headstart.understand.transfer.cka import cka_drop, cka_interval
from headstart.understand.transfer.linear_probe import (
    FOLDS,
    chance_accuracy,
    cross_val_probe,
    extract_stage_features,
    paired_accuracy_gain,
    probe_accuracy,
    reduce_maps,
)
from headstart.understand.transfer.weight_distance import relative_weight_change

MAX_STAGE_IMAGES = 400  # images that are looked at
BATCH_NORM_IMAGES = 128  # of them are enough for BatchNorm's
MIN_PROBE_IMAGES = 30  # images for a probe, of classes with at least one for each fold


@dataclass
class StageComparison:
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

    stage_names: list[str]
    is_held_out: bool
    num_images: int
    is_pretrained: bool
    similarity: list[Estimate]
    similarity_drop: Estimate
    weight_changes: list[float]
    correct: dict[str, list[np.ndarray]] = field(default_factory=dict)
    chance_accuracies: list[float] = field(default_factory=list)
    majority_share: float = math.nan
    pixel_accuracy: Estimate = NO_ESTIMATE

    def accuracy_gains(self, role: str, baseline: str) -> list[Estimate]:
        return [paired_accuracy_gain(*pair) for pair in zip(self.correct[role], self.correct[baseline], strict=True)]

    @property
    def has_changed(self) -> bool:
        return any(self.weight_changes[:-1])

    @property
    def reason_not_comparable(self) -> str:
        """Why the trained network cannot be held against its own beginning; "" where it can."""
        reasons = {
            "this network was not pretrained": not self.is_pretrained,
            "the backbone never changed, so that there is nothing to hold it against": not self.has_changed,
            f"fewer than {MIN_PROBE_IMAGES} images are labelled": not self.correct,
            "the network was trained on too many of the labelled images": not self.is_held_out,
        }
        return next((reason for reason, so in reasons.items() if so), "")


def compare_stages(subject: Subject, report_progress: Callable[[str], None]) -> StageComparison:
    """Probes of each stage, beside those before its training and at random weights, and what training changed.

    Args:
        subject: stays as it is.
        tell: takes a short line of progress.
    """
    shape = subject.images.shape[1], subject.images.shape[2], subject.images.shape[3]
    names = find_stages(subject.network, shape)
    chosen, held_out = _select_images(subject)
    images = subject.images[chosen]
    networks = {"trained": subject.network, "pretrained": subject.pretrained_network, "random": subject.random_network}
    given: dict[str, list[Tensor]] = {}
    for role, network in networks.items():
        if network is not None:
            report_progress(f"features of the {role} network")
            network = calibrate_batch_norm(network, images) if role == "random" else network
            given[role] = list(extract_stage_features(network, images, names).values())
    before = given.get("pretrained", given["random"])
    pairs = [*zip(before, given["trained"], strict=True)]
    found = StageComparison(
        names,
        held_out,
        len(images),
        subject.pretrained_network is not None,
        [cka_interval(*pair) for pair in pairs],
        cka_drop(pairs[0], pairs[-1]),
        relative_weight_change(
            subject.random_network if subject.pretrained_network is None else subject.pretrained_network,
            subject.network,
            names,
        ),
    )
    labels = None if subject.labels is None else subject.labels[chosen]
    if labels is not None and len(labels) >= MIN_PROBE_IMAGES and len(labels.unique()) > 1:
        report_progress(f"probes of {len(names)} stages")
        found.correct = {role: [cross_val_probe(stage, labels) for stage in of_role] for role, of_role in given.items()}
        found.chance_accuracies = [chance_accuracy(stage, labels) for stage in given["trained"]]
        found.pixel_accuracy = probe_accuracy(cross_val_probe(reduce_maps(images), labels))
        found.majority_share = float(torch.bincount(labels).max() / len(labels))
    return found


def calibrate_batch_norm(network: nn.Module, images: Tensor) -> nn.Module:
    """A copy whose BatchNorm statistics are those of the images: random weights come with none."""
    copy = clone_network(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # of dropout
        some = images[:: max(1, len(images) // BATCH_NORM_IMAGES)]
        update_bn([batch for batch in some.split(BATCH_SIZE) if len(batch) > 1], copy)
    return copy.eval()


def _select_images(subject: Subject) -> tuple[Tensor, bool]:
    """Positions of the images to look at: those that trained nothing where enough are labelled, else any."""
    for held_out, some in ((True, ~subject.train_mask), (False, torch.ones_like(subject.train_mask))):
        positions = some.nonzero().flatten()
        if subject.labels is not None:
            labels = subject.labels[positions]
            common = torch.bincount(labels, minlength=len(subject.classes)) >= FOLDS
            positions = positions[common[labels]]
            if len(positions) >= MIN_PROBE_IMAGES and common.sum() > 1:
                # Evenly over all, in whatever order they come.
                return positions[
                    torch.linspace(0, len(positions) - 1, min(MAX_STAGE_IMAGES, len(positions))).long()
                ], held_out
    return torch.arange(min(MAX_STAGE_IMAGES, len(subject.images))), False
