"""Whether an arm's probabilities mean what they say."""

from typing import Any

import numpy as np

from headstart.compare.said import Answers

BINS = 15


def calibration(answers: Answers) -> dict[str, Any]:
    """The reliability of the probability that was given to the predicted class, and its expected calibration error:
    the mean distance of accuracy and confidence over bins of equal width, weighted by their images (Guo et al. 2017,
    "On calibration of modern neural networks", equation 3; 15 bins, each open below and closed above).

    Returns:
        ``ece`` (of 1), and ``bins`` that hold any: ``above``, ``up_to``, ``count``, ``confidence``, ``accuracy``.
    """
    edges = np.linspace(0, 1, BINS + 1)
    confidence = answers.confidence.astype(float)
    place = np.digitize(confidence, edges[1:-1], right=True)
    count = np.bincount(place, minlength=BINS)
    sure, right = (np.bincount(place, weights=w, minlength=BINS) for w in (confidence, answers.correct))
    bins = [
        {
            "above": edges[b],
            "up_to": edges[b + 1],
            "count": int(count[b]),
            "confidence": sure[b] / count[b],
            "accuracy": right[b] / count[b],
        }
        for b in np.flatnonzero(count)
    ]
    return {"ece": np.abs(sure - right).sum() / len(confidence), "bins": bins}
