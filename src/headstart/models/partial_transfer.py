"""Partial transfer: the first stages of a network are pretrained, the others start from random weights."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import optimizer
from headstart.models.pretrained_classifier import PretrainedClassifier
from headstart.models.recipe import Recipe, RecipeArguments
from headstart.networks.modes import lock_eval_mode, unlock_eval_mode
from headstart.networks.stages import direct_tensor_names, find_stages, modules_by_stage

TRANSFER_MODES = ("frozen", "finetuned", "random_frozen")


class PartialTransfer(PretrainedClassifier):
    """The first stages of a pretrained timm backbone, the other stages from random weights, and a linear head.

    Accuracy as a function of ``num_stages`` shows how far features transfer (Yosinski et al. 2014, arXiv:1411.1792).
    While training, BatchNorm uses the batch's statistics in each stage that is not frozen.

    Args:
        backbone: the settings of ``conf/backbone``; None: the embedded backbone.
        num_stages: number of transferred stages, counted from the image; 0: all stages start from random weights.
            A stage ends where the feature maps become smaller (``headstart.networks.stages``).
        mode: ``"frozen"``: the transferred stages are pretrained and never change; ``"finetuned"``: they are
            pretrained and train; ``"random_frozen"``: the control, random weights that never train; BatchNorm's
            statistics are those of the training images.
        backbone_lr: AdamW's peak learning rate of fine-tuned stages; None: 1e-3 for the embedded architecture, 1e-4
            for any other.
        head_lr: AdamW's peak learning rate of the head and of the stages that start from random weights.
        recipe: see ``Recipe``.

    Example:
        >>> model = PartialTransfer(spec=datamodule.spec, num_stages=2, mode="finetuned")
    """

    DEFAULTS = Recipe(epochs=100, weight_decay=5e-2)

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        backbone: dict[str, Any] | None = None,
        num_stages: int = 1,
        mode: str = "frozen",
        backbone_lr: float | None = None,
        head_lr: float = 2e-3,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        super().__init__(spec, backbone, head_lr, **recipe)
        if mode not in TRANSFER_MODES:
            raise HeadstartError(f"model.mode={mode}: give {', '.join(TRANSFER_MODES[:-1])} or {TRANSFER_MODES[-1]}")
        self.mode = mode
        self.set_backbone_lr(backbone_lr)
        self.transferred_module_names = self._select_modules(num_stages)
        for name, parameter in self.backbone.named_parameters():
            parameter.requires_grad_(mode == "finetuned" or name not in self._transferred_tensor_names())
        if mode != "finetuned":
            for module in self._transferred_modules():
                lock_eval_mode(module)

    def _transferred_modules(self) -> list[nn.Module]:
        return [self.backbone.get_submodule(name) for name in self.transferred_module_names]

    def _select_modules(self, num_stages: int) -> list[str]:
        """Names of the first stages' modules; modules behind the last stage belong to the last stage."""
        ends = find_stages(self.backbone, (3, *self.spec.shape[1:]))
        if isinstance(num_stages, bool) or not isinstance(num_stages, int) or not 0 <= num_stages <= len(ends):
            raise HeadstartError(
                f"model.num_stages={num_stages}: {self.backbone_settings['name']} has {len(ends)} stages on images of "
                f"this size ({', '.join(ends)}); give 0 to {len(ends)}"
            )
        stages = modules_by_stage(self.backbone, ends)
        return [name for stage in stages[: num_stages + (num_stages == len(ends))] for name in stage]

    def _transferred_tensor_names(self) -> set[str]:
        return set(direct_tensor_names(self.backbone, self.transferred_module_names))

    def setup(self, stage: str) -> None:
        was_loaded, random_state = self._weights_loaded, deepcopy(self.backbone.state_dict())
        super().setup(stage)
        if not was_loaded:
            pretrained = set() if self.mode == "random_frozen" else self._transferred_tensor_names()
            state = self.backbone.state_dict()
            self.backbone.load_state_dict({k: state[k] if k in pretrained else random_state[k] for k in state})

    def on_train_start(self) -> None:
        """Computes BatchNorm's statistics of the control's random stages on the training images, once.

        Random weights come without such statistics, and the control would fail for their lack alone.
        """
        modules = self._transferred_modules()
        counts = [int(m.num_batches_tracked or 0) for m in modules if isinstance(m, _BatchNorm)]
        if self.mode == "random_frozen" and counts and not any(counts):
            loader = self.trainer.train_dataloader
            assert loader is not None
            batches = (self.normalize(images.to(self.device).float() / 255) for images, _ in loader)
            with torch.random.fork_rng(devices=[]):  # dropout draws random numbers
                for module in modules:
                    unlock_eval_mode(module)
                update_bn(batches, self.backbone)
            for module in modules:
                lock_eval_mode(module)
            self.train()

    def parameter_groups(self) -> list[dict[str, Any]]:
        names = self._transferred_tensor_names()
        transferred = nn.ParameterList(p for name, p in self.backbone.named_parameters() if name in names)
        others = nn.ParameterList(p for name, p in self.backbone.named_parameters() if name not in names)
        return [
            *optimizer.build_parameter_groups(transferred, self.backbone_lr, self.weight_decay),
            *optimizer.build_parameter_groups(others, self.lr, self.weight_decay),
            *optimizer.build_parameter_groups(self.head, self.lr, self.weight_decay),
        ]

    def logits(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))
