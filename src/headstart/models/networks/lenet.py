"""LeNet-5 for any image shape."""

from collections import OrderedDict

from torch import nn

from headstart.errors import HeadstartError


def lenet5(shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """LeNet-5 (LeCun et al., Proc. IEEE 86:2278, 1998, section II.B) for any image shape from 16×16 on.

    For images of 1×32×32 and 10 classes it has the paper's layers and 61,706 parameters; its receptive fields grow 5,
    6, 14, 16, 32. For other images the kernel of the last convolution is as large as its input maps.

    Differences from the paper: average pools without weights, each map of the second convolution is connected to all
    six maps of the first, and a linear output for a cross-entropy instead of radial basis functions.

    Args:
        shape: channels, height and width of an image.
        classes: number of logits.

    Raises:
        HeadstartError: the images are too small.
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
