"""Whether an arm's probabilities mean what they say."""

from typing import Any

import numpy as np

from headstart.compare.evaluation.predictions import Answers

BINS = 15
FEWEST = 25  # answers of a point of the diagram: how often so many are right is known to 10 points


def calibration(answers: Answers) -> dict[str, Any]:
    """The reliability of the probability that was given to the predicted class, and its expected calibration error:
    the mean distance of accuracy and confidence over bins of equal width, weighted by their images (Guo et al. 2017,
    "On calibration of modern neural networks", equation 3; 15 bins, each open below and closed above).

    Returns:
        ``ece`` (of 1); ``bins`` that hold any: ``above``, ``up_to``, ``count``, ``confidence``, ``accuracy``; and
        ``points`` for a diagram, likewise but each of as many answers, from the least sure to the surest.
    """
    edges = np.linspace(0, 1, BINS + 1)
    confidence, correct = answers.confidence.astype(float), answers.correct
    place = np.digitize(confidence, edges[1:-1], right=True)
    bins = [
        {"above": edges[b], "up_to": edges[b + 1], **_point(confidence[place == b], correct[place == b])}
        for b in np.unique(place)
    ]
    ece = sum(b["count"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / len(confidence)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(BINS, max(len(order) // FEWEST, 1)))
    return {"ece": ece, "bins": bins, "points": [_point(confidence[part], correct[part]) for part in parts]}


def _point(confidence: np.ndarray, correct: np.ndarray) -> dict[str, Any]:
    return {"count": len(correct), "confidence": confidence.mean(), "accuracy": correct.mean()}
