"""Feature extraction: a pretrained backbone that never changes, and a new head."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from headstart.image_spec import ImageSpec
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.networks.modes import lock_eval_mode


class Frozen(PretrainedClassifier):
    """A frozen timm backbone and a linear head.

    Frozen means that no parameter and no buffer (BatchNorm's statistics among them) changes by a bit:
    nothing requires a gradient and the backbone stays in eval mode through every ``train()`` call.

    Args:
        backbone: the settings of ``conf/backbone``; None is the embedded one.
        head_lr: AdamW's peak learning rate of the head.
        epochs, weight_decay, label_smoothing, augment: as in ``Classifier``.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        backbone: dict[str, Any] | None = None,
        epochs: int | Mapping[int, int] = 60,
        head_lr: float = 1e-2,
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.0,
        augment: str | dict[str, float] | None = "light",
    ) -> None:
        super().__init__(spec, backbone, epochs, head_lr, weight_decay, label_smoothing, augment)
        self.backbone.requires_grad_(False)
        lock_eval_mode(self.backbone)

    def logits(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.backbone(images)
        return self.head(features)
