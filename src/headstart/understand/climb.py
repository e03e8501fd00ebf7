"""Whether each network of the arc beat the one before it: LeNet, AlexNet, ResNet on the same images and seeds."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from headstart.understand import depth
from headstart.understand.chapter import Claim

NAME, SENTENCE = "each-network-beat-the-last", "LeNet, AlexNet, ResNet: each is more accurate than the one before."
ARC = ("lenet", "alexnet", "scratch_backbone")
COMMAND = "headstart-train experiment=arc, then headstart understand RUN --sweep DIR"


def climb(rows: Sequence[dict[str, Any]]) -> Claim:
    """The claim, from a sweep's runs at the largest budget that has all three.

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
            for model in ARC
        }
        seeds = sorted(set.intersection(*(set(its) for its in by_seed.values())))
        if len(seeds) > 1:
            return _said([[by_seed[model][seed] for seed in seeds] for model in ARC])
    return Claim(NAME, SENTENCE, "not measured", control="the same images and seeds for each", command=COMMAND)


def _said(accuracies: list[list[float]]) -> Claim:
    steps = [depth.difference(before, after) for before, after in pairwise(accuracies)]
    shares = ", ".join(f"{model} {100 * np.mean(its):.1f} %" for model, its in zip(ARC, accuracies, strict=True))
    gains = " and ".join(f"{100 * step.low:+.1f} to {100 * step.high:+.1f}" for step in steps).replace("-", "−")
    control = f"{len(accuracies[0])} seeds; gains in points {gains}"
    return Claim(NAME, SENTENCE, depth.each_is_better(steps), shares, control)
