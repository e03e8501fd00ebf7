"""Base class of the models that start from pretrained weights."""

from collections.abc import Mapping
from typing import Any, Unpack

from torch import nn

from headstart.backbones.normalization import input_normalization
from headstart.backbones.resolve import is_embedded_architecture, resolve_backbone
from headstart.backbones.weights import load_weights
from headstart.image_spec import ImageSpec
from headstart.models.backbone_classifier import BackboneClassifier
from headstart.models.recipe import RecipeArguments, check_positive


class PretrainedClassifier(BackboneClassifier):
    """A pretrained timm backbone and a new linear head.

    ``setup("fit")`` reads the weights, the constructor never does: a checkpoint holds them already and loads without
    their file, without a network connection and without arguments.

    Args:
        backbone: the settings of ``conf/backbone``; None: the embedded backbone.
        head_lr: AdamW's peak learning rate of the head.
        recipe: see ``Recipe``.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        backbone: dict[str, Any] | None,
        head_lr: float,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        resolved = resolve_backbone(backbone)
        super().__init__(spec, **recipe)
        self.lr = check_positive("head_lr", head_lr)
        mean, std = input_normalization(resolved)
        self.backbone_settings = {**resolved, "mean": mean, "std": std}
        self.architecture = {"name": resolved["name"], "options": resolved["options"]}
        self.save_hyperparameters({"backbone": {**self.backbone_settings, "weights": "none"}}, logger=False)
        self.build_backbone_and_head(self.architecture)
        # With a head of zeros all classes are equally likely, and the first steps change the head alone: a pretrained
        # backbone gets gradients only after the head has learned something.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_normalization(mean, std)
        self._weights_loaded = False

    def set_backbone_lr(self, lr: float | None) -> None:
        """Stores AdamW's peak learning rate of the backbone; None: a default for the architecture.

        Figures are in ``conf/backbone``.
        """
        default = 1e-3 if is_embedded_architecture(self.backbone_settings) else 1e-4
        self.backbone_lr = check_positive("backbone_lr", default if lr is None else lr)
        self.save_hyperparameters({"backbone_lr": self.backbone_lr}, logger=False)

    def setup(self, stage: str) -> None:
        if stage == "fit" and not self._weights_loaded:
            load_weights(self.backbone, self.backbone_settings)
            self._weights_loaded = True  # a second fit continues from the end of the first
        super().setup(stage)
