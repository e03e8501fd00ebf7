"""The arc from LeNet to ResNet: what came before the backbone, and the backbone without its skip connections."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.backbones import resolve
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models.classifier import Classifier
from headstart.models.scratch import ScratchBackbone


def lenet5(shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """LeNet-5 (LeCun et al., Proc. IEEE 86:2278, 1998, section II.B) for any image shape from 16×16 on.

    At 1×32×32 and 10 classes it has the paper's layers and 61,706 parameters; its fields grow 5, 6, 14, 16, 32. For
    other images the kernel of its last convolution is as large as the maps that reach it, so that it sees them whole.

    Changed: pools are plain averages without weights, every map of the second convolution sees all six of the first,
    and the output is linear for a cross-entropy instead of radial basis functions.

    Args:
        shape: of an image: channels, height, width.
        classes: how many logits it gives.

    Raises:
        HeadstartError: images that are too small for it.
    """
    channels, *size = shape
    height, width = (((side - 4) // 2 - 4) // 2 for side in size)
    if min(height, width) < 1:
        raise HeadstartError(f"images of {size[0]}×{size[1]} pixels vanish in LeNet; at least 16×16 is needed")
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, 6, kernel_size=5),
            tanh1=nn.Tanh(),
            pool2=nn.AvgPool2d(2),
            conv3=nn.Conv2d(6, 16, kernel_size=5),
            tanh3=nn.Tanh(),
            pool4=nn.AvgPool2d(2),
            conv5=nn.Conv2d(16, 120, kernel_size=(height, width)),
            tanh5=nn.Tanh(),
            flatten=nn.Flatten(),
            fc6=nn.Linear(120, 84),
            tanh6=nn.Tanh(),
            fc7=nn.Linear(84, classes),
        )
    )


def small_alexnet(shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """AlexNet (Krizhevsky et al. 2012; the widths of arXiv:1404.5997) for images from 28 pixels on; 1.1 M parameters.

    Kept: five convolutions with overlapping max-pools after the first, second and fifth, ReLU, two hidden layers with
    dropout. Changed: half the channels, an eighth of the hidden units, and a first layer of 5×5 at stride 2 in the
    place of 11×11 at stride 4, with padded pools, so that 28 pixels leave 2×2 places; larger maps are averaged to as
    many. Its weights are drawn as He et al. 2015 have it (arXiv:1502.01852): with torch's own, which shrink a signal
    from layer to layer, a small budget has ended before it learns. Left out, as torchvision does: local response
    normalisation and the division over two GPUs.

    Args:
        shape: of an image: channels, height, width.
        classes: how many logits it gives.

    Raises:
        HeadstartError: images that are too small for it.
    """
    channels, height, width = shape
    if min(height, width) < 28:
        raise HeadstartError(f"images of {height}×{width} pixels are too small for AlexNet; at least 28×28 is needed")

    def convolution(inputs: int, maps: int, size: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(inputs, maps, size, stride, padding=size // 2), nn.ReLU()]

    def hidden(inputs: int, units: int) -> list[nn.Module]:
        return [nn.Dropout(0.5), nn.Linear(inputs, units), nn.ReLU()]

    def pool() -> nn.Module:
        return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    network = nn.Sequential(
        OrderedDict(
            features=nn.Sequential(
                *convolution(channels, 32, 5, stride=2),
                pool(),
                *convolution(32, 96, 5),
                pool(),
                *convolution(96, 192, 3),
                *convolution(192, 128, 3),
                *convolution(128, 128, 3),
                pool(),
            ),
            avgpool=nn.AdaptiveAvgPool2d(2),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(*hidden(128 * 4, 512), *hidden(512, 512), nn.Linear(512, classes)),
        )
    )
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return network


class ClassicNetwork(Classifier):
    """A network of before the backbone, from random weights; a subclass says which.

    Args:
        epochs, lr, weight_decay, label_smoothing, augment: as in ``Classifier``.
    """

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        epochs: int | Mapping[int, int] = 100,
        lr: float = 2e-3,
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.0,
        augment: str | dict[str, float] | None = "auto",
    ) -> None:
        super().__init__(spec, epochs, lr, weight_decay, label_smoothing, augment)
        self.network = self.build_network()
        self.register_normalization(self.spec.mean, self.spec.std)

    def build_network(self) -> nn.Module:
        raise NotImplementedError


class LeNet(ClassicNetwork):
    """``lenet5`` from random weights."""

    def build_network(self) -> nn.Module:
        return lenet5(self.spec.shape, self.spec.num_classes)


class AlexNet(ClassicNetwork):
    """``small_alexnet`` from random weights."""

    def build_network(self) -> nn.Module:
        return small_alexnet(self.spec.shape, self.spec.num_classes)


class PlainResNet(ScratchBackbone):
    """The network of ``ScratchBackbone`` without its skip connections: the plain network of He et al. 2015.

    Depth, widths and the random weights of the same seed are the same; only the 1×1 projections on the shortcuts, 1.6 %
    of the embedded architecture's parameters, are gone with them.
    """

    def build_backbone(self, architecture: dict[str, Any]) -> nn.Module:
        return remove_skip_connections(resolve.build_backbone(architecture), architecture["name"])


def remove_skip_connections(network: nn.Module, name: str) -> nn.Module:
    """A timm ResNet whose blocks were replaced by their layers, one after another, each under the name it had.

    Args:
        name: of the network, for the error.

    Raises:
        HeadstartError: it is not built of timm's residual blocks.
    """
    from timm.models.resnet import BasicBlock, Bottleneck

    blocks = [(k, m) for k, m in network.named_modules() if isinstance(m, BasicBlock | Bottleneck)]
    if not blocks:
        raise HeadstartError(
            f"backbone.name={name}: has no residual blocks; give a ResNet, such as resnet18 or resnet50"
        )
    for place, block in blocks:
        kept = OrderedDict((k, m) for k, m in block.named_children() if k not in ("downsample", "drop_path"))
        # timm starts the last normalisation of a block at zero, which without a skip would end every signal there.
        for layer in kept.values():
            if isinstance(layer, _BatchNorm) and layer.affine:
                nn.init.ones_(layer.weight)
        network.set_submodule(place, nn.Sequential(kept))
    return network
