"""Computes the calibration of an arm's probabilities."""

from typing import Any

import numpy as np

from headstart.compare.evaluation.predictions import RunPredictions

NUM_CALIBRATION_BINS = 15
MIN_ANSWERS_PER_POINT = 25  # predictions of a point of the reliability diagram: their accuracy is known to 10 points


def compute_calibration(predictions: RunPredictions) -> dict[str, Any]:
    """Computes the expected calibration error of the predicted classes and a reliability diagram.

    The error is the mean distance of accuracy and confidence over bins of equal width, weighted by their images (Guo
    et al. 2017, "On calibration of modern neural networks", equation 3; 15 bins, open below and closed above).

    Returns:
        ``ece`` (of 1); ``bins``, the non-empty ones, with ``above``, ``up_to``, ``count``, ``confidence`` and
        ``accuracy``; ``points`` of a reliability diagram with ``count``, ``confidence`` and ``accuracy``, of equally
        many predictions each, from low to high confidence.
    """
    edges = np.linspace(0, 1, NUM_CALIBRATION_BINS + 1)
    confidence, correct = predictions.confidence.astype(float), predictions.correct
    index = np.digitize(confidence, edges[1:-1], right=True)
    bins = [
        {"above": edges[b], "up_to": edges[b + 1], **_reliability_point(confidence[index == b], correct[index == b])}
        for b in np.unique(index)
    ]
    ece = sum(b["count"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(confidence)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(NUM_CALIBRATION_BINS, max(len(order) // MIN_ANSWERS_PER_POINT, 1)))
    return {"ece": ece, "bins": bins, "points": [_reliability_point(confidence[part], correct[part]) for part in parts]}


def _reliability_point(confidence: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    return {"count": len(correct), "confidence": confidence.mean(), "accuracy": correct.mean()}
