"""Centers and scales the features of a frozen backbone."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class FeatureScale(nn.Module):
    """Subtracts the mean of each feature and divides all features by one number, their root mean square.

    A scale for each feature would be noise where there are few images (figures in conf/model/linear_probe.yaml). Until
    ``fit`` is called, features pass unchanged.

    Args:
        width: number of features.

    Example:
        >>> scale = FeatureScale(width=2)
        >>> scale.fit([torch.tensor([[1.0, 0.0], [3.0, 0.0]])])
        >>> scale(torch.tensor([[3.0, 0.0]]))
        tensor([[1.4142, 0.0000]])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(()))

    @property
    def is_fitted(self) -> bool:
        """Whether mean and scale are those of images."""
        return bool(self.mean.any())

    def fit(self, batches: Iterable[Tensor]) -> None:
        """Takes mean and scale from features.

        Args:
            batches: float (N, width) each.
        """
        count, total, squares = 0, torch.zeros(len(self.mean)).double(), torch.zeros(len(self.mean)).double()
        for batch in batches:
            features = batch.detach().cpu().double()
            count += len(features)
            total += features.sum(dim=0)
            squares += features.square().sum(dim=0)
        mean = total / count
        self.mean.copy_(mean)
        self.scale.copy_((squares / count - mean.square()).mean().sqrt().nan_to_num().clamp(min=1e-12))

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.scale
