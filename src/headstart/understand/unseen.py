"""The images to measure a network on."""

import torch
from torch import Tensor

from headstart.understand.subject import Subject


def held_out_indices(subject: Subject, max_count: int) -> Tensor:
    """Indices of at most ``most`` images, evenly spread, of those not trained on, if there are any."""
    free = (~subject.train_mask).nonzero().flatten()
    free = free if len(free) else torch.arange(len(subject.images))
    return free[torch.linspace(0, len(free) - 1, min(max_count, len(free))).round().long()]
