"""Records where a backbone's starting weights come from."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from headstart.backbones.model_card import file_fingerprint, read_model_card, training_summary
from headstart.backbones.normalization import input_normalization, normalization_source
from headstart.backbones.weights import locate_weights
from headstart.file_names import encode_name, expand_home


def weights_sha256(resolved: dict[str, Any]) -> str:
    """SHA-256 of the file of the starting weights; "none" for random weights."""
    if resolved["weights"] == "none":
        return "none"
    path = locate_weights(resolved)
    return _hash_weights_file(path, file_fingerprint(path))


def weights_provenance(resolved: dict[str, Any]) -> dict[str, Any]:
    """Describes the starting weights: ``{"name", "weights", "sha256", "card", "mean", "std", "normalization"}``.

    ``card`` is that of an exported backbone, or the summary of a run; {} for other weights. ``normalization`` is where
    mean and standard deviation come from.
    """
    weights = resolved["weights"]
    card: dict[str, Any] = {}
    if weights not in ("hub", "none"):
        path = locate_weights(resolved)
        weights = weights if weights == "embedded" else encode_name(path.name)
        is_exported = path.suffix == ".safetensors"
        card = read_model_card(path) if is_exported else training_summary(expand_home(resolved["weights"]))
    mean, std = input_normalization(resolved)
    return {
        "name": resolved["name"],
        "weights": weights,
        "sha256": weights_sha256(resolved),
        "card": card,
        "mean": mean,
        "std": std,
        "normalization": normalization_source(resolved),
    }


@lru_cache
def _hash_weights_file(path: Path, fingerprint: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
