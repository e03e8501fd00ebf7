"""Converts a verdict to plain values: both answers in words and in numbers."""

from dataclasses import asdict
from typing import Any

from headstart.compare.inference.multiple_testing import ArmPair
from headstart.compare.inference.power import min_images_for_tie, required_sample_size
from headstart.compare.inference.verdict import Verdict, frozen_loss_bound
from headstart.compare.report import text


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """Returns both answers, the difference of each pair (first less second) with its interval, and their basis."""
    pairs = [(first, second) for first, second in verdict.contrasts if first < second]
    declared, question = verdict.declared_pair, text.declared_question(verdict)
    required, frozen = required_sample_size(verdict), frozen_loss_bound(verdict)
    return {
        "labels_per_class": verdict.table.labels_per_class,
        "metric": verdict.metric,
        "seeds": list(verdict.table.seeds),
        "test_images": verdict.table.num_images,
        "folds": verdict.table.folds,
        "looks": verdict.table.num_looks,
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
        "pairs": [contrast_to_dict(verdict, pair) for pair in pairs],
    }


def contrast_to_dict(verdict: Verdict, pair: ArmPair) -> dict[str, Any]:
    """Returns the first arm of a pair less the second, of 1, with the interval at the level at which it is decided."""
    contrast = verdict.contrasts[pair]
    low, high = verdict.interval(pair)
    return {
        "first": pair[0],
        "second": pair[1],
        "difference": contrast.mean,
        "low": low,
        "high": high,
        "confidence": 1 - verdict.levels[pair],
        "p_value": contrast.p_value,
    }
