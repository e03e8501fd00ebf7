"""Feature extraction: a frozen pretrained backbone and a new head."""

from collections.abc import Mapping
from typing import Any, Unpack

import torch
from torch import Tensor

from headstart.image_spec import ImageSpec
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.models.recipe import Recipe, RecipeArguments
from headstart.networks.modes import lock_eval_mode


class Frozen(PretrainedClassifier):
    """A frozen timm backbone and a linear head.

    No parameter and no buffer of the backbone (BatchNorm's statistics among them) changes by a bit: nothing requires a
    gradient, and the backbone stays in eval mode through every ``train()`` call.

    Args:
        backbone: the settings of ``conf/backbone``; None: the embedded backbone.
        head_lr: AdamW's peak learning rate of the head.
        recipe: see ``Recipe``.

    Example:
        >>> model = Frozen(spec=datamodule.spec, backbone={"name": "resnet18", "weights": "hub"})
    """

    DEFAULTS = Recipe(epochs=60, weight_decay=1e-2, augment="light")

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        backbone: dict[str, Any] | None = None,
        head_lr: float = 1e-2,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        super().__init__(spec, backbone, head_lr, **recipe)
        self.backbone.requires_grad_(False)
        lock_eval_mode(self.backbone)

    def logits(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.backbone(images)
        return self.head(features)
