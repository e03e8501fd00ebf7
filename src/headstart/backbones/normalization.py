"""Determines the normalization that a backbone's weights expect, and where it comes from."""

import logging
from functools import lru_cache
from typing import Any

from headstart.backbones.timm_options import find_pretrained_cfg
from headstart.backbones.weights import describe_weights

log = logging.getLogger(__name__)


def input_normalization(resolved: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel that the weights expect, for pixels in [0, 1]."""
    if resolved["mean"] and resolved["std"]:
        return [float(n) for n in resolved["mean"]], [float(n) for n in resolved["std"]]
    from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    cfg = find_pretrained_cfg(resolved["name"])
    mean = list(resolved["mean"] or (cfg.mean if cfg else IMAGENET_DEFAULT_MEAN))
    std = list(resolved["std"] or (cfg.std if cfg else IMAGENET_DEFAULT_STD))
    if normalization_source(resolved) == "guess":
        _warn_of_guess(
            f"backbone.weights={resolved['weights']}: the file does not say how images are normalized; mean {mean} and "
            f"std {std} are used (typed, or timm's for {resolved['name']}); give backbone.mean and backbone.std if "
            "others are right"
        )
    return mean, std


def normalization_source(resolved: dict[str, Any]) -> str:
    """Where mean and standard deviation come from.

    Returns:
        ``"settings"``; ``"weights"``, the file's header; ``"timm"``, its configuration of its own weights; ``"guess"``,
        that configuration for a file without a header; or ``"none"``, nothing was pretrained.
    """
    if resolved["weights"] == "none":
        return "none"
    if not (resolved["mean"] and resolved["std"]):
        return "timm" if resolved["weights"] == "hub" else "guess"
    described = describe_weights(resolved["weights"], resolved["name"])
    is_same = all(list(described.get(key) or ()) == list(resolved[key]) for key in ("mean", "std"))
    return "weights" if is_same else "settings"


@lru_cache  # once per process, for all its runs
def _warn_of_guess(message: str) -> None:
    log.warning(message)
