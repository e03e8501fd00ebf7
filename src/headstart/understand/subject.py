"""The subject of an explanation: a network and images, as plain modules and tensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError, first_line
from headstart.networks.copying import build_untrained_copy, clone_network
from headstart.understand.run_row import RunRow

MIN_SIDE = 8  # pixels: chapters shift images by up to four
NUM_TRIAL_IMAGES = 8


@dataclass(frozen=True)
class Subject:
    """A network, reference networks, images, and a sweep's runs for claims that need several trainings.

    Args:
        name: the network's name on the page.
        network: maps normalized images, float32 (N, C, H, W), to logits, float32 (N, num_classes).
        random_network: the same architecture with random weights.
        images: normalized as the network takes them, float32 (N, C, H, W).
        pictures: the same images for display, uint8 (N, C, H, W), C of 1 or 3.
        labels: int64 (N,); None: unlabeled.
        classes: name of each class.
        train_mask: which images the network was trained on, bool (N,).
        pretrained_network: the same architecture with the weights that training began with; None: those were random.
        sweep: the finished runs of a sweep; None: no sweep was given.
        data_name: the training images' name in a sweep's runs; "": unknown.

    Example:
        >>> subject = Subject.from_network(network, images, labels)
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
    sweep: Sequence[RunRow] | None = None
    data_name: str = ""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    def held_out_indices(self, max_count: int) -> Tensor:
        """Indices of at most ``max_count`` held-out images, evenly spaced; of all images if none is held out."""
        indices = (~self.train_mask).nonzero().flatten()
        indices = indices if len(indices) else torch.arange(len(self.images))
        return indices[torch.linspace(0, len(indices) - 1, min(max_count, len(indices))).round().long()]

    def has_same_images(self, run: RunRow) -> bool:
        """Whether a sweep's run has the network's images: the same name, if known, and the same classes, if known."""
        return self.data_name in ("", run.data) and (run.classes or self.classes) == self.classes

    @classmethod
    def from_network(
        cls, network: nn.Module, images: Tensor, labels: Tensor | None = None, name: str = "network"
    ) -> "Subject":
        """A subject from any network and images that it was not trained on; its reference has random weights.

        Args:
            network: maps ``images`` to logits, float32 (N, num_classes); not changed.
            images: as the network takes them, float32 (N, C, H, W), 8×8 pixels or more.
            labels: int64 (N,), indices of outputs.
            name: the network's name on the page.

        Raises:
            HeadstartError: network, images or labels cannot be measured, or the network cannot be copied.
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


def _check_images_and_weights(network: nn.Module, images: Tensor) -> None:
    """Raises HeadstartError for weights or images that cannot be measured."""
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
    """Raises HeadstartError for labels that do not fit the images and outputs."""
    if labels.shape != (images,) or labels.dtype != torch.int64:
        kind = str(labels.dtype).removeprefix("torch.")
        raise HeadstartError(f"labels of shape {tuple(labels.shape)}, {kind}: give int64 ({images},), one an image")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= outputs:
        raise HeadstartError(
            f"labels from {low} to {high}, but the network has {outputs} outputs: give 0 to {outputs - 1}"
        )


def _compute_logits(network: nn.Module, images: Tensor) -> Tensor:
    name = type(network).__name__
    try:
        with torch.no_grad():
            outputs = network(images)
    except Exception as error:
        raise HeadstartError(f"{name} does not take images of {tuple(images.shape)}: {first_line(error)}") from error
    if not isinstance(outputs, Tensor):
        raise HeadstartError(f"{name} gives a {type(outputs).__name__}; wrap it so that it gives logits alone")
    if outputs.ndim != 2 or len(outputs) != len(images):
        raise HeadstartError(f"{name} gives {tuple(outputs.shape)} of {len(images)} images, not logits (N, classes)")
    if not outputs.isfinite().all():
        raise HeadstartError(f"{name} gives NaN or infinity for these images; normalize them as in its training")
    return outputs
