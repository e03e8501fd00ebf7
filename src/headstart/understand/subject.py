"""What is to be understood: a network and images to show it, as plain modules and tensors."""

from copy import deepcopy
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Subject:
    """A network, the same network untrained, and images.

    Args:
        name: what a person calls the network.
        network: gives logits, float32 (N, num_classes), of normalised images, float32 (N, C, H, W).
        random: the same architecture from random weights.
        images: normalised as the network takes them, float32 (N, C, H, W).
        pictures: the same images as one sees them, uint8 (N, C, H, W), C of 1 or 3.
        labels: int64 (N,); None where nobody labelled them.
        classes: a name for each class.
        trained_on: which of the images the network was trained on, bool (N,).
        pretrained: the same architecture from the weights that the training began with; None where those were random.
    """

    name: str
    network: nn.Module
    random: nn.Module
    images: Tensor
    pictures: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    trained_on: Tensor
    pretrained: nn.Module | None = None


def copied(network: nn.Module) -> nn.Module:
    """A copy to measure on, in eval mode, without hooks, all of it open to gradients; the original stays as it is."""
    copy = deepcopy(network).eval().requires_grad_(True)
    for module in copy.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks):
            hooks.clear()
        module._backward_pre_hooks.clear()
    return copy
