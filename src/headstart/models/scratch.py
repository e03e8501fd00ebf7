"""The models without pretraining: the lesson's small network, and the transfer models' network."""

from collections.abc import Mapping
from typing import Any, Unpack

from torch import nn

from headstart.backbones.build import build_backbone
from headstart.backbones.resolve import resolve_architecture
from headstart.image_spec import ImageSpec
from headstart.models.backbone_classifier import BackboneClassifier
from headstart.models.classifier import Classifier
from headstart.models.networks.plain_resnet import remove_skip_connections
from headstart.models.networks.simple_cnn import ConvolutionalNetwork
from headstart.models.recipe import Recipe, RecipeArguments, check_positive


class ScratchCNN(Classifier):
    """The lesson's ConvolutionalNetwork for any image shape and number of classes, from random weights.

    Args:
        pooling, gap: of ``ConvolutionalNetwork``.
        lr: AdamW's peak learning rate.
        recipe: see ``Recipe``.

    Example:
        >>> model = ScratchCNN(spec=datamodule.spec, pooling="blur")
    """

    DEFAULTS = Recipe(epochs=100, weight_decay=1e-2)

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        pooling: str = "max",
        gap: bool = False,
        lr: float = 5e-3,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        super().__init__(spec, **recipe)
        self.lr = check_positive("lr", lr)
        self.network = ConvolutionalNetwork(self.spec.shape, self.spec.num_classes, pooling, gap)
        self.register_normalization(self.spec.mean, self.spec.std)


class ScratchBackbone(BackboneClassifier):
    """The transfer models' network from random weights.

    Args:
        architecture: a backbone's settings; only the network counts, its weights are not read.
        lr: AdamW's peak learning rate.
        recipe: see ``Recipe``.

    Example:
        >>> model = ScratchBackbone(spec=datamodule.spec, architecture={"name": "resnet18", "weights": "none"})
    """

    DEFAULTS = Recipe(epochs=100, weight_decay=5e-2)

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        architecture: dict[str, Any] | None = None,
        lr: float = 2e-3,
        **recipe: Unpack[RecipeArguments],
    ) -> None:
        resolved = resolve_architecture(architecture)
        super().__init__(spec, **recipe)
        self.lr = check_positive("lr", lr)
        self.architecture = resolved
        self.save_hyperparameters({"architecture": {**resolved, "weights": "none"}}, logger=False)
        self.build_backbone_and_head(resolved)
        # Without pretrained weights, the data's own normalization is right.
        repeats = 3 if self.spec.shape[0] == 1 else 1
        self.register_normalization(self.spec.mean * repeats, self.spec.std * repeats)


class PlainResNet(ScratchBackbone):
    """``ScratchBackbone``'s network without its skip connections: the plain network of He et al. 2015.

    Depth, widths and, for the same seed, random weights are the same. Only the 1×1 projections of the shortcuts, 1.6 %
    of the embedded architecture's parameters, are missing.

    Example:
        >>> model = PlainResNet(spec=datamodule.spec, architecture={"name": "resnet18", "weights": "none"})
    """

    def build_backbone(self, architecture: dict[str, Any]) -> nn.Module:
        return remove_skip_connections(build_backbone(architecture), architecture["name"])
