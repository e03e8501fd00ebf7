"""What timm accepts: options that are none of a network's own, and the tags of its weights. Loads timm when called."""

from typing import Any

from headstart.errors import HeadstartError

# What timm's create_model takes beside a network's own options, and would leave without effect here, or be set twice.
UNSUPPORTED_OPTIONS = {
    **dict.fromkeys(("features_only", "out_indices", "feature_cls"), "the head takes the last layer's features alone"),
    **dict.fromkeys(("scriptable", "exportable", "no_jit"), "it changes nothing here"),
    **dict.fromkeys(
        ("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_strict", "checkpoint_path", "cache_dir"),
        "backbone.weights names the weights, backbone.mean and backbone.std what they expect",
    ),
    "in_chans": "a backbone takes three channels, and grey images are repeated for it",
    "num_classes": "the head has as many outputs as the data have classes",
}


def check_backbone_options(options: dict[str, Any]) -> None:
    """Raises HeadstartError where ``backbone.options`` holds what would have no effect, or is said elsewhere."""
    for option, value in options.items():
        if option in UNSUPPORTED_OPTIONS:
            raise HeadstartError(f"backbone.options.{option}={value}: {UNSUPPORTED_OPTIONS[option]}; leave it out")


def find_pretrained_cfg(name: str) -> Any:
    """timm's configuration of the pretrained weights that a name stands for, of its tag where it has one.

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
