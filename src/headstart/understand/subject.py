"""What is to be understood: a network and images to show it, as plain modules and tensors."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.seeding import key


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

    @classmethod
    def of(cls, network: nn.Module, images: Tensor, labels: Tensor | None = None, name: str = "network") -> "Subject":
        """Any network with images that it was not trained on, held against itself from random weights.

        Args:
            network: gives logits, (N, num_classes), of ``images``; it stays as it is.
            images: as the network takes them, float (N, C, H, W).
            labels: int64 (N,).
            name: what you call the network.
        """
        low, high = images.amin(dim=(0, 2, 3), keepdim=True), images.amax(dim=(0, 2, 3), keepdim=True)
        pictures = ((images - low) / (high - low).clamp(min=1e-12) * 255).round().byte()
        with torch.no_grad():
            outputs = copied(network)(images[:1]).shape[1]
        return cls(
            name=name,
            network=network,
            random=untrained(network),
            images=images,
            pictures=pictures if images.shape[1] in (1, 3) else pictures[:, :1],
            labels=labels,
            classes=tuple(str(number) for number in range(outputs)),
            trained_on=torch.zeros(len(images), dtype=torch.bool),
        )


def untrained(network: nn.Module) -> nn.Module:
    """A copy from fresh random weights, by each layer's own ``reset_parameters``."""
    copy = copied(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key(0, "untrained"))  # of a stream that nobody's seed begins
        for module in copy.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
    return copy


def copied(network: nn.Module) -> nn.Module:
    """A copy to measure on, in eval mode, without hooks, all of it open to gradients; the original stays as it is."""
    copy = deepcopy(network).eval().requires_grad_(True)
    for module in copy.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks):
            hooks.clear()
        module._backward_pre_hooks.clear()
    return copy
