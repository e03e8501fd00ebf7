"""Figures of a classifier, from counts for each class.

A run computes them for ``result.json`` with torch, a report with NumPy: the functions take either's arrays, and neither
library is imported. Counts of int64 give float32 in torch and float64 in NumPy.
"""

from typing import Any


def accuracy(num_correct: Any, num_images: Any) -> Any:
    """The share of images that were classified right.

    Args:
        right: correctly classified images of each class, (K,).
        images: images of each class, (K,).
    """
    return num_correct.sum() / num_images.sum()


def balanced_accuracy(num_correct: Any, num_images: Any) -> Any:
    """The mean recall of the classes that have images, as ``sklearn.metrics.balanced_accuracy_score`` has it.

    Args:
        right: correctly classified images of each class, (K,).
        images: images of each class, (K,); a class without images does not count, predicted or not.
    """
    present = num_images > 0
    return (num_correct / num_images.clip(1) / present.sum()).sum()


def macro_f1(num_correct: Any, num_images: Any, num_predicted: Any) -> Any:
    """The mean F1 of the classes that have images or were predicted, as ``sklearn.metrics.f1_score`` has it with
    ``average="macro"`` and ``zero_division=0``.

    Args:
        right: correctly classified images of each class, (K,).
        images: images of each class, (K,).
        predicted: images that were classified as each class, (K,).
    """
    either = num_images + num_predicted
    return (2 * num_correct / either.clip(1) / (either > 0).sum()).sum()
