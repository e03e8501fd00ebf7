"""A verdict as plain values: the two answers at one budget, in words and in numbers."""

from typing import Any

from headstart.compare import words
from headstart.compare.statistics import interval
from headstart.compare.verdict import Verdict


def answer(verdict: Verdict) -> dict[str, Any]:
    """Both answers, every pair's difference (first less second) with its interval, and what they rest on."""
    pairs = [(one, other) for one, other in verdict.contrasts if one < other]
    declared = verdict.declared
    return {
        "labels_per_class": verdict.outcomes.labels_per_class,
        "metric": verdict.metric,
        "seeds": list(verdict.outcomes.seeds),
        "test_images": verdict.outcomes.images,
        "folds": verdict.outcomes.folds,
        "looks": verdict.outcomes.looks,
        "question": words.question(verdict) if declared else None,
        "helped": words.helped(verdict) if declared else None,
        "declared": _difference(verdict, declared, verdict.declared_alpha) if declared else None,
        "unbeaten": words.unbeaten(verdict),
        "frozen_loss": words.frozen_loss(verdict),
        "left": verdict.left,
        "refused": verdict.outcomes.refused,
        "pairs": [_difference(verdict, pair, verdict.alpha) for pair in pairs],
    }


def _difference(verdict: Verdict, pair: tuple[str, str], alpha: float) -> dict[str, Any]:
    contrast = verdict.contrasts[pair]
    low, high = interval(contrast, alpha)
    sure = {"low": low, "high": high, "confidence": 1 - alpha, "p_value": contrast.p_value}
    return {"first": pair[0], "second": pair[1], "difference": contrast.mean, **sure}
