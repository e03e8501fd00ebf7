"""What frozen and fine-tuned share, so that both are the same network from the same weights."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from headstart.backbones import resolve
from headstart.image_spec import ImageSpec
from headstart.models.backbone_classifier import BackboneClassifier
from headstart.models.classifier import check_positive


class PretrainedClassifier(BackboneClassifier):
    """A pretrained timm backbone and a new linear head.

    The weights are read in ``setup("fit")`` and never in the constructor: a checkpoint holds them
    already and loads without their file, a network or an argument.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        backbone: dict[str, Any] | None,
        epochs: int | Mapping[int, int],
        head_lr: float,
        weight_decay: float,
        label_smoothing: float,
        augment: str | dict[str, float] | None,
    ) -> None:
        resolved = resolve.resolve_backbone(backbone)
        super().__init__(spec, epochs, check_positive("head_lr", head_lr), weight_decay, label_smoothing, augment)
        mean, std = resolve.input_normalization(resolved)
        self.backbone_settings = {**resolved, "mean": mean, "std": std}
        self.architecture = {"name": self.backbone_settings["name"], "options": self.backbone_settings["options"]}
        self.save_hyperparameters({"backbone": {**self.backbone_settings, "weights": "none"}}, logger=False)
        self.build_backbone_and_head(self.backbone_settings)
        # At zero every class is equally likely, and the first steps move the head alone: its errors
        # reach a pretrained backbone only once it has learned something.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_normalization(mean, std)
        self._weights_loaded = False

    def setup(self, stage: str) -> None:
        if stage == "fit" and not self._weights_loaded:
            resolve.load_weights(self.backbone, self.backbone_settings)
            self._weights_loaded = True  # a second fit goes on from where the first ended
        super().setup(stage)
