"""Whether each network of the arc beat the one before it: LeNet, AlexNet, ResNet on the same images and seeds."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from headstart.understand.architectures import skip_connections
from headstart.understand.claims import Claim
from headstart.understand.statistics import Estimate

CLAIM_NAME, CLAIM_SENTENCE = (
    "each-network-beat-the-last",
    "LeNet, AlexNet, ResNet: each is more accurate than the one before.",
)
ARCHITECTURES = ("lenet", "alexnet", "scratch_backbone")
COMMAND = "headstart-train experiment=architectures, then headstart understand RUN --sweep DIR"


def collect_paired_accuracies(rows: Sequence[dict[str, Any]]) -> list[list[float]]:
    """Of each network of the arc, seed by seed, at the largest budget that has all three; [] where none has them twice.

    Args:
        rows: a dict a run with the keys of its ``result.json``, of one data set.
    """
    budgets = {row["labels_per_class"] for row in rows}
    for budget in sorted(budgets, key=lambda labels: labels or float("inf"), reverse=True):
        by_seed = {
            model: {
                row["seed"]: row["metrics"]["test/accuracy"]
                for row in rows
                if row["model"] == model and row["labels_per_class"] == budget
            }
            for model in ARCHITECTURES
        }
        seeds = sorted(set.intersection(*(set(its) for its in by_seed.values())))
        if len(seeds) > 1:
            return [[by_seed[model][seed] for seed in seeds] for model in ARCHITECTURES]
    return []


def architecture_gains(accuracies: list[list[float]]) -> list[Estimate]:
    """By how much each network is above the one before it, of :func:`accuracies`."""
    return [skip_connections.paired_difference(before, after) for before, after in pairwise(accuracies)]


def build_architecture_claim(accuracies: list[list[float]]) -> Claim:
    """The claim, from :func:`accuracies`."""
    if not accuracies:
        return Claim(
            CLAIM_NAME, CLAIM_SENTENCE, "not measured", control="the same images and seeds for each", command=COMMAND
        )
    steps = architecture_gains(accuracies)
    shares = ", ".join(
        f"{model} {100 * np.mean(its):.1f} %" for model, its in zip(ARCHITECTURES, accuracies, strict=True)
    )
    told = " and ".join(f"{100 * step.low:+.1f} to {100 * step.high:+.1f}" for step in steps).replace("-", "−")
    return Claim(
        CLAIM_NAME,
        CLAIM_SENTENCE,
        skip_connections.architecture_gains_verdict(steps),
        shares,
        f"{len(accuracies[0])} seeds; gains in points {told}",
    )
