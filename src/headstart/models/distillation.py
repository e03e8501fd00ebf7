"""Distillation: a backbone learns the labels and, beside them, what a larger network sees in each image."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones import resolve
from headstart.image_spec import ImageSpec
from headstart.models.augmentation import augment_images
from headstart.models.classifier import check_positive
from headstart.models.finetune import FineTuned


class Distilled(FineTuned):
    """A fine-tuned backbone whose features also predict those of a frozen teacher (FitNets, arXiv:1412.6550).

    The loss is cross-entropy + ``teacher_weight`` · mean squared error between a linear projection of the
    backbone's features and the teacher's pooled features, standardised over the batch. The teacher sees each
    whole image once; what it made of it is kept and goes with every later crop.

    Args:
        teacher: the larger network, settings as in ``conf/backbone``; None is timm's ResNet-18 from the hub.
        teacher_size: side in pixels to which images are resized for the teacher.
        teacher_weight: the teacher's share of the loss.
        backbone, epochs, backbone_lr, head_lr, batch_norm, weight_decay, label_smoothing, augment: as in
            ``FineTuned``.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        teacher: dict[str, Any] | None = None,
        teacher_size: int = 128,
        teacher_weight: float = 2.0,
        backbone: dict[str, Any] | None = None,
        epochs: int | Mapping[int, int] = 60,
        backbone_lr: float | None = None,
        head_lr: float = 2e-3,
        batch_norm: str | None = None,
        weight_decay: float = 5e-2,
        label_smoothing: float = 0.0,
        augment: str | dict[str, float] | None = "auto",
    ) -> None:
        super().__init__(
            spec, backbone, epochs, backbone_lr, head_lr, batch_norm, weight_decay, label_smoothing, augment
        )
        self.teacher_weight = check_positive("teacher_weight", teacher_weight)
        self.teacher_size = int(check_positive("teacher_size", teacher_size))
        resolved = resolve.resolve_backbone(teacher or {"weights": "hub"})
        mean, std = resolve.input_normalization(resolved)
        self.teacher_settings = {**resolved, "mean": mean, "std": std}
        self.save_hyperparameters({"teacher": {**self.teacher_settings, "weights": "none"}}, logger=False)
        seen = resolve.feature_width(resolve.build_backbone(resolved), resolved, (self.teacher_size, self.teacher_size))
        self.projection = nn.Linear(self.head.in_features, seen)
        self._teacher_features: dict[int, Tensor] = {}

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            teacher = resolve.build_backbone(self.teacher_settings)
            resolve.load_weights(teacher, self.teacher_settings)
            # In a list it is no submodule: neither trained, nor in train mode, nor in a checkpoint.
            self._teacher = [teacher.eval().requires_grad_(False)]

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [*super().parameter_groups(), {"params": list(self.projection.parameters()), "lr": self.lr}]

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        features = self.backbone(self.normalize(augment_images(images.float() / 255, self.augmentation)))
        loss = F.cross_entropy(self.head(features), labels, label_smoothing=self.label_smoothing)
        seen = self._compute_teacher_features(images)
        seen = ((seen - seen.mean(dim=0)) / (seen.std(dim=0) + 1e-3)).clamp(-4, 4)
        return loss + self.teacher_weight * F.mse_loss(self.projection(features).float(), seen)

    @torch.no_grad()
    def _compute_teacher_features(self, images: Tensor) -> Tensor:
        """The teacher's features of raw images, float (N, D); computed once an image, kept in half precision."""
        keys = [hash(image.tobytes()) for image in images.cpu().numpy()]
        new = [i for i, k in enumerate(keys) if k not in self._teacher_features]
        if new:
            mean, std = (
                torch.tensor(self.teacher_settings[k], device=images.device).view(1, -1, 1, 1) for k in ("mean", "std")
            )
            larger = F.interpolate(images[new].float() / 255, size=self.teacher_size, mode="bicubic")
            features = self._teacher[0].to(images.device)((larger - mean) / std).half().cpu()
            self._teacher_features |= {keys[i]: row for i, row in zip(new, features, strict=True)}
        return torch.stack([self._teacher_features[k].float() for k in keys]).to(images.device)
