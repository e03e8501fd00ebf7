"""Fine-tuning: the pretrained backbone goes on training, at a smaller learning rate than its new head."""

from collections.abc import Mapping
from typing import Any

from torch.nn.modules.batchnorm import _BatchNorm

from headstart.backbones import resolve
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import optimizer
from headstart.models.classifier import check_positive
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.networks.modes import lock_eval_mode


class FineTuned(PretrainedClassifier):
    """A timm backbone of which every parameter trains, and a linear head.

    Args:
        backbone: the settings of ``conf/backbone``; None is the embedded one.
        backbone_lr: AdamW's peak learning rate of the backbone; None is 1e-3 for the embedded
            architecture and 1e-4 for any other, which is what suits the networks that were tried.
        batch_norm: ``"batch"`` (statistics of the batch), ``"fixed"`` (those of the pretraining, in eval
            mode); None is batch for the embedded architecture and fixed for any other.
        head_lr: AdamW's peak learning rate of the head.
        epochs, weight_decay, label_smoothing, augment: as in ``Classifier``.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        backbone: dict[str, Any] | None = None,
        epochs: int | Mapping[int, int] = 60,
        backbone_lr: float | None = None,
        head_lr: float = 2e-3,
        batch_norm: str | None = None,
        weight_decay: float = 5e-2,
        label_smoothing: float = 0.0,
        augment: str | dict[str, float] | None = "auto",
    ) -> None:
        super().__init__(spec, backbone, epochs, head_lr, weight_decay, label_smoothing, augment)
        small = resolve.is_embedded_architecture(self.backbone_settings)
        self.backbone_lr = check_positive(
            "backbone_lr", backbone_lr if backbone_lr is not None else 1e-3 if small else 1e-4
        )
        self.batch_norm = batch_norm or ("batch" if small else "fixed")
        if self.batch_norm not in ("batch", "fixed"):
            raise HeadstartError(f"model.batch_norm={batch_norm}: give batch, fixed or null")
        self.save_hyperparameters({"backbone_lr": self.backbone_lr, "batch_norm": self.batch_norm}, logger=False)
        if self.batch_norm == "fixed":
            for module in self.backbone.modules():
                if isinstance(module, _BatchNorm):
                    lock_eval_mode(module)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [
            *optimizer.build_parameter_groups(self.backbone, self.backbone_lr, self.weight_decay),
            *optimizer.build_parameter_groups(self.head, self.lr, self.weight_decay),
        ]
