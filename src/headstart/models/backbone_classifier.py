"""What every model on a backbone is made of: the backbone and a linear head, one after the other."""

from collections import OrderedDict
from typing import Any

from torch import nn

from headstart.backbones import resolve
from headstart.models.classifier import Classifier


class BackboneAndHead(nn.Sequential):
    """Logits of normalised images: a backbone and a linear head, in the mode that the head has now.

    Of the two only the head is never locked in eval mode. A mode of its own would say nothing of theirs: who puts the
    network back into it (exporters do) would change them.
    """

    head: nn.Linear

    @property
    def training(self) -> bool:
        return self.head.training

    @training.setter
    def training(self, mode: bool) -> None:
        """``train`` sets the mode of the parts, which is that of the whole."""


class BackboneClassifier(Classifier):
    """A timm backbone and a linear head; a subclass calls ``put_together`` in its constructor."""

    backbone: nn.Module
    head: nn.Linear

    def build_backbone_and_head(self, architecture: dict[str, Any]) -> None:
        """Builds backbone and head from random weights.

        Args:
            architecture: ``{"name", "options"}`` of the backbone, resolved.

        Raises:
            HeadstartError: timm cannot build it, or it does not take images of this size.
        """
        self.backbone = self.build_backbone(architecture)
        self.head = nn.Linear(
            resolve.feature_width(self.backbone, architecture, self.spec.shape[1:]), self.spec.num_classes
        )

    def build_backbone(self, architecture: dict[str, Any]) -> nn.Module:
        return resolve.build_backbone(architecture)

    @property
    def network(self) -> nn.Module:  # type: ignore[override]
        # Made anew each time: registered, it would name every parameter a second time in the checkpoint.
        return BackboneAndHead(OrderedDict(backbone=self.backbone, head=self.head))
