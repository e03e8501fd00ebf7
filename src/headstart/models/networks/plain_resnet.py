"""A ResNet without its skip connections."""

from collections import OrderedDict

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.errors import HeadstartError


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
