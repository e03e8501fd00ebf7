"""What a model says of images that nobody prepared: paths, PIL images or tensors, one or many."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from headstart import images as decoding
from headstart.errors import HeadstartError
from headstart.modes import evaluation_mode

if TYPE_CHECKING:
    from headstart.models.classifier import Classifier


@dataclass(frozen=True)
class Prediction:
    """Answers in the order of the images.

    Args:
        labels: the likeliest class of each image, as a number.
        classes: the same by name.
        probabilities: float32 (N, num_classes), rows sum to 1.
        names: names of all classes, in the order of the columns.
    """

    labels: list[int]
    classes: list[str]
    probabilities: Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@torch.inference_mode()
def predict(model: "Classifier", images: Any, batch_size: int) -> Prediction:
    """Runs ``model`` in eval mode on ``images`` in batches, decoded as its training images were.

    Raises:
        HeadstartError: an image that cannot be read, or a tensor that is not uint8 (C, H, W).
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise HeadstartError(f"batch_size={batch_size}: give 1 or more images")
    many = _listed(images)
    with evaluation_mode(model):
        parts = [
            model(_batch(many[i : i + batch_size], model).to(model.device)).softmax(dim=1).cpu()
            for i in range(0, len(many), batch_size)
        ]
    probabilities = torch.cat(parts) if parts else torch.empty(0, model.spec.num_classes)
    labels = probabilities.argmax(dim=1).tolist()
    names = model.spec.classes
    return Prediction(labels, [names[i] for i in labels], probabilities, names)


def _listed(images: Any) -> list[Any]:
    if isinstance(images, Tensor):
        return list(images) if images.ndim == 4 else [images]
    if isinstance(images, str | Path) or not isinstance(images, Iterable):
        return [images]
    return list(images)


def _batch(images: list[Any], model: "Classifier") -> Tensor:
    return torch.from_numpy(np.stack([_raw(image, model) for image in images]))


def _raw(image: Any, model: "Classifier") -> np.ndarray:
    channels, height, _ = model.spec.shape
    if isinstance(image, Tensor):
        if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] > 4:
            raise HeadstartError(
                f"a tensor of {image.dtype} {tuple(image.shape)} is no image; give uint8 (C, H, W) or (N, C, H, W)"
            )
        if tuple(image.shape) == model.spec.shape:
            return image.numpy()
        array = image.permute(1, 2, 0).numpy()
        image = decoding.from_array(array)
    if not isinstance(image, str | Path | Image.Image):
        raise HeadstartError(f"a {type(image).__name__} is no image; give paths, PIL images or uint8 tensors")
    return decoding.decode(image, height, channels)
