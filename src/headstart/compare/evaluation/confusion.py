"""Which classes an arm takes for which, and the recall of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart.compare.evaluation.predictions import RunPredictions

MAX_GRID_CLASSES = 20  # classes; of more, a grid shows nothing that a list of pairs does not show better
MAX_CONFUSED_PAIRS = 20


def compute_confusion(predictions: RunPredictions, classes: Sequence[str]) -> dict[str, Any]:
    """Counts over all test images of all runs.

    Returns:
        ``recall``: a row for each class with its name, images and share that was right (None without images);
        ``pairs``: the most frequent mistakes, with their count and share of the class's images;
        ``counts``: true class by predicted class, where there are at most ``MOST_IN_A_GRID`` classes.
    """
    k = len(classes)
    counts = np.bincount(predictions.labels * k + predictions.predicted, minlength=k * k).reshape(k, k)
    images, right = counts.sum(axis=1), counts.diagonal()
    recall = [
        {"class": name, "images": int(n), "recall": r / n if n else None}
        for name, n, r in zip(classes, images, right, strict=True)
    ]
    wrong = counts - np.diag(right)
    worst = [divmod(int(i), k) for i in np.argsort(-wrong, axis=None, kind="stable")[:MAX_CONFUSED_PAIRS]]
    pairs = [
        {"class": classes[i], "said": classes[j], "count": int(wrong[i, j]), "share": wrong[i, j] / images[i]}
        for i, j in worst
        if wrong[i, j]
    ]
    grid = {"counts": counts.tolist()} if k <= MAX_GRID_CLASSES else {}
    return {"recall": recall, "pairs": pairs, **grid}
