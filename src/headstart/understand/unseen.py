"""The images to measure a network on."""

import torch
from torch import Tensor

from headstart.understand.subject import Subject


def unseen(subject: Subject, most: int) -> Tensor:
    """Indices of at most ``most`` images, evenly spread, of those not trained on, if there are any."""
    free = (~subject.trained_on).nonzero().flatten()
    free = free if len(free) else torch.arange(len(subject.images))
    return free[torch.linspace(0, len(free) - 1, min(most, len(free))).round().long()]
