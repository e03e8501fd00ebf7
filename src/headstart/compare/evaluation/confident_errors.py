"""The images of which an arm was surest and wrong, and what every arm said of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from headstart.compare.evaluation.predictions import ArmPredictions
from headstart.runs.predictions import most_confident_errors, read_thumbnails


def find_misclassified_images(predictions: ArmPredictions) -> list[str]:
    """The test images that the mean of the arm's runs has wrong, the most confident first."""
    return [predictions.images[i] for i in most_confident_errors(predictions.labels, predictions.probabilities)]


def predictions_for_images(
    predictions: ArmPredictions, images: Sequence[str], classes: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """What an arm said of each image: its ``class`` in truth, what was ``said``, and the ``probability`` of that,
    mean over the arm's runs."""
    wanted = set(images)
    rows = {image: i for i, image in enumerate(predictions.images) if image in wanted}
    found = {}
    for image, i in rows.items():
        likeliest = int(predictions.probabilities[i].argmax())
        found[image] = {
            "class": classes[int(predictions.labels[i])],
            "said": classes[likeliest],
            "probability": float(predictions.probabilities[i, likeliest]),
        }
    return found


def load_thumbnails(directories: Iterable[Path], images: Iterable[str]) -> dict[str, bytes]:
    """Small pictures (WebP) of these images, where a run kept one."""
    wanted = set(images)
    found: dict[str, bytes] = {}
    for directory in directories:
        if not wanted - found.keys():
            break
        found |= {image: webp for image, webp in read_thumbnails(directory).items() if image in wanted}
    return found
