"""Estimates the accuracy of one arm in a sweep, with its interval and its spread."""

from dataclasses import dataclass

import numpy as np

from headstart import metrics
from headstart.compare.inference.contrast import Contrast, compute_contrast, contrast_interval
from headstart.compare.inference.moderation import moderate_contrasts
from headstart.compare.inference.verdict import Verdict


@dataclass(frozen=True)
class ArmAccuracy:
    """The accuracy of an arm over the seeds and test images of a verdict, by the verdict's metric.

    Args:
        mean: over the seeds, of 1.
        low: lower end of the interval, at least 0.
        high: its upper end, at most 1.
        spread: standard deviation over the seeds; None for one seed.
    """

    mean: float
    low: float
    high: float
    spread: float | None


def estimate_accuracy(verdict: Verdict, arm: str, alpha: float) -> ArmAccuracy:
    """Estimates the accuracy of an arm of a verdict.

    The 1 - ``alpha`` interval is that of a new training on new images of the same source, as the verdict has it for
    differences: the arm less one that is always wrong, its variance between seeds moderated towards that of all arms.
    With one seed it is about that training alone.

    Args:
        verdict: with the arm among its compared arms.
        arm: its name.
        alpha: of the interval.

    Example:
        >>> estimate_accuracy(verdict, "frozen", alpha=0.05).spread  # doctest: +SKIP
        0.012
    """
    table, labels = verdict.table, verdict.table.labels
    is_balanced = verdict.metric == "balanced_accuracy"
    compute = metrics.balanced_accuracy if is_balanced else metrics.accuracy
    scores = []
    for row in table.correct[arm]:
        is_tested = ~np.isnan(row)
        images = np.bincount(labels[is_tested])
        scores.append(float(compute(np.bincount(labels[is_tested], row[is_tested], len(images)), images)))
    # With classes=None, one seed would be judged by McNemar's test of two networks.
    classes = labels if is_balanced else np.zeros_like(labels)
    contrasts: dict[tuple[str], Contrast] = {
        (name,): compute_contrast(rows.astype(float), classes, table.folds_in(rows), table.groups)
        for name, rows in table.correct.items()
    }
    contrast = moderate_contrasts(contrasts)[(arm,)]
    low, high = contrast_interval(contrast, alpha)
    spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
    return ArmAccuracy(contrast.mean, max(low, 0.0), high, spread)
