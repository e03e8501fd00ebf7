"""What ``auto`` stands for in ``backbone``, ``data.image_size`` and ``data.folds``: the images decide. Torch-free.

It is replaced by explicit overrides before anything is hashed or named, so that a run knows no ``auto``.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from omegaconf import DictConfig, OmegaConf

from headstart.backbones.packaged_weights import PACKAGED_WEIGHTS
from headstart.backbones.resolve import AUTO_WEIGHTS, is_embedded_architecture
from headstart.config.compose import ComposedCommand, compose_with
from headstart.config.data_module import load_source
from headstart.config.fold_choice import FOLD_KEY, FoldChoice, choose_folds
from headstart.config.overrides import override_key
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
        overrides: the backbone and the image size where they were ``auto``; empty where neither was.
        measured: the images and the figure that decided; empty where none was measured.
        folds: what ``data.folds=auto`` stands for; None where the folds were given.

    Example:
        >>> choose_auto_settings(config).overrides
        {'backbone': 'efficientnet_lite0', 'data.image_size': '128'}
    """

    overrides: dict[str, str] = field(default_factory=dict)
    measured: str = ""
    folds: FoldChoice | None = None

    @property
    def rotates(self) -> bool:
        """Whether the seeds rotate through folds."""
        return self.folds is not None and self.folds.rotates

    @property
    def reason(self) -> str:
        """The measured figure and the values that follow from it, in one line; empty where there is nothing to say."""
        words = " ".join(f"{key}={value}" for key, value in self.overrides.items())
        return f"{self.measured}, hence {words}" if self.measured and words else ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """The lines to print: :attr:`reason`, and why the seeds rotate or cannot."""
        return tuple(filter(None, (self.reason, self.folds.reason if self.folds else "")))

    def overrides_for(self, seed: int) -> dict[str, str]:
        """The value of each key that was ``auto``, for a run with this seed."""
        return self.overrides | (self.folds.overrides_for(seed) if self.folds else {})

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
        HeadstartError: the configuration is not whole, or see :func:`check_given_fold` and
            :func:`choose_auto_settings`.
    """
    check_config(command.config, command.overrides)
    check_given_fold(command)
    choice, seed = choose_auto_settings(command.config), command.config.seed
    if not choice.overrides_for(seed):
        return command
    config = compose_with(command, choice.overrides_for(seed))
    choice = choice.restrict_to(config)
    return replace(command, config=config, auto_overrides=choice.overrides_for(seed), auto_reasons=choice.reasons)


def check_given_fold(command: ComposedCommand) -> None:
    """Raises HeadstartError where a command gives a fold and leaves the folds to ``auto``."""
    if command.config.data.get("folds") != AUTO or not has_given_fold(command):
        return
    fold = ",".join(command.sweeps.get(FOLD_KEY, [str(command.config.data.fold)]))
    raise HeadstartError(
        f"{FOLD_KEY}={fold}: with data.folds=auto the seed chooses the fold; give data.folds=5 with it, or leave it out"
    )


def has_given_fold(command: ComposedCommand) -> bool:
    """Whether a command or its configuration says which fold is the test part."""
    return bool(command.config.data.get("fold")) or FOLD_KEY in map(override_key, command.overrides)


def choose_auto_settings(config: DictConfig) -> AutoChoice:
    """Chooses the backbone, the image size and the folds where they are ``auto``; a value that was given stays.

    Args:
        config: of one run, with its ``hydra`` node.

    Raises:
        HeadstartError: there is no such folder or weight file, the layout of the folder is ambiguous, or the images
            cannot be split.
    """
    choice = _choose_backbone_and_size(config)
    if config.data.get("folds") != AUTO:
        return choice
    if SIZE_KEY in choice.overrides:
        size = int(choice.overrides[SIZE_KEY])
        config = OmegaConf.merge(config, {"data": {"image_size": size}})  # type: ignore[assignment]
    return replace(choice, folds=choose_folds(config))


def _choose_backbone_and_size(config: DictConfig) -> AutoChoice:
    """Chooses the backbone and the image size where they are ``auto``.

    ImageNet's EfficientNet-Lite0 at 128 pixels suits photographs of 96 pixels and more, the embedded backbone at 64
    pixels smaller images and data sets that are no folders. An image size that was given counts like the images' own.
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
    if config.data.get("folds") == AUTO:
        settings["folds"] = None
    if config.data.image_size == AUTO:
        settings["image_size"] = LARGE_SIZE
    return load_source(OmegaConf.merge(config, {"data": settings})).median_shorter_side  # type: ignore[arg-type]
