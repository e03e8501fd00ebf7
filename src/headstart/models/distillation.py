"""Distillation: a fine-tuned backbone that also learns to predict a larger network's features."""

from collections.abc import Mapping
from typing import Any, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.backbones.build import build_backbone, feature_width
from headstart.backbones.normalization import input_normalization
from headstart.backbones.resolve import resolve_backbone
from headstart.backbones.weights import load_weights
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models.augmentation import augment_images
from headstart.models.finetune import FineTuned
from headstart.models.recipe import RecipeArguments, check_positive


class Distilled(FineTuned):
    """A fine-tuned backbone whose features also predict those of a frozen teacher (FitNets, arXiv:1412.6550).

    The loss is cross-entropy + ``teacher_weight`` · mean squared error between a linear projection of the
    backbone's features and the teacher's pooled features, standardized over the batch. The teacher computes the
    features of each whole image once; they are cached and serve for every later crop of the image.

    Args:
        teacher: the larger network, settings as in ``conf/backbone``; None: timm's ResNet-18 from the hub.
        teacher_size: side in pixels to which images are resized for the teacher.
        teacher_weight: weight of the teacher's term in the loss.
        backbone, backbone_lr, head_lr, batch_norm, recipe: as in ``FineTuned``.

    Example:
        >>> model = Distilled(spec=datamodule.spec, teacher={"name": "resnet50", "weights": "hub"})
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        teacher: dict[str, Any] | None = None,
        teacher_size: int = 128,
        teacher_weight: float = 2.0,
        backbone: dict[str, Any] | None = None,
        backbone_lr: float | None = None,
        head_lr: float = 2e-3,
        batch_norm: str | None = None,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        super().__init__(spec, backbone, backbone_lr, head_lr, batch_norm, **recipe)
        self.teacher_weight = check_positive("teacher_weight", teacher_weight)
        if isinstance(teacher_size, bool) or not isinstance(teacher_size, int) or teacher_size < 1:
            raise HeadstartError(f"model.teacher_size={teacher_size}: give a whole number of pixels, 1 or more")
        self.teacher_size = teacher_size
        resolved = resolve_backbone(teacher or {"weights": "hub"})
        mean, std = input_normalization(resolved)
        self.teacher_settings = {**resolved, "mean": mean, "std": std}
        self.save_hyperparameters({"teacher": {**self.teacher_settings, "weights": "none"}}, logger=False)
        size = (self.teacher_size, self.teacher_size)
        width = feature_width(build_backbone(resolved), resolved, size)
        self.projection = nn.Linear(self.head.in_features, width)
        self._feature_cache: dict[int, Tensor] = {}

    @property
    def teacher(self) -> nn.Module:
        """The frozen teacher, in eval mode; there is one after ``setup("fit")``."""
        return self._teacher[0]

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            teacher = build_backbone(self.teacher_settings)
            load_weights(teacher, self.teacher_settings)
            # In a list it is not a submodule: not trained, not put into train mode, not saved in checkpoints.
            self._teacher = [teacher.eval().requires_grad_(False)]

    def parameter_groups(self) -> list[dict[str, Any]]:
        # The projection's group names no weight decay, so AdamW's default of 0.01 applies to it.
        return [*super().parameter_groups(), {"params": list(self.projection.parameters()), "lr": self.lr}]

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        features = self.backbone(self.normalize(augment_images(images.float() / 255, self.augmentation)))
        loss = F.cross_entropy(self.head(features), labels, label_smoothing=self.label_smoothing)
        target = self.teacher_features(images)
        target = ((target - target.mean(dim=0)) / (target.std(dim=0) + 1e-3)).clamp(-4, 4)
        return loss + self.teacher_weight * F.mse_loss(self.projection(features).float(), target)

    @torch.no_grad()
    def teacher_features(self, images: Tensor) -> Tensor:
        """The teacher's features, float (N, D), of raw images, uint8 (N, C, H, W); cached in half precision."""
        keys = [hash(image.tobytes()) for image in images.cpu().numpy()]
        new = [i for i, key in enumerate(keys) if key not in self._feature_cache]
        if new:
            mean, std = (
                torch.tensor(self.teacher_settings[k], device=images.device).view(1, -1, 1, 1) for k in ("mean", "std")
            )
            resized = F.interpolate(images[new].float() / 255, size=self.teacher_size, mode="bicubic")
            features = self.teacher.to(images.device)((resized - mean) / std).half().cpu()
            self._feature_cache |= {keys[i]: row for i, row in zip(new, features, strict=True)}
        return torch.stack([self._feature_cache[key].float() for key in keys]).to(images.device)
