"""Feature extraction: a frozen pretrained backbone and a new head."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from headstart.image_spec import ImageSpec
from headstart.models.backbone_classifier import BackboneAndHead
from headstart.models.frozen_backbone import FrozenBackbone
from headstart.models.recipe import Recipe, RecipeArguments
from headstart.networks.feature_scale import FeatureScale


class Frozen(FrozenBackbone):
    """A frozen timm backbone (see ``FrozenBackbone``) and a linear head that gradient descent trains.

    Training starts with the mean and the scale of the training images' features (see ``FeatureScale``), so that one
    learning rate suits every backbone.

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
        head_lr: float = 4e-3,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        super().__init__(spec, backbone, head_lr, **recipe)
        self.feature_scale = FeatureScale(self.feature_width)

    @property
    def network(self) -> nn.Module:  # type: ignore[override]
        return BackboneAndHead(OrderedDict(backbone=self.backbone, scale=self.feature_scale, head=self.head))

    def classify_features(self, features: Tensor) -> Tensor:
        return self.head(self.feature_scale(features))

    def on_train_start(self) -> None:
        super().on_train_start()
        if not self.feature_scale.is_fitted:  # a resumed run has them in its checkpoint
            loader: Any = self.trainer.train_dataloader
            batches = islice(loader, int(self.trainer.num_training_batches))
            with torch.no_grad():
                self.feature_scale.fit(self._read_features(images.to(self.device)) for images, _ in batches)

    def _read_features(self, images: Tensor) -> Tensor:
        """Features, float (N, width), of raw images as they are, or of all views of the images (N, V, width)."""
        return images.flatten(0, 1) if images.ndim == 3 else self.compute_features(images)
