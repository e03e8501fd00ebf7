"""Base class of the models on a timm backbone: the backbone followed by a linear head."""

from collections import OrderedDict
from typing import Any

from torch import nn

from headstart.backbones.build import build_backbone, feature_width
from headstart.models.classifier import Classifier


class BackboneAndHead(nn.Sequential):
    """Backbone and linear head: normalized images, float (N, C, H, W), to logits. Its mode is the head's mode.

    Parts of the backbone may be locked in eval mode, the head never is. A separate mode of this module would not
    describe them, and restoring it (as exporters do) would change them.
    """

    head: nn.Linear

    @property
    def training(self) -> bool:
        return self.head.training

    @training.setter
    def training(self, mode: bool) -> None:
        """``train`` sets the modes of backbone and head; there is nothing else to set."""


class BackboneClassifier(Classifier):
    """A timm backbone and a linear head. A subclass calls ``build_backbone_and_head`` in its constructor."""

    backbone: nn.Module
    head: nn.Linear
    feature_width: int

    def build_backbone_and_head(self, architecture: dict[str, Any]) -> None:
        """Builds backbone and head with random weights.

        Args:
            architecture: ``{"name", "options"}`` of the backbone, resolved.

        Raises:
            HeadstartError: timm cannot build it, or it does not take images of this size.
        """
        self.backbone = self.build_backbone(architecture)
        self.feature_width = feature_width(self.backbone, architecture, self.spec.shape[1:])
        self.head = nn.Linear(self.feature_width, self.spec.num_classes)

    def build_backbone(self, architecture: dict[str, Any]) -> nn.Module:
        return build_backbone(architecture)

    @property
    def network(self) -> nn.Module:  # type: ignore[override]
        # A new object each time: as a submodule, it would add each parameter to the checkpoint a second time.
        return BackboneAndHead(OrderedDict(backbone=self.backbone, head=self.head))
