"""Computes the confusion matrix and the recall of each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart.compare.evaluation.predictions import RunPredictions

MAX_GRID_CLASSES = 20  # a page shows a list of pairs for more classes
MAX_CONFUSED_PAIRS = 20


def compute_confusion(predictions: RunPredictions, classes: Sequence[str]) -> dict[str, Any]:
    """Counts predictions by true and predicted class, over all test images of all runs.

    Returns:
        ``recall``: for each class its name, number of images and share of correct ones (None without images);
        ``pairs``: the most frequent errors with their count and share of the class's images;
        ``counts``: true class by predicted class, for at most ``MAX_GRID_CLASSES`` classes.
    """
    k = len(classes)
    # scikit-learn's confusion_matrix gives the same counts and takes a second to import.
    counts = np.bincount(predictions.labels * k + predictions.predicted, minlength=k * k).reshape(k, k)
    images, correct = counts.sum(axis=1), counts.diagonal()
    recall = [
        {"class": name, "images": int(n), "recall": r / n if n else None}
        for name, n, r in zip(classes, images, correct, strict=True)
    ]
    wrong = counts - np.diag(correct)
    worst = [divmod(int(i), k) for i in np.argsort(-wrong, axis=None, kind="stable")[:MAX_CONFUSED_PAIRS]]
    pairs = [
        {"class": classes[i], "predicted": classes[j], "count": int(wrong[i, j]), "share": wrong[i, j] / images[i]}
        for i, j in worst
        if wrong[i, j]
    ]
    grid = {"counts": counts.tolist()} if k <= MAX_GRID_CLASSES else {}
    return {"recall": recall, "pairs": pairs, **grid}
