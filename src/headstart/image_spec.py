"""The specification of images for a model: their shape, statistics and classes."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ImageSpec:
    """The one specification of the images; stored in every checkpoint as a plain dict.

    Args:
        shape: channels, height, width of the uint8 images.
        classes: names of the classes; the label is the position.
        mean: per channel, of the training images scaled to [0, 1].
        std: likewise the standard deviation.
        mirror: whether a mirrored image keeps its class (photos do, digits do not).
        labels_per_class: number of labels per class that training and validation use together.
        depth: how values of more than 8 bits are read, a key of ``bit_depth.WHITE_VALUES``; None: no training image
            was deeper.
        resize: how an image becomes square, one of ``headstart.decoding.square.RESIZE_MODES``. Checkpoints without it
            have ``crop``.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    mirror: bool
    labels_per_class: int
    depth: str | None = None
    resize: str = "crop"

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, so that a checkpoint loads with ``weights_only=True``."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ImageSpec":
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**plain)
