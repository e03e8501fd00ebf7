"""AdamW with a warm-up and a cosine to zero, stepped with every batch."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

WARMUP_SHARE = 0.1  # share of the steps; without one, AdamW's first steps are as long as its later ones


def build_parameter_groups(module: nn.Module, lr: float, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters of ``module`` in two groups with a real ``lr`` each.

    Weight decay pulls on matrices and kernels alone, not on biases and normalisation (the usual split:
    Goyal et al. 2017, arXiv:1706.02677, section 5.3).
    """
    trainable = [p for p in module.parameters() if p.requires_grad]
    decayed = [p for p in trainable if p.ndim > 1]
    others = [p for p in trainable if p.ndim <= 1]
    split = [(decayed, weight_decay), (others, 0.0)]
    return [{"params": p, "lr": lr, "weight_decay": decay} for p, decay in split if p]


def build_adamw_cosine(parameters: Iterable[dict[str, Any]], steps: int) -> dict[str, Any]:
    """AdamW (arXiv:1711.05101) over ``parameters``, its rates following a cosine over ``steps`` batches."""
    # One kernel for all parameters: on small networks it halves the time that a step spends here.
    optimizer = torch.optim.AdamW(list(parameters), fused=True)
    warm_up = max(1, round(WARMUP_SHARE * steps))

    def share(step: int) -> float:
        return min(1.0, (step + 1) / warm_up) * 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
