"""AlexNet, scaled down for small images."""

from collections import OrderedDict

from torch import nn

from headstart.errors import HeadstartError


def small_alexnet(shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """AlexNet (Krizhevsky et al. 2012; the widths of arXiv:1404.5997) for images from 28 pixels on; 1.1 M parameters.

    As in the paper: five convolutions with overlapping max-pools after the first, second and fifth, ReLU, two hidden
    layers with dropout. Changed: half the channels, an eighth of the hidden units, a first layer of 5×5 at stride 2
    instead of 11×11 at stride 4, and padded pools, so that 28 pixels leave 2×2 positions; larger maps are averaged to
    2×2. Initialization is that of He et al. 2015 (arXiv:1502.01852): with torch's default, which shrinks the signal
    from layer to layer, the network does not learn within a small budget. Left out, as in torchvision: local response
    normalization and the division over two GPUs.

    Args:
        shape: channels, height and width of an image.
        classes: number of logits.

    Raises:
        HeadstartError: the images are too small.
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
