"""The arms without pretraining: the lesson's small network, and the transfer arms' own from random weights."""

from collections.abc import Mapping
from typing import Any

from headstart.backbones import resolve
from headstart.image_spec import ImageSpec
from headstart.models.backbone_classifier import BackboneClassifier
from headstart.models.classifier import Classifier
from headstart.models.networks.simple_cnn import ConvolutionalNetwork


class ScratchCNN(Classifier):
    """The lesson's ConvolutionalNetwork for any image shape and number of classes.

    Args:
        pooling, gap: of ``ConvolutionalNetwork``.
        epochs, lr, weight_decay, label_smoothing, augment: as in ``Classifier``.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        pooling: str = "max",
        gap: bool = False,
        epochs: int | Mapping[int, int] = 100,
        lr: float = 5e-3,
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.0,
        augment: str | dict[str, float] | None = "auto",
    ) -> None:
        super().__init__(spec, epochs, lr, weight_decay, label_smoothing, augment)
        self.network = ConvolutionalNetwork(self.spec.shape, self.spec.num_classes, pooling, gap)
        self.register_normalization(self.spec.mean, self.spec.std)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Its layers once were the model's own: conv1.weight is network.conv1.weight now.
        layers = {f"{name}.": f"network.{name}." for name in ("conv1", "conv2", "fc1", "fc2")}
        checkpoint["state_dict"] = {
            next((new + key.removeprefix(old) for old, new in layers.items() if key.startswith(old)), key): tensor
            for key, tensor in checkpoint["state_dict"].items()
        }
        super().on_load_checkpoint(checkpoint)


class ScratchBackbone(BackboneClassifier):
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
        network = resolve.resolve_architecture(architecture)
        super().__init__(spec, epochs, lr, weight_decay, label_smoothing, augment)
        self.architecture = network
        self.save_hyperparameters({"architecture": {**network, "weights": "none"}}, logger=False)
        self.build_backbone_and_head(network)
        # Nothing was pretrained, so nothing expects another normalisation than that of the data.
        grey = self.spec.shape[0] == 1
        self.register_normalization(
            self.spec.mean * 3 if grey else self.spec.mean, self.spec.std * 3 if grey else self.spec.std
        )
