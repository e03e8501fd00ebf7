"""A network of which the first stages come from pretraining and the rest from random weights."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from headstart.backbones import resolve
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import optimizer
from headstart.models.classifier import check_positive
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.networks.modes import lock_eval_mode, unlock_eval_mode
from headstart.networks.stages import direct_tensor_names, find_stages, modules_by_stage

TRANSFER_MODES = ("frozen", "finetuned", "random_frozen")


class PartialTransfer(PretrainedClassifier):
    """The first stages of a pretrained timm backbone, the others from random weights, and a linear head.

    How far features transfer shows where accuracy falls as more of them are kept (Yosinski et al. 2014,
    arXiv:1411.1792). BatchNorm uses the batch's statistics while it trains, in every stage that is not frozen.

    Args:
        backbone: the settings of ``conf/backbone``; None is the embedded one.
        kept: stages that are kept, counted from the image; 0: none, a training from scratch. A stage ends where
            maps become smaller (``headstart.networks.stages``).
        kept_as: ``"frozen"``: pretrained and never changed; ``"finetuned"``: pretrained, and they go on training;
            ``"random_frozen"``: the control, never trained at all, only BatchNorm's statistics are those of the
            training images.
        backbone_lr: AdamW's peak learning rate of fine-tuned stages; None is 1e-3 for the embedded architecture and
            1e-4 for any other.
        head_lr: that of all that starts from random weights.
        epochs, weight_decay, label_smoothing, augment: as in ``Classifier``.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        backbone: dict[str, Any] | None = None,
        kept: int = 1,
        kept_as: str = "frozen",
        epochs: int | Mapping[int, int] = 100,
        backbone_lr: float | None = None,
        head_lr: float = 2e-3,
        weight_decay: float = 5e-2,
        label_smoothing: float = 0.0,
        augment: str | dict[str, float] | None = "auto",
    ) -> None:
        super().__init__(spec, backbone, epochs, head_lr, weight_decay, label_smoothing, augment)
        if kept_as not in TRANSFER_MODES:
            raise HeadstartError(
                f"model.kept_as={kept_as}: give {', '.join(TRANSFER_MODES[:-1])} or {TRANSFER_MODES[-1]}"
            )
        self.kept_as = kept_as
        default = 1e-3 if resolve.is_embedded_architecture(self.backbone_settings) else 1e-4
        self.backbone_lr = check_positive("backbone_lr", default if backbone_lr is None else backbone_lr)
        self.save_hyperparameters({"backbone_lr": self.backbone_lr}, logger=False)
        self.transferred_module_names = self._select_modules(kept)
        for name, parameter in self.backbone.named_parameters():
            parameter.requires_grad_(kept_as == "finetuned" or name not in self._transferred_tensor_names())
        if kept_as != "finetuned":
            for module in self._transferred_modules():
                lock_eval_mode(module)

    def _transferred_modules(self) -> list[nn.Module]:
        return [self.backbone.get_submodule(name) for name in self.transferred_module_names]

    def _select_modules(self, kept: int) -> list[str]:
        """The modules of the first stages; what stands behind the last stage goes with it."""
        ends = find_stages(self.backbone, (3, *self.spec.shape[1:]))
        if isinstance(kept, bool) or not isinstance(kept, int) or not 0 <= kept <= len(ends):
            raise HeadstartError(
                f"model.kept={kept}: {self.backbone_settings['name']} has {len(ends)} stages on images of this size "
                f"({', '.join(ends)}); give 0 to {len(ends)}"
            )
        parts = modules_by_stage(self.backbone, ends)
        return [name for part in parts[: kept + (kept == len(ends))] for name in part]

    def _transferred_tensor_names(self) -> set[str]:
        return set(direct_tensor_names(self.backbone, self.transferred_module_names))

    def setup(self, stage: str) -> None:
        started, random = self._weights_loaded, deepcopy(self.backbone.state_dict())
        super().setup(stage)
        if not started:
            pretrained = set() if self.kept_as == "random_frozen" else self._transferred_tensor_names()
            read = self.backbone.state_dict()
            self.backbone.load_state_dict({k: read[k] if k in pretrained else random[k] for k in read})

    def on_train_start(self) -> None:
        """Random weights come with no statistics of BatchNorm: without those of the images a control would fail at them
        alone. A resumed run has them already."""
        kept = self._transferred_modules()
        counts = [int(m.num_batches_tracked or 0) for m in kept if isinstance(m, _BatchNorm)]
        if self.kept_as == "random_frozen" and counts and not any(counts):
            loader = self.trainer.train_dataloader
            assert loader is not None
            batches = (self.normalize(images.to(self.device).float() / 255) for images, _ in loader)
            with torch.random.fork_rng(devices=[]):  # of dropout
                for module in kept:
                    unlock_eval_mode(module)
                update_bn(batches, self.backbone)
            for module in kept:
                lock_eval_mode(module)
            self.train()

    def parameter_groups(self) -> list[dict[str, Any]]:
        names = self._transferred_tensor_names()
        kept = nn.ParameterList(p for name, p in self.backbone.named_parameters() if name in names)
        rest = nn.ParameterList(p for name, p in self.backbone.named_parameters() if name not in names)
        return [
            *optimizer.build_parameter_groups(kept, self.backbone_lr, self.weight_decay),
            *optimizer.build_parameter_groups(rest, self.lr, self.weight_decay),
            *optimizer.build_parameter_groups(self.head, self.lr, self.weight_decay),
        ]

    def logits(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))
