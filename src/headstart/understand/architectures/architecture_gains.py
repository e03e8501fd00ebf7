"""Accuracy gains from LeNet to AlexNet to ResNet on the same images and seeds."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from headstart.understand.claims import Chapter, ClaimVerdict
from headstart.understand.decision import decide_by
from headstart.understand.run_row import RunRow
from headstart.understand.statistics import Estimate, t_interval

ARCHITECTURES = ("lenet", "alexnet", "scratch_backbone")
COMMAND = "headstart-train experiment=architectures, then headstart understand RUN --sweep DIR"


def collect_paired_accuracies(rows: Sequence[RunRow]) -> list[list[float]]:
    """Accuracies of each architecture by seed, at the largest budget at which all three have two seeds in common.

    Args:
        rows: runs of one data set.

    Returns:
        A list for each of ``ARCHITECTURES``; [] without such a budget.
    """
    budgets = {row.labels_per_class for row in rows}
    for budget in sorted(budgets, key=lambda labels: labels or float("inf"), reverse=True):
        by_seed: dict[str, dict[int, float]] = {model: {} for model in ARCHITECTURES}
        for row in rows:
            if row.model in by_seed and row.labels_per_class == budget:
                by_seed[row.model][row.seed] = row.accuracy
        seeds = sorted(set.intersection(*(set(accuracies) for accuracies in by_seed.values())))
        if len(seeds) > 1:
            return [[by_seed[model][seed] for seed in seeds] for model in ARCHITECTURES]
    return []


def architecture_gains(accuracies: Sequence[Sequence[float]]) -> list[Estimate]:
    """The gain of each architecture over the one before, paired by seed, of :func:`collect_paired_accuracies`."""
    return [t_interval([b - a for a, b in zip(*pair, strict=True)]) for pair in pairwise(accuracies)]


def architecture_gains_verdict(gains: Sequence[Estimate]) -> ClaimVerdict:
    """Whether each architecture beats the one before: fails if one is worse, holds if all are better."""
    return decide_by(holds=all(gain.low > 0 for gain in gains), fails=any(gain.high < 0 for gain in gains))


def add_architecture_claim(chapter: Chapter, name: str, accuracies: Sequence[Sequence[float]]) -> None:
    """Adds the claim to a chapter.

    Args:
        chapter: has the claim's sentence.
        name: of the claim.
        accuracies: by :func:`collect_paired_accuracies`.
    """
    if not accuracies:
        return chapter.add_claim(name, "not measured", control="the same images and seeds for each", command=COMMAND)
    gains = architecture_gains(accuracies)
    intervals = " and ".join(f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}" for gain in gains).replace("-", "−")
    chapter.add_claim(
        name,
        architecture_gains_verdict(gains),
        ", ".join(
            f"{model} {100 * fmean(values):.1f} %" for model, values in zip(ARCHITECTURES, accuracies, strict=True)
        ),
        f"{len(accuracies[0])} seeds; gains in points {intervals}",
    )
