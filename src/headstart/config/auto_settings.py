"""What ``backbone=auto`` and ``data.image_size=auto`` stand for: the sizes of the images decide. Torch-free.

Both are replaced by explicit overrides before anything is hashed or named, so that a run knows no ``auto``.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from headstart.backbones.packaged_weights import PACKAGED_WEIGHTS
from headstart.backbones.resolve import AUTO_WEIGHTS, is_embedded_architecture
from headstart.config.compose import ComposedCommand, compose_with
from headstart.config.data_module import load_source
from headstart.config.validation import check_config, reads_backbone
from headstart.data.image_folder import ImageFolder
from headstart.data.sources import find_source_class
from headstart.errors import HeadstartError

AUTO = "auto"
BACKBONE_KEY, SIZE_KEY = "backbone", "data.image_size"
MIN_PHOTOGRAPH_SIDE = 96  # pixels of the shorter side
LARGE_BACKBONE, LARGE_SIZE = "efficientnet_lite0", 128
SMALL_BACKBONE, SMALL_SIZE = "embedded", 64


@dataclass(frozen=True)
class AutoChoice:
    """What ``auto`` stands for in one run.

    Args:
        overrides: the value of each key that was ``auto``; empty where there was none.
        measured: the images and the figure that decided; empty where none was measured.

    Example:
        >>> choose_auto_settings(config).overrides
        {'backbone': 'efficientnet_lite0', 'data.image_size': '128'}
    """

    overrides: dict[str, str] = field(default_factory=dict)
    measured: str = ""

    @property
    def reason(self) -> str:
        """The measured figure and the values that follow from it, in one line; empty where there is nothing to say."""
        words = " ".join(f"{key}={value}" for key, value in self.overrides.items())
        return f"{self.measured}, hence {words}" if self.measured and words else ""

    def is_part_of(self, other: "AutoChoice") -> bool:
        """Whether another choice for the same images says all of this and more."""
        return self.measured == other.measured and self.overrides.items() < other.overrides.items()

    def restrict_to(self, config: DictConfig) -> "AutoChoice":
        """The part that a run reads: a model without a backbone takes none."""
        read = {k: v for k, v in self.overrides.items() if k != BACKBONE_KEY or reads_backbone(config)}
        return replace(self, overrides=read)


def resolve_auto_settings(command: ComposedCommand) -> ComposedCommand:
    """Replaces ``auto`` in the configuration of a command, of a sweep in that of its first run.

    Raises:
        HeadstartError: the configuration is not whole, or see :func:`choose_auto_settings`.
    """
    check_config(command.config, command.overrides)
    choice = choose_auto_settings(command.config)
    if not choice.overrides:
        return command
    config = compose_with(command, choice.overrides)
    choice = choice.restrict_to(config)
    return replace(command, config=config, auto_overrides=choice.overrides, auto_reason=choice.reason)


def choose_auto_settings(config: DictConfig) -> AutoChoice:
    """Chooses the backbone and the image size where they are ``auto``; a value that was given stays.

    ImageNet's EfficientNet-Lite0 at 128 pixels suits photographs of 96 pixels and more, the embedded backbone at 64
    pixels smaller images and data sets that are no folders. An image size that was given counts like the images' own.

    Args:
        config: of one run, with its ``hydra`` node.

    Raises:
        HeadstartError: there is no such folder or weight file, or the layout of the folder is ambiguous.
    """
    is_auto_backbone = config.hydra.runtime.choices.get(BACKBONE_KEY) == AUTO
    if is_auto_backbone and config.backbone.name and config.backbone.weights == AUTO_WEIGHTS:
        raise HeadstartError(
            f"backbone.name={config.backbone.name}: name its weights too, such as backbone.weights=hub"
        )
    size = config.data.get("image_size")
    if not is_auto_backbone and size != AUTO:
        return AutoChoice()
    shorter_side = _measure_shorter_side(config)
    sides = [shorter_side or 0, *([size] if isinstance(size, int) else [])]
    shows_photographs = min(sides) >= MIN_PHOTOGRAPH_SIDE
    settings: Any = OmegaConf.to_container(config.backbone, resolve=True)
    has_named_network = not is_auto_backbone or _names_network(settings)
    overrides = {}
    if is_auto_backbone and has_named_network:
        overrides[BACKBONE_KEY] = settings["weights"] if settings["weights"] in PACKAGED_WEIGHTS else SMALL_BACKBONE
    elif is_auto_backbone:
        overrides[BACKBONE_KEY] = LARGE_BACKBONE if shows_photographs else SMALL_BACKBONE
    if size == AUTO:
        is_embedded = has_named_network and is_embedded_architecture(_complete_weights(settings))
        overrides[SIZE_KEY] = str(LARGE_SIZE if shows_photographs and not is_embedded else SMALL_SIZE)
        if is_embedded:
            return AutoChoice(overrides, f"the embedded backbone is made for {SMALL_SIZE} pixels")
    if shorter_side is None:
        return AutoChoice(overrides)
    return AutoChoice(overrides, f"data.root={config.data.root}: median shorter side {shorter_side} pixels")


def _names_network(settings: dict[str, Any]) -> bool:
    """Whether ``backbone.name`` or ``backbone.weights`` name the network: then the images do not choose it."""
    return bool(settings["name"]) or settings["weights"] not in (AUTO_WEIGHTS, "none", None)


def _complete_weights(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with the weights of the embedded backbone where the command gives none."""
    return {**settings, "weights": SMALL_BACKBONE} if settings["weights"] == AUTO_WEIGHTS else settings


def _measure_shorter_side(config: DictConfig) -> int | None:
    """The median shorter side of the images of a folder; None for other data sets."""
    source_class = find_source_class(config.data._target_)
    if source_class is None or not issubclass(source_class, ImageFolder):
        return None
    # The budget may be ``auto``, too. The run's own source is the same one where the size is as expected.
    settings: dict[str, Any] = {"labels_per_class": None}
    if config.data.image_size == AUTO:
        settings["image_size"] = LARGE_SIZE
    return load_source(OmegaConf.merge(config, {"data": settings})).median_shorter_side  # type: ignore[arg-type]
