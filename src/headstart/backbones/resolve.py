"""Completes the settings of a backbone.

A backbone is a plain dict with the keys of ``conf/backbone``: ``name`` and ``options`` (for timm), ``weights`` (what it
starts from), ``mean`` and ``std`` (the normalization that the weights expect).
"""

from collections.abc import Mapping
from typing import Any

from headstart.backbones.packaged_weights import PACKAGED_WEIGHTS
from headstart.backbones.weights import describe_weights
from headstart.errors import HeadstartError

AUTO_WEIGHTS = "auto"  # stands in conf/backbone/auto.yaml until the images have decided


def resolve_architecture(settings: dict[str, Any] | None) -> dict[str, Any]:
    """The network without weights, ``{"name", "options"}``: a scratch model and a transfer model share it."""
    resolved = resolve_backbone(settings)
    return {"name": resolved["name"], "options": resolved["options"]}


def resolve_backbone(settings: dict[str, Any] | None) -> dict[str, Any]:
    """Completes ``settings``: ``{"name", "options", "weights", "mean", "std"}``.

    Without a name, it is that of the weights. ``mean`` and ``std`` stay None where only timm's configuration of
    ``name`` has them. Imports torch only for checkpoints.

    Raises:
        HeadstartError: a file is missing, or belongs to another network than ``name``.
    """
    given: dict[str, Any] = {"name": None, "options": None, "weights": "embedded", "mean": None, "std": None}
    if settings is not None and not isinstance(settings, Mapping):
        raise HeadstartError(f"backbone={settings}: in Python give its settings, such as {{'weights': '{settings}'}}")
    given |= {k: v for k, v in (settings or {}).items() if k in given}
    for key in ("mean", "std"):
        _check_triple(key, given[key])
    weights = str(given["weights"] if given["weights"] is not None else "none")
    if weights == AUTO_WEIGHTS:
        raise HeadstartError(
            "backbone.weights=auto: backbone=auto of headstart-train alone chooses by the images; give embedded, "
            f"{', '.join(PACKAGED_WEIGHTS)}, hub, none, a file or a Headstart run"
        )
    described = describe_weights(weights, given["name"])
    name = given["name"] or described["name"]
    if weights in ("embedded", *PACKAGED_WEIGHTS) and name != described["name"]:
        network = f"a small {described['name']}" if weights == "embedded" else described["name"]
        raise HeadstartError(
            f"backbone.name={name}: the {weights} weights are those of {network}; "
            "add backbone.weights=hub, a file or none"
        )
    # With weights=none, the description is that of the embedded network: a named network does not take its options.
    is_described = name == described["name"] and not (weights == "none" and given["name"])
    has_statistics = is_described and weights != "none"
    return {
        "name": name,
        "options": {**(described["options"] if is_described else {}), **(given["options"] or {})},
        "weights": weights,
        "mean": given["mean"] or (described.get("mean") if has_statistics else None),
        "std": given["std"] or (described.get("std") if has_statistics else None),
    }


def is_embedded_architecture(settings: dict[str, Any] | None) -> bool:
    """Whether the network is that of the embedded weights; its own weights do not matter."""
    return resolve_architecture(settings) == resolve_architecture(None)


def _check_triple(key: str, value: Any) -> None:
    """Raises HeadstartError unless ``value`` is None or three numbers in [0, 1], one per channel."""
    is_numeric = isinstance(value, list | tuple) and all(type(n) in (int, float) for n in value)
    if value is None or (is_numeric and len(value) == 3 and all(0 <= n <= 1 and (n or key == "mean") for n in value)):
        return
    raise HeadstartError(
        f"backbone.{key}={value}: give three numbers for pixels in [0, 1] such as [0.5,0.5,0.5], or null"
    )
