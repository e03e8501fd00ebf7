"""Finds the most confident errors of an arm and the predictions of all arms for them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from headstart.compare.evaluation.predictions import ArmPredictions
from headstart.runs.predictions import most_confident_errors, read_thumbnails


def find_misclassified_images(predictions: ArmPredictions) -> list[str]:
    """Finds the test images that the mean of the arm's runs misclassifies, the most confident first."""
    return [predictions.images[i] for i in most_confident_errors(predictions.labels, predictions.probabilities)]


def predictions_for_images(
    predictions: ArmPredictions, images: Sequence[str], classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Returns the arm's prediction for each image.

    Returns:
        By image, its true ``class``, the class that is ``predicted``, and the ``probability`` of the latter, mean over
        the arm's runs.
    """
    wanted = set(images)
    rows = {image: i for i, image in enumerate(predictions.images) if image in wanted}
    by_image = {}
    for image, i in rows.items():
        predicted = int(predictions.probabilities[i].argmax())
        by_image[image] = {
            "class": classes[int(predictions.labels[i])],
            "predicted": classes[predicted],
            "probability": float(predictions.probabilities[i, predicted]),
        }
    return by_image


def load_thumbnails(directories: Iterable[Path], images: Iterable[str]) -> dict[str, bytes]:
    """Loads the WebP thumbnails of these images from the first run that has one."""
    missing = set(images)
    thumbnails: dict[str, bytes] = {}
    for directory in directories:
        if not missing:
            break
        thumbnails |= {image: webp for image, webp in read_thumbnails(directory).items() if image in missing}
        missing -= thumbnails.keys()
    return thumbnails
