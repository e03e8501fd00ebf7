"""Feature extraction: a frozen pretrained backbone and a new head."""

from collections.abc import Mapping
from typing import Any, Unpack

from headstart.image_spec import ImageSpec
from headstart.models.frozen_backbone import FrozenBackbone
from headstart.models.recipe import Recipe, RecipeArguments


class Frozen(FrozenBackbone):
    """A frozen timm backbone (see ``FrozenBackbone``) and a linear head that gradient descent trains.

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
        head_lr: float = 2e-2,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        super().__init__(spec, backbone, head_lr, **recipe)
