"""Compares the stages of a trained network with its beginning: linear probes, CKA, weight change."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from headstart.networks.copying import clone_network
from headstart.networks.hooks import CAPTURE_BATCH_SIZE
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

MAX_STAGE_IMAGES = 400
BATCH_NORM_IMAGES = 128  # for BatchNorm statistics
MIN_PROBE_IMAGES = 30  # labeled images, of classes with at least one for each fold


@dataclass
class StageComparison:
    """Measurements of each stage.

    Args:
        stage_names: of all stages.
        is_held_out: whether the network was trained on none of the images.
        num_images: that were measured.
        is_pretrained: whether the beginning was pretrained.
        similarity: CKA of each stage with its beginning.
        similarity_drop: CKA of the first stage minus that of the last.
        weight_changes: relative weight change of each stage, and of the layers after the last.
        correct: by network (``trained``, ``random`` and, if there is one, ``pretrained``), which images the probe of
            each stage classifies correctly, bool (N,); {} with too few labeled images.
        chance_accuracies: of the trained network's probes with permuted labels.
        majority_share: share of the most common class.
        pixel_accuracy: of a probe of the pixels.

    Example:
        >>> compare_stages(subject, print).accuracy_gains("trained", "pretrained")
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
        """Probe accuracy of one network minus that of another for each stage."""
        return [paired_accuracy_gain(*pair) for pair in zip(self.correct[role], self.correct[baseline], strict=True)]

    @property
    def has_changed(self) -> bool:
        """Whether training changed any stage."""
        return any(self.weight_changes[:-1])

    @property
    def reason_not_comparable(self) -> str:
        """Why the probes cannot be compared with those of the beginning; "" if they can."""
        reasons = {
            "this network was not pretrained": not self.is_pretrained,
            "the backbone never changed, so there is nothing to compare": not self.has_changed,
            f"fewer than {MIN_PROBE_IMAGES} images are labelled": not self.correct,
            "the network was trained on too many of the labelled images": not self.is_held_out,
        }
        return next((reason for reason, applies in reasons.items() if applies), "")


def compare_stages(subject: Subject, report_progress: Callable[[str], None]) -> StageComparison:
    """Measures each stage of the trained network, of its beginning and of a random network.

    Args:
        subject: not changed.
        report_progress: takes lines of progress.
    """
    names = find_stages(subject.network, subject.image_shape)
    indices, is_held_out = _select_images(subject)
    images = subject.images[indices]
    networks = {"trained": subject.network, "pretrained": subject.pretrained_network, "random": subject.random_network}
    features: dict[str, list[Tensor]] = {}
    for role, network in networks.items():
        if network is not None:
            report_progress(f"features of the {role} network")
            network = calibrate_batch_norm(network, images) if role == "random" else network
            features[role] = list(extract_stage_features(network, images, names).values())
    pairs = [*zip(features.get("pretrained", features["random"]), features["trained"], strict=True)]
    comparison = StageComparison(
        names,
        is_held_out,
        len(images),
        subject.pretrained_network is not None,
        [cka_interval(*pair) for pair in pairs],
        cka_drop(pairs[0], pairs[-1]),
        relative_weight_change(subject.pretrained_network or subject.random_network, subject.network, names),
    )
    labels = None if subject.labels is None else subject.labels[indices]
    if labels is not None and len(labels) >= MIN_PROBE_IMAGES and len(labels.unique()) > 1:
        report_progress(f"probes of {len(names)} stages")
        comparison.correct = {role: [cross_val_probe(x, labels) for x in stages] for role, stages in features.items()}
        comparison.chance_accuracies = [chance_accuracy(x, labels) for x in features["trained"]]
        comparison.pixel_accuracy = probe_accuracy(cross_val_probe(reduce_maps(images), labels))
        comparison.majority_share = float(torch.bincount(labels).max() / len(labels))
    return comparison


def calibrate_batch_norm(network: nn.Module, images: Tensor) -> nn.Module:
    """A copy whose BatchNorm statistics are those of the images, for random weights, which come without any."""
    copy = clone_network(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # for dropout
        sample = images[:: max(1, len(images) // BATCH_NORM_IMAGES)]
        update_bn([batch for batch in sample.split(CAPTURE_BATCH_SIZE) if len(batch) > 1], copy)
    return copy.eval()


def _select_images(subject: Subject) -> tuple[Tensor, bool]:
    """Indices of images, and whether they are held out: held-out images if enough are labeled, else any."""
    for is_held_out, mask in ((True, ~subject.train_mask), (False, torch.ones_like(subject.train_mask))):
        indices = mask.nonzero().flatten()
        if subject.labels is not None:
            labels = subject.labels[indices]
            is_frequent = torch.bincount(labels, minlength=len(subject.classes)) >= FOLDS
            indices = indices[is_frequent[labels]]
            if len(indices) >= MIN_PROBE_IMAGES and is_frequent.sum() > 1:
                positions = torch.linspace(0, len(indices) - 1, min(MAX_STAGE_IMAGES, len(indices))).long()
                return indices[positions], is_held_out
    return torch.arange(min(MAX_STAGE_IMAGES, len(subject.images))), False
