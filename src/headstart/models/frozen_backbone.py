"""Base class of the models that learn a head on the features of a frozen backbone."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.features import BackboneFeatures
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.networks.modes import lock_eval_mode

PIXEL_READERS = ("forward", "logits", "loss", "compute_features")  # methods that take images


class FrozenBackbone(PretrainedClassifier):
    """A pretrained timm backbone that never changes, and a head on its features.

    No parameter and no buffer of the backbone (BatchNorm's statistics among them) changes by a bit: nothing requires a
    gradient, and the backbone stays in eval mode through every ``train()`` call.

    Besides raw images, batches may hold features from the cache: float (N, width), and for training (N, V, width) with
    V views of each image, of which each step draws one. The data modules of ``headstart.data`` yield them.

    Args: see ``PretrainedClassifier``.
    """

    def build_backbone(self, architecture: dict[str, Any]) -> nn.Module:
        backbone = super().build_backbone(architecture)
        lock_eval_mode(backbone)
        return backbone.requires_grad_(False)

    @property
    def feature_extractor(self) -> BackboneFeatures | None:
        """What computes the features; its training views are None where the augmentation has no finite set of them.

        None for a subclass that reads pixels in a way of its own.
        """
        if any(getattr(type(self), name) is not getattr(FrozenBackbone, name) for name in PIXEL_READERS):
            return None
        mirrors = bool(self.augmentation.get("mirror"))
        is_finite = not any(value for name, value in self.augmentation.items() if name != "mirror")
        return BackboneFeatures(
            self.backbone,
            self.normalize,
            {name: self.backbone_settings[name] for name in ("name", "options", "mean", "std")},
            self.feature_width,
            self.device,
            (("plain", "mirror") if mirrors else ("plain",)) if is_finite else None,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, float32 (N, num_classes), of raw images, uint8 (N, C, H, W), or of features (N, width)."""
        return self.classify_features(images).float() if images.ndim == 2 else super().forward(images)

    def logits(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.backbone(images)
        return self.classify_features(features)

    def classify_features(self, features: Tensor) -> Tensor:
        """Class scores, float (N, num_classes), of features (N, width)."""
        return self.head(features)

    def compute_features(self, images: Tensor) -> Tensor:
        """Features, float (N, width), of raw images, uint8 (N, C, H, W)."""
        return self.backbone(self.normalize(images.float() / 255))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy (nats, a scalar) of raw images after augmentation, or of one view's features of each image."""
        if images.ndim != 3:
            return super().loss(images, labels)
        views = torch.randint(images.shape[1], (len(images),)).to(images.device)
        scores = self.classify_features(images[torch.arange(len(images), device=images.device), views])
        return F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)
