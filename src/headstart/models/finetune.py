"""Fine-tuning: all parameters train, the pretrained backbone at a smaller learning rate than the new head."""

from collections.abc import Mapping
from typing import Any, Unpack

from torch.nn.modules.batchnorm import _BatchNorm

from headstart.backbones.resolve import is_embedded_architecture
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import optimizer
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.models.recipe import Recipe, RecipeArguments
from headstart.networks.modes import lock_eval_mode


class FineTuned(PretrainedClassifier):
    """A timm backbone and a linear head, all of whose parameters train.

    Args:
        backbone: the settings of ``conf/backbone``; None: the embedded backbone.
        backbone_lr: AdamW's peak learning rate of the backbone; None: 1e-3 for the embedded architecture, 1e-4 for
            any other.
        head_lr: AdamW's peak learning rate of the head.
        batch_norm: ``"batch"`` (the batch's statistics) or ``"fixed"`` (the pretraining's statistics, in eval mode);
            None: batch for the embedded architecture, fixed for any other.
        recipe: see ``Recipe``.

    Example:
        >>> model = FineTuned(spec=datamodule.spec, epochs=20)
        >>> L.Trainer(max_epochs=model.epochs).fit(model, datamodule)
    """

    DEFAULTS = Recipe(epochs=60, weight_decay=5e-2)

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        backbone: dict[str, Any] | None = None,
        backbone_lr: float | None = None,
        head_lr: float = 2e-3,
        batch_norm: str | None = None,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        super().__init__(spec, backbone, head_lr, **recipe)
        self.set_backbone_lr(backbone_lr)
        is_embedded = is_embedded_architecture(self.backbone_settings)
        self.batch_norm = batch_norm or ("batch" if is_embedded else "fixed")
        if self.batch_norm not in ("batch", "fixed"):
            raise HeadstartError(f"model.batch_norm={batch_norm}: give batch, fixed or null")
        self.save_hyperparameters({"batch_norm": self.batch_norm}, logger=False)
        if self.batch_norm == "fixed":
            for module in self.backbone.modules():
                if isinstance(module, _BatchNorm):
                    lock_eval_mode(module)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [
            *optimizer.build_parameter_groups(self.backbone, self.backbone_lr, self.weight_decay),
            *optimizer.build_parameter_groups(self.head, self.lr, self.weight_decay),
        ]
