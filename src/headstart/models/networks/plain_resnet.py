"""A ResNet without its skip connections."""

from collections import OrderedDict

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.errors import HeadstartError


def remove_skip_connections(network: nn.Module, name: str) -> nn.Module:
    """Replaces each residual block of a timm ResNet by a sequence of its layers, under the same names.

    Args:
        network: changed in place.
        name: name of the network, for the error.

    Raises:
        HeadstartError: it has no residual blocks of timm.
    """
    from timm.models.resnet import BasicBlock, Bottleneck

    blocks = [(k, m) for k, m in network.named_modules() if isinstance(m, BasicBlock | Bottleneck)]
    if not blocks:
        raise HeadstartError(
            f"backbone.name={name}: has no residual blocks; give a ResNet, such as resnet18 or resnet50"
        )
    for block_name, block in blocks:
        layers = OrderedDict((k, m) for k, m in block.named_children() if k not in ("downsample", "drop_path"))
        # timm initializes the last normalization of a block with zero: without a skip, no signal would pass.
        for layer in layers.values():
            if isinstance(layer, _BatchNorm) and layer.affine:
                nn.init.ones_(layer.weight)
        network.set_submodule(block_name, nn.Sequential(layers))
    return network
