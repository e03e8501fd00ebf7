"""Checks options and weight tags against timm. Imports timm only when called."""

from typing import Any

from headstart.errors import HeadstartError

# Arguments of timm's create_model that are not options of a network: without effect here, or set elsewhere.
UNSUPPORTED_OPTIONS = {
    **dict.fromkeys(("features_only", "out_indices", "feature_cls"), "the head takes only the last layer's features"),
    **dict.fromkeys(("scriptable", "exportable", "no_jit"), "it has no effect here"),
    **dict.fromkeys(
        ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_strict", "checkpoint_path", "cache_dir"),
        "backbone.weights names the weights, backbone.mean and backbone.std their normalization",
    ),
    "in_chans": "a backbone takes three channels, and gray images are repeated for it",
    "num_classes": "the head has one output per class of the data",
}


def check_backbone_options(options: dict[str, Any]) -> None:
    """Raises HeadstartError if ``backbone.options`` has an option without effect, or one that is set elsewhere."""
    for option, value in options.items():
        if option in UNSUPPORTED_OPTIONS:
            raise HeadstartError(f"backbone.options.{option}={value}: {UNSUPPORTED_OPTIONS[option]}; leave it out")


def find_pretrained_cfg(name: str) -> Any:
    """timm's configuration of the pretrained weights of ``name``, for its tag if it has one; None: timm has none.

    Raises:
        HeadstartError: the network has no weights of that tag.
    """
    import timm

    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        network = name.partition(".")[0]
        tags = ", ".join(timm.list_pretrained(f"{network}.*")) or network
        raise HeadstartError(f"backbone.name={name}: timm has no such weights; give one of {tags}") from error
