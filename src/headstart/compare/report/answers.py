"""Converts a verdict to plain values: both answers in words and in numbers."""

from dataclasses import asdict
from typing import Any

import numpy as np

from headstart.compare.evaluation.arm_accuracy import estimate_accuracy
from headstart.compare.inference.contrast import contrast_interval
from headstart.compare.inference.multiple_testing import ArmPair
from headstart.compare.inference.power import min_images_for_tie, required_sample_size
from headstart.compare.inference.verdict import Verdict, frozen_loss_bound
from headstart.compare.report import text


def verdict_to_dict(verdict: Verdict, level: float) -> dict[str, Any]:
    """Returns both answers, the accuracy of each arm, the difference of each pair (first less second), and their basis.

    Args:
        verdict: of one data set and budget.
        level: of the arms' intervals, which have the confidence 1 - ``level``.
    """
    pairs = [(first, second) for first, second in verdict.contrasts if first < second]
    declared, question = verdict.declared_pair, text.declared_question(verdict)
    required, frozen = required_sample_size(verdict), frozen_loss_bound(verdict)
    return {
        "labels_per_class": verdict.table.labels_per_class,
        "metric": verdict.metric,
        "seeds": list(verdict.table.seeds),
        "test_images": verdict.table.num_images,
        "folds": verdict.table.folds,
        "rotates": verdict.table.rotates,
        "tested_share": verdict.table.tested_share,
        "looks": verdict.table.num_looks,
        "looks_taken": [look.seeds for look in verdict.looks],
        "next_look": verdict.next_look.seeds if verdict.next_look else None,
        "dropped": verdict.dropped,
        "dropped_text": text.describe_dropped(verdict),
        "confidence": 1 - verdict.alpha,
        "question": question,
        "answer": text.describe_declared_answer(verdict) if question else None,
        "declared": contrast_to_dict(verdict, declared) if declared else None,
        "needed": asdict(required) if required else None,
        "unbeaten_text": text.describe_unbeaten(verdict),
        "images_for_a_tie": min_images_for_tie(verdict.alpha, verdict.margin),
        "frozen_loss": text.describe_frozen_loss(verdict),
        "frozen": asdict(frozen) if frozen else None,
        "unbeaten": verdict.unbeaten,
        "excluded": verdict.table.exclusions,
        "unshared_seeds": verdict.table.unshared_seeds,
        "constant_seeds": verdict.table.constant_seeds,
        "guess": guess_score(verdict),
        "arms_confidence": 1 - level,
        "arms": [
            {"arm": arm, **asdict(estimate_accuracy(verdict, arm, level))}
            for arm in sorted(verdict.table.correct, key=lambda arm: -verdict.score(arm))
            if len(verdict.table.correct) > 1
        ],
        "pairs": [contrast_to_dict(verdict, pair) for pair in pairs],
    }


def contrast_to_dict(verdict: Verdict, pair: ArmPair) -> dict[str, Any]:
    """Returns the first arm of a pair less the second, of 1, with its p-value, and its interval at the level at which
    the pair is decided: it contradicts no answer."""
    contrast, alpha = verdict.contrasts[pair], _find_level(verdict, pair)
    low, high = contrast_interval(contrast, alpha)
    return {
        "first": pair[0],
        "second": pair[1],
        "difference": contrast.mean,
        "low": low,
        "high": high,
        "confidence": 1 - alpha,
        "p_value": contrast.p_value,
    }


def _find_level(verdict: Verdict, pair: ArmPair) -> float:
    """The level of the interval that a pair is shown with."""
    if verdict.is_tie and set(pair) <= set(verdict.unbeaten):
        return 2 * verdict.alpha  # as two one-sided tests have it
    return verdict.levels[pair]


def guess_score(verdict: Verdict) -> float | None:
    """What guessing scores without looking at the images, of 1: the share of the most frequent class among the test
    images; by balanced accuracy one of the number of classes. None without test images."""
    counts = np.unique(verdict.table.labels, return_counts=True)[1]
    if not counts.size:
        return None
    return float(1 / counts.size if verdict.metric == "balanced_accuracy" else counts.max() / counts.sum())
