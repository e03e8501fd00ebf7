"""AdamW with a linear warm-up and a cosine decay to zero, stepped with every batch."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

WARMUP_SHARE = 0.1  # share of the steps; without a warm-up, AdamW's first steps are as long as its later ones


def build_parameter_groups(module: nn.Module, lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters of ``module`` in groups with a learning rate of their own.

    Weight decay applies to matrices and kernels, not to biases and normalization layers (the usual split:
    Goyal et al. 2017, arXiv:1706.02677, section 5.3).
    """
    from timm.optim import param_groups_weight_decay

    return [group | {"lr": lr} for group in param_groups_weight_decay(module, weight_decay) if group["params"]]


def build_adamw_cosine(parameters: Iterable[dict[str, Any]], steps: int) -> dict[str, Any]:
    """AdamW (arXiv:1711.05101) over ``parameters``, its learning rates on a cosine over ``steps`` batches."""
    # One kernel for all parameters halves the optimizer's time on small networks.
    optimizer = torch.optim.AdamW(list(parameters), fused=True)
    warm_up = max(1, round(WARMUP_SHARE * steps))

    def lr_factor(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
