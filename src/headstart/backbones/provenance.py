"""Records where a backbone's starting weights come from."""

from typing import Any

from headstart.backbones.fingerprint import hash_weight_file
from headstart.backbones.model_card import read_model_card, training_summary
from headstart.backbones.normalization import input_normalization, normalization_source
from headstart.backbones.packaged_weights import PACKAGED_WEIGHTS
from headstart.backbones.weights import locate_weights
from headstart.file_names import encode_name, expand_home


def weights_sha256(resolved: dict[str, Any]) -> str:
    """SHA-256 of the file of the starting weights; "none" for random weights."""
    if resolved["weights"] == "none":
        return "none"
    return hash_weight_file(locate_weights(resolved))


def weights_provenance(resolved: dict[str, Any]) -> dict[str, Any]:
    """Describes the starting weights: ``{"name", "weights", "sha256", "card", "mean", "std", "normalization"}``.

    ``card`` is that of an exported backbone, the summary of a run, or what is known of a package: its name, version and
    license; {} for other weights. ``normalization`` is where mean and standard deviation come from.
    """
    weights = resolved["weights"]
    card: dict[str, Any] = {}
    if weights in PACKAGED_WEIGHTS:
        card = PACKAGED_WEIGHTS[weights].card()
    elif weights not in ("hub", "none"):
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
