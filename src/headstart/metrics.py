"""Computes metrics of a classifier from counts for each class.

The functions take torch tensors and NumPy arrays, and import neither library. Counts of int64 give float32 in torch and
float64 in NumPy.
"""

from typing import Any


def accuracy(num_correct: Any, num_images: Any) -> Any:
    """Computes the share of correctly classified images.

    Args:
        num_correct: correctly classified images of each class, (K,).
        num_images: images of each class, (K,).
    """
    return num_correct.sum() / num_images.sum()


def balanced_accuracy(num_correct: Any, num_images: Any) -> Any:
    """Computes the mean recall of the classes that have images, as ``sklearn.metrics.balanced_accuracy_score`` has it.

    Args:
        num_correct: correctly classified images of each class, (K,).
        num_images: images of each class, (K,); a class without images does not count, predicted or not.
    """
    present = num_images > 0
    return (num_correct / num_images.clip(1) / present.sum()).sum()


def macro_f1(num_correct: Any, num_images: Any, num_predicted: Any) -> Any:
    """Computes the mean F1 of classes with images or predictions, as ``sklearn.metrics.f1_score`` has it with
    ``average="macro"`` and ``zero_division=0``.

    Args:
        num_correct: correctly classified images of each class, (K,).
        num_images: images of each class, (K,).
        num_predicted: images that were predicted as each class, (K,).
    """
    either = num_images + num_predicted
    return (2 * num_correct / either.clip(1) / (either > 0).sum()).sum()
