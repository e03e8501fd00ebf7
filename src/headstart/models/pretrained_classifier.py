"""What frozen and fine-tuned share, so that both are the same network from the same weights."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from headstart.backbones import resolve
from headstart.image_spec import ImageSpec
from headstart.models.backbone_classifier import Headed
from headstart.models.classifier import positive


class Transfer(Headed):
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
        resolved = resolve.resolve(backbone)
        super().__init__(spec, epochs, positive("head_lr", head_lr), weight_decay, label_smoothing, augment)
        mean, std = resolve.normalisation(resolved)
        self.start = {**resolved, "mean": mean, "std": std}
        self.architecture = {"name": self.start["name"], "options": self.start["options"]}
        self.save_hyperparameters({"backbone": {**self.start, "weights": "none"}}, logger=False)
        self.put_together(self.start)
        # At zero every class is equally likely, and the first steps move the head alone: its errors
        # reach a pretrained backbone only once it has learned something.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.normalise_by(mean, std)
        self._started = False

    def setup(self, stage: str) -> None:
        if stage == "fit" and not self._started:
            resolve.load_weights(self.backbone, self.start)
            self._started = True  # a second fit goes on from where the first ended
        super().setup(stage)
