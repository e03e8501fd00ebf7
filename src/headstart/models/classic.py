"""The classic networks before ResNet, LeNet and AlexNet, as models."""

from collections.abc import Mapping
from typing import Any, Unpack

from torch import nn

from headstart.image_spec import ImageSpec
from headstart.models.classifier import Classifier
from headstart.models.networks.alexnet import small_alexnet
from headstart.models.networks.lenet import lenet5
from headstart.models.recipe import Recipe, RecipeArguments, check_positive


class ClassicNetwork(Classifier):
    """A classic network from random weights; a subclass builds it.

    Args:
        lr: AdamW's peak learning rate.
        recipe: see ``Recipe``.
    """

    DEFAULTS = Recipe(epochs=100, weight_decay=1e-2)

    def __init__(
        self, spec: ImageSpec | Mapping[str, Any], lr: float = 2e-3, **recipe: Unpack[RecipeArguments]
    ) -> None:
        super().__init__(spec, **recipe)
        self.lr = check_positive("lr", lr)
        self.network = self.build_network()
        self.register_normalization(self.spec.mean, self.spec.std)

    def build_network(self) -> nn.Module:
        raise NotImplementedError


class LeNet(ClassicNetwork):
    """``lenet5`` from random weights.

    Example:
        >>> model = LeNet(spec=datamodule.spec)
    """

    def build_network(self) -> nn.Module:
        return lenet5(self.spec.shape, self.spec.num_classes)


class AlexNet(ClassicNetwork):
    """``small_alexnet`` from random weights.

    Example:
        >>> model = AlexNet(spec=datamodule.spec)
    """

    def build_network(self) -> nn.Module:
        return small_alexnet(self.spec.shape, self.spec.num_classes)
