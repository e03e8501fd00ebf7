"""Base class of the models whose head is fitted at once on all features of the training images."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models.frozen_backbone import FrozenBackbone
from headstart.models.recipe import Recipe


class FittedHead(FrozenBackbone):
    """A frozen timm backbone, and a head that is fitted once all features of the epoch are there.

    There is no optimizer, no augmentation and no schedule. A subclass defines ``fit_head``.

    Args:
        backbone: the settings of ``conf/backbone``; None: the embedded backbone.
        epochs: 1.

    Raises:
        HeadstartError: ``epochs`` is another number.
    """

    DEFAULTS: ClassVar[Recipe] = Recipe(epochs=1, weight_decay=0.0, augment=None)

    def __init__(self, spec: ImageSpec | Mapping[str, Any], backbone: dict[str, Any] | None, epochs: int) -> None:
        if epochs != 1:
            raise HeadstartError(f"model.epochs={epochs}: one pass over the features is all; give 1")
        super().__init__(spec, backbone, head_lr=1.0, epochs=1)
        self.automatic_optimization = False
        self._features: list[Tensor] = []
        self._labels: list[Tensor] = []

    @abstractmethod
    def fit_head(self, features: Tensor, labels: Tensor) -> Tensor:
        """Fits the head.

        Args:
            features: float (N, width), of all training images.
            labels: int64 (N,).

        Returns:
            The loss on the training images (nats, a scalar).
        """

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """An optimizer of nothing: ModelCheckpoint saves no model before Lightning has counted a step."""
        return torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=0.0)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:  # type: ignore[override]
        images, labels = batch
        with torch.no_grad():
            self._features.append(images[:, 0] if images.ndim == 3 else self.compute_features(images))
        self._labels.append(labels)
        # Lightning validates before it calls on_train_epoch_end.
        if batch_idx + 1 == self.trainer.num_training_batches:
            self._loss = self.fit_head(torch.cat(self._features).float(), torch.cat(self._labels)).detach()
            cast(LightningOptimizer, self.optimizers()).step()
            self._features.clear()
            self._labels.clear()

    def on_train_epoch_start(self) -> None:
        self._features.clear()  # of an interrupted epoch
        self._labels.clear()

    def on_train_epoch_end(self) -> None:
        self.log("train/loss", self._loss)
