"""The arms without pretraining: the lesson's small network, and the transfer arms' own from random weights."""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from headstart import backbones
from headstart.errors import HeadstartError
from headstart.models.classifier import Classifier
from headstart.spec import ImageSpec


class ScratchCNN(Classifier):
    """The lesson's ConvolutionalNetwork for any image shape and number of classes.

    Two 3×3 convolutions to 4 and 8 channels, each followed by a 2×2 max-pool, then a hidden layer of 32:
    13,242 parameters for 1×28×28 images of 10 classes.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        epochs: int | Mapping[int, int] = 100,
        lr: float = 5e-3,
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.0,
        augment: str | dict[str, float] | None = "auto",
    ) -> None:
        super().__init__(spec, epochs, lr, weight_decay, label_smoothing, augment)
        channels, height, width = self.spec.shape
        if min(height, width) < 4:
            raise HeadstartError(f"images of {height}×{width} pixels vanish in two 2×2 pools; at least 4×4 is needed")
        self.conv1 = nn.Conv2d(channels, 4, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(4, 8, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(8 * (height // 4) * (width // 4), 32)
        self.fc2 = nn.Linear(32, self.spec.num_classes)
        self.normalise_by(self.spec.mean, self.spec.std)

    def logits(self, images: Tensor) -> Tensor:
        images = F.max_pool2d(F.relu(self.conv1(images)), 2)
        images = F.max_pool2d(F.relu(self.conv2(images)), 2)
        return self.fc2(F.relu(self.fc1(images.flatten(1))))


class ScratchBackbone(Classifier):
    """The network of the transfer models, from random weights.

    Args:
        architecture: a backbone's settings, of which the network alone counts, never its weights.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        architecture: dict[str, Any] | None = None,
        epochs: int | Mapping[int, int] = 100,
        lr: float = 2e-3,
        weight_decay: float = 5e-2,
        label_smoothing: float = 0.0,
        augment: str | dict[str, float] | None = "auto",
    ) -> None:
        network = backbones.architecture(architecture)
        super().__init__(spec, epochs, lr, weight_decay, label_smoothing, augment)
        self.architecture = network
        self.save_hyperparameters({"architecture": {**network, "weights": "none"}}, logger=False)
        self.backbone = backbones.build(network)
        self.head = nn.Linear(backbones.width(self.backbone, network, self.spec.shape[1:]), self.spec.num_classes)
        # Nothing was pretrained, so nothing expects another normalisation than that of the data.
        grey = self.spec.shape[0] == 1
        self.normalise_by(self.spec.mean * 3 if grey else self.spec.mean, self.spec.std * 3 if grey else self.spec.std)

    def logits(self, images: Tensor) -> Tensor:
        return self.head(self.backbone(images))
