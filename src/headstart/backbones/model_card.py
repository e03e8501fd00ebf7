"""Reads the header of an exported backbone: how to build the network, and its model card.

The card holds the training data, command, epochs, accuracy, classes, how images became square, terms of use and the
weights that the training started from.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from headstart.backbones.fingerprint import file_fingerprint
from headstart.errors import HeadstartError
from headstart.runs.refit_card import find_refit_card
from headstart.runs.result import read_finished_result


def training_summary(run: Path) -> dict[str, Any]:
    """Accuracy, data, command, epochs, versions and starting weights of a run; {} for a checkpoint alone.

    A refit has no accuracy. Its note gives that of its sweep.
    """
    if refit := find_refit_card(run):
        return {
            "accuracy": None,
            "data": refit.data,
            "command": refit.command,
            "epochs": refit.epochs,
            "versions": refit.versions,
            "starts": refit.starts,
            "note": refit.describe(),
        }
    result = read_finished_result(run)
    if not result:
        return {}
    return {
        "accuracy": result.metrics["test/accuracy"],
        "data": result.data,
        "command": result.command,
        "epochs": result.epochs,
        "versions": result.versions,
        "starts": result.starts,
    }


def read_model_card(path: Path) -> dict[str, Any]:
    """The card of an exported backbone; {} for another ``.safetensors`` file."""
    return (read_backbone_header(path) or {}).get("card", {})


def read_backbone_header(path: Path) -> dict[str, Any] | None:
    """The header that ``export_backbone`` wrote; None for another ``.safetensors`` file."""
    return _read_header(path, file_fingerprint(path)) if path.exists() else None


@lru_cache
def _read_header(path: Path, fingerprint: tuple[int, ...]) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(size if size < 100_000_000 else 0))
        return json.loads(header.get("__metadata__", {}).get("headstart", "null"))
    except (OSError, ValueError, AttributeError) as error:
        raise HeadstartError(f"{path}: this is no .safetensors file ({error}); give another") from error
