"""What is to be understood: a network and images to show it, as plain modules and tensors."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from headstart.errors import HeadstartError
from headstart.seeding import derive_key

MIN_SIDE = 8  # pixels along a side: pictures are moved by up to four
NUM_TRIAL_IMAGES = 8  # images that a network is tried on
HOOK_ATTRIBUTES = (
    "_forward_hooks", "_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs", "_backward_hooks", "_backward_pre_hooks",
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A network, the same network untrained, images, and the runs of a sweep for what takes many trainings.

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
        sweep: a dict a run, with the keys of its ``result.json``; None where no sweep was given.
        data: what a sweep's runs call the images that trained the network; "" where nobody knows.
    """

    name: str
    network: nn.Module
    random_network: nn.Module
    images: Tensor
    pictures: Tensor
    labels: Tensor | None
    classes: tuple[str, ...]
    train_mask: Tensor
    pretrained_network: nn.Module | None = None
    sweep: Sequence[dict[str, Any]] | None = None
    data_name: str = ""

    def has_same_images(self, run: dict[str, Any]) -> bool:
        """Whether nothing says that a sweep's run is of other images than the network: neither their name nor their
        classes, as far as both are known."""
        return self.data_name in ("", run["data"]) and tuple(run.get("classes") or self.classes) == self.classes

    @classmethod
    def from_network(
        cls, network: nn.Module, images: Tensor, labels: Tensor | None = None, name: str = "network"
    ) -> "Subject":
        """Any network with images that it was not trained on, held against itself from random weights.

        Args:
            network: gives logits, float32 (N, num_classes), of ``images``; it stays as it is.
            images: as the network takes them, float32 (N, C, H, W), of 8×8 pixels or more.
            labels: int64 (N,), each a number of an output.
            name: what you call the network.

        Raises:
            HeadstartError: network, images or labels are none that can be measured, or the network cannot be copied.
        """
        _check_images_and_weights(network, images)
        outputs = _compute_logits(clone_network(network), images[:NUM_TRIAL_IMAGES]).shape[1]
        if labels is not None:
            _check_labels(labels, len(images), outputs)
        low, high = images.amin(dim=(0, 2, 3), keepdim=True), images.amax(dim=(0, 2, 3), keepdim=True)
        pictures = ((images - low) / (high - low).clamp(min=1e-12) * 255).round().byte()
        return cls(
            name=name,
            network=network,
            random_network=build_untrained_copy(network),
            images=images,
            pictures=pictures if images.shape[1] in (1, 3) else pictures[:, :1],
            labels=labels,
            classes=tuple(str(number) for number in range(outputs)),
            train_mask=torch.zeros(len(images), dtype=torch.bool),
        )


def build_untrained_copy(network: nn.Module) -> nn.Module:
    """A copy from fresh random weights, by each layer's own ``reset_parameters``.

    What no such method reaches (a class token, a layer's scale, which blocks hold themselves) is drawn anew here: as
    normal numbers of the trained ones' root mean square; along one dimension 0 for a bias, 1 for a scale.

    Raises:
        HeadstartError: ``copied`` raises it.
    """
    copy = clone_network(network)
    trained = {name: (each, each._version, each.detach().clone()) for name, each in copy.named_parameters()}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(derive_key(0, "untrained"))  # of a stream that nobody's seed begins
        for module in copy.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
        for name, weights in copy.named_parameters():
            each, version, values = trained[name]
            if weights is each and weights._version == version and torch.equal(weights, values):
                _reinitialize_parameter(weights, name)
    return copy


def _reinitialize_parameter(weights: nn.Parameter, name: str) -> None:
    if weights.ndim > 1:
        weights.normal_(std=float(weights.square().mean().sqrt()))
    else:
        weights.fill_(0.0 if name.endswith(("bias", "beta")) else 1.0)


def clone_network(network: nn.Module) -> nn.Module:
    """A copy to measure on, in eval mode, without hooks, all of it open to gradients; the original stays as it is.

    The hooks by which torch's own weight and spectral normalisation compute a weight are part of the network and stay.

    Raises:
        HeadstartError: something in the network cannot be copied, or is TorchScript.
    """
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        called = type(network).__name__
        raise HeadstartError(f"{called} holds TorchScript, which cannot be measured: give the modules it was made of")
    held = (each for module in network.modules() for each in (*vars(module).values(), *module._buffers.values()))
    # Python copies no tensor that others were computed into, such as a normalised weight: its values do.
    memo = {id(each): each.detach().clone() for each in held if isinstance(each, Tensor) and each.grad_fn is not None}
    try:
        copy = deepcopy(network, memo).eval().requires_grad_(True)
    except Exception as error:
        raise HeadstartError(
            f"{type(network).__name__} cannot be copied to be measured: {_first_line(error)}"
        ) from error
    for module in copy.modules():
        before = module._forward_pre_hooks
        own = {each: hook for each, hook in before.items() if isinstance(hook, WeightNorm | SpectralNorm)}
        for hooks in HOOK_ATTRIBUTES:
            getattr(module, hooks).clear()
        before.update(own)
    return copy


def _check_images_and_weights(network: nn.Module, images: Tensor) -> None:
    """Raises HeadstartError where weights or images are none that can be measured."""
    if images.ndim != 4 or len(images) == 0:
        raise HeadstartError(f"images of shape {tuple(images.shape)} are none: give (N, C, H, W), one or more")
    if min(images.shape[2:]) < MIN_SIDE:
        side = f"{images.shape[2]}×{images.shape[3]}"
        raise HeadstartError(f"images of {side} pixels are too small to measure on: give {MIN_SIDE}×{MIN_SIDE} or more")
    for name, values in [("the images", images), *network.named_parameters(), *network.named_buffers()]:
        if values.dtype != torch.float32 and (values.is_floating_point() or values is images):
            kind = str(values.dtype).removeprefix("torch.")
            raise HeadstartError(f"{name}: {kind} is not measured; give network.float() and images.float()")
        if not values.isfinite().all():
            raise HeadstartError(f"{name}: holds NaN or infinity; give a network and images of finite numbers")


def _check_labels(labels: Tensor, images: int, outputs: int) -> None:
    """Raises HeadstartError where labels are none of these images and outputs."""
    if labels.shape != (images,) or labels.dtype != torch.int64:
        kind = str(labels.dtype).removeprefix("torch.")
        raise HeadstartError(f"labels of shape {tuple(labels.shape)}, {kind}: give int64 ({images},), one an image")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= outputs:
        raise HeadstartError(
            f"labels from {low} to {high}, but the network has {outputs} outputs: give 0 to {outputs - 1}"
        )


def _compute_logits(network: nn.Module, images: Tensor) -> Tensor:
    called = type(network).__name__
    try:
        with torch.no_grad():
            outputs = network(images)
    except Exception as error:
        raise HeadstartError(f"{called} does not take images of {tuple(images.shape)}: {_first_line(error)}") from error
    if not isinstance(outputs, Tensor):
        raise HeadstartError(f"{called} gives a {type(outputs).__name__}; wrap it so that it gives logits alone")
    if outputs.ndim != 2 or len(outputs) != len(images):
        raise HeadstartError(f"{called} gives {tuple(outputs.shape)} of {len(images)} images, not logits (N, classes)")
    if not outputs.isfinite().all():
        raise HeadstartError(f"{called} gives NaN or infinity for these images; normalise them as in its training")
    return outputs


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
