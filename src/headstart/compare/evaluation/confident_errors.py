"""The images of which an arm was surest and wrong, and what every arm said of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from headstart.compare.evaluation.predictions import Said
from headstart.runs import run_directory
from headstart.runs.confident_errors import surest_mistakes


def mistaken(said: Said) -> list[str]:
    """The test images that the mean of the arm's runs has wrong, the most confident first."""
    return [said.images[i] for i in surest_mistakes(said.labels, said.probabilities)]


def opinions(said: Said, images: Sequence[str], classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What an arm said of each image: its ``class`` in truth, what was ``said``, and the ``probability`` of that,
    mean over the arm's runs."""
    wanted = set(images)
    rows = {image: i for i, image in enumerate(said.images) if image in wanted}
    found = {}
    for image, i in rows.items():
        likeliest = int(said.probabilities[i].argmax())
        found[image] = {
            "class": classes[int(said.labels[i])],
            "said": classes[likeliest],
            "probability": float(said.probabilities[i, likeliest]),
        }
    return found


def pictures(directories: Iterable[Path], images: Iterable[str]) -> dict[str, bytes]:
    """Small pictures (WebP) of these images, where a run kept one."""
    wanted = set(images)
    found: dict[str, bytes] = {}
    for directory in directories:
        if not wanted - found.keys():
            break
        found |= {image: webp for image, webp in run_directory.read_thumbnails(directory).items() if image in wanted}
    return found
