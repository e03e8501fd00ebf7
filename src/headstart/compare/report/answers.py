"""A verdict as plain values: the two answers at one budget, in words and in numbers."""

from dataclasses import asdict
from typing import Any

from headstart.compare.inference.contrast import Pair, interval
from headstart.compare.inference.power import images_for_a_tie, needed
from headstart.compare.inference.verdict import Verdict, loss_of_frozen
from headstart.compare.report import text


def answer(verdict: Verdict) -> dict[str, Any]:
    """Both answers, every pair's difference (first less second) with its interval, and what they rest on."""
    pairs = [(one, other) for one, other in verdict.contrasts if one < other]
    declared, question = verdict.declared, text.question(verdict)
    more, frozen = needed(verdict), loss_of_frozen(verdict)
    return {
        "labels_per_class": verdict.outcomes.labels_per_class,
        "metric": verdict.metric,
        "seeds": list(verdict.outcomes.seeds),
        "test_images": verdict.outcomes.images,
        "folds": verdict.outcomes.folds,
        "looks": verdict.outcomes.looks,
        "confidence": 1 - verdict.alpha,
        "question": question,
        "helped": text.helped(verdict) if question else None,
        "declared": difference(verdict, declared, verdict.declared_alpha) if declared else None,
        "needed": asdict(more) if more else None,
        "unbeaten": text.unbeaten(verdict),
        "images_for_a_tie": images_for_a_tie(verdict.alpha, verdict.margin),
        "frozen_loss": text.frozen_loss(verdict),
        "frozen": asdict(frozen) if frozen else None,
        "left": verdict.left,
        "refused": verdict.outcomes.refused,
        "left_out": verdict.outcomes.left_out,
        "constant": verdict.outcomes.constant,
        "pairs": [difference(verdict, pair, verdict.alpha) for pair in pairs],
    }


def difference(verdict: Verdict, pair: Pair, alpha: float) -> dict[str, Any]:
    """The first arm of a pair less the second, of 1, with its 1 - ``alpha`` interval and its p-value."""
    contrast = verdict.contrasts[pair]
    low, high = interval(contrast, alpha)
    sure = {"low": low, "high": high, "confidence": 1 - alpha, "p_value": contrast.p_value}
    return {"first": pair[0], "second": pair[1], "difference": contrast.mean, **sure}
