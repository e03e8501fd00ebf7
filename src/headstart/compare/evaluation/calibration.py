"""Whether an arm's probabilities mean what they say."""

from typing import Any

import numpy as np

from headstart.compare.evaluation.predictions import RunPredictions

NUM_CALIBRATION_BINS = 15
MIN_ANSWERS_PER_POINT = 25  # answers of a point of the diagram: how often so many are right is known to 10 points


def compute_calibration(predictions: RunPredictions) -> dict[str, Any]:
    """The reliability of the probability that was given to the predicted class, and its expected calibration error:
    the mean distance of accuracy and confidence over bins of equal width, weighted by their images (Guo et al. 2017,
    "On calibration of modern neural networks", equation 3; 15 bins, each open below and closed above).

    Returns:
        ``ece`` (of 1); ``bins`` that hold any: ``above``, ``up_to``, ``count``, ``confidence``, ``accuracy``; and
        ``points`` for a diagram, likewise but each of as many answers, from the least sure to the surest.
    """
    edges = np.linspace(0, 1, NUM_CALIBRATION_BINS + 1)
    confidence, correct = predictions.confidence.astype(float), predictions.correct
    place = np.digitize(confidence, edges[1:-1], right=True)
    bins = [
        {"above": edges[b], "up_to": edges[b + 1], **_reliability_point(confidence[place == b], correct[place == b])}
        for b in np.unique(place)
    ]
    ece = sum(b["count"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(confidence)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(NUM_CALIBRATION_BINS, max(len(order) // MIN_ANSWERS_PER_POINT, 1)))
    return {"ece": ece, "bins": bins, "points": [_reliability_point(confidence[part], correct[part]) for part in parts]}


def _reliability_point(confidence: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    return {"count": len(correct), "confidence": confidence.mean(), "accuracy": correct.mean()}
