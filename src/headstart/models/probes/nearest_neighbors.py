"""Nearest neighbors: classifies by the most similar training images, on the features of a frozen backbone."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.image_spec import ImageSpec
from headstart.models.probes.fitted_head import FittedHead

NUM_NEIGHBORS = (1, 3, 5, 10, 20)  # choices of k
SIMILARITY_BLOCK_SIZE = 1024  # images whose similarities are computed at once


class NeighborHead(nn.Module):
    """The features of the training images, and votes of the most similar ones.

    Similarity is the cosine. Each of the k neighbors has one vote; one further vote is spread over all classes, so that
    every probability is above 0.

    Args:
        width: number of features.
        num_classes: number of classes.

    Example:
        >>> head = NeighborHead(width=2, num_classes=3)
        >>> head.fit(torch.eye(2), torch.tensor([0, 2]))
        >>> head(torch.tensor([[1.0, 0.1]])).argmax().item()
        0
    """

    features: Tensor
    labels: Tensor
    num_neighbors: Tensor

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.register_buffer("features", torch.zeros(0, width))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("num_neighbors", torch.tensor(1))

    def fit(self, features: Tensor, labels: Tensor) -> None:
        """Stores the images, and chooses k: each image is classified by the others (log loss).

        Args:
            features: float (N, width).
            labels: int64 (N,).
        """
        self.features, self.labels = F.normalize(features, dim=1), labels
        choices = [k for k in NUM_NEIGHBORS if k < len(labels)] or [1]
        neighbors = self._find_neighbors(self.features, max(choices), skip_self=len(labels) > 1)
        losses = [F.nll_loss(self._vote(neighbors[:, :k]), labels) for k in choices]
        self.num_neighbors = torch.tensor(choices[int(torch.stack(losses).argmin())], device=labels.device)

    def forward(self, features: Tensor) -> Tensor:
        """Log-probabilities, float (N, num_classes), of features (N, width)."""
        k = min(int(self.num_neighbors), len(self.labels))
        if k == 0:  # not fitted yet
            return features.new_zeros(len(features), self.num_classes)
        return self._vote(self._find_neighbors(F.normalize(features, dim=1).to(self.features.dtype), k))

    def _find_neighbors(self, features: Tensor, k: int, skip_self: bool = False) -> Tensor:
        """Positions of the k most similar training images, int64 (N, k)."""
        blocks = []
        for start in range(0, len(features), SIMILARITY_BLOCK_SIZE):
            similarity = features[start : start + SIMILARITY_BLOCK_SIZE] @ self.features.T
            if skip_self:
                similarity.diagonal(start).fill_(-torch.inf)
            blocks.append(similarity.topk(k, dim=1).indices)
        return torch.cat(blocks)

    def _vote(self, neighbors: Tensor) -> Tensor:
        votes = F.one_hot(self.labels[neighbors], self.num_classes).sum(dim=1).to(self.features.dtype)
        return ((votes + 1 / self.num_classes) / (neighbors.shape[1] + 1)).log()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # The number of training images is known only now.
        for name in ("features", "labels"):
            if (stored := state_dict.get(prefix + name)) is not None:
                setattr(self, name, getattr(self, name).new_empty(stored.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


class NearestNeighbors(FittedHead):
    """A frozen timm backbone and k nearest neighbors; k is chosen on the training images.

    The checkpoint holds the features of the training images.

    Args:
        backbone: the settings of ``conf/backbone``; None: the embedded backbone.
        epochs: 1; one pass over the features is all.

    Example:
        >>> model = NearestNeighbors(spec=datamodule.spec)
        >>> L.Trainer(max_epochs=1).fit(model, datamodule)
    """

    head: NeighborHead  # type: ignore[assignment]

    def __init__(
        self, spec: ImageSpec | Mapping[str, Any], backbone: dict[str, Any] | None = None, epochs: int = 1
    ) -> None:
        super().__init__(spec, backbone, epochs)
        self.head = NeighborHead(self.feature_width, self.spec.num_classes)

    def fit_head(self, features: Tensor, labels: Tensor) -> Tensor:
        self.head.fit(features, labels)
        return F.nll_loss(self.head(features), labels)
