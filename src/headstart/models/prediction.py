"""What a model says of images that nobody prepared: files, their bytes, PIL images, arrays or tensors, one or many."""

import io
import operator
import os
import warnings
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from headstart.decoding import decoder as decoding
from headstart.decoding.bit_depth import PixelError
from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.networks.modes import evaluation_mode

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
    predicted_classes: list[str]
    probabilities: Tensor
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@torch.inference_mode()
def predict_images(model: "Classifier", images: Any, batch_size: int) -> Prediction:
    """Runs ``model`` in eval mode on ``images`` in batches, decoded as its training images were.

    Args:
        model: it stays as it is.
        images: one image or several. An image is a path, the bytes of a file or an open binary file, a PIL image, an
            array (H, W) or (H, W, C), or a tensor (C, H, W); several are anything that yields images in an order, an
            array (N, H, W, C) or a tensor (N, C, H, W). Values that are not uint8 are read by the depth of the
            training images.
        batch_size: images at a time.

    Raises:
        HeadstartError: an image that cannot be read, or that may be meant in two ways.
    """
    batch_size = _check_batch_size(batch_size)
    many = [*enumerate(_list_inputs(images))]
    with evaluation_mode(model):
        parts = [
            model(_decode_batch(many[i : i + batch_size], model).to(model.device)).softmax(dim=1).cpu()
            for i in range(0, len(many), batch_size)
        ]
    probabilities = torch.cat(parts) if parts else torch.empty(0, model.spec.num_classes)
    labels = probabilities.argmax(dim=1).tolist()
    names = model.spec.classes
    return Prediction(labels, [names[i] for i in labels], probabilities, names)


def _check_batch_size(batch_size: Any) -> int:
    try:
        size = 0 if isinstance(batch_size, bool) else operator.index(batch_size)
    except TypeError:
        size = 0
    if size < 1:
        raise HeadstartError(f"batch_size={batch_size}: give 1 or more images, as a whole number")
    return size


def _list_inputs(images: Any) -> list[Any]:
    if isinstance(images, Tensor):
        return list(images) if images.ndim == 4 else [images]
    if isinstance(images, np.ndarray) and images.dtype.kind in "biuf":
        return list(images) if images.ndim == 4 else [images]
    if isinstance(images, Mapping | Set):
        raise HeadstartError(f"a {type(images).__name__} of images has no order that answers could keep; give a list")
    one = isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image) or _is_binary_file(
        images
    )
    if one or not isinstance(images, Iterable):
        return [images]
    return list(images)


def _is_binary_file(image: Any) -> bool:
    return hasattr(image, "read") and hasattr(image, "seek")


def _decode_batch(images: list[tuple[int, Any]], model: "Classifier") -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow on odd metadata, or on a photograph that is merely large
        return torch.from_numpy(np.stack([_decode_input(image, model, f"images[{i}]") for i, image in images]))


def _decode_input(image: Any, model: "Classifier", name: str) -> np.ndarray:
    """One image as the model wants it, uint8 (C, H, W)."""
    channels, height, _ = model.spec.shape
    if isinstance(image, Tensor | np.ndarray):
        array = _to_channels_last(image, model.spec.shape)
        if array.dtype == np.uint8 and isinstance(image, Tensor) and tuple(image.shape) == model.spec.shape:
            return np.ascontiguousarray(array.transpose(2, 0, 1))
        try:
            image = decoding.from_array(array, model.spec.depth)
        except PixelError as error:
            raise HeadstartError(f"{name}, {_describe_array(image)}: {error}") from error
    elif isinstance(image, str | os.PathLike):
        image = expand_home(os.fsdecode(image))
    elif isinstance(image, bytes | bytearray | memoryview):
        image = bytes(image)
    elif _is_binary_file(image):
        image = _read_file(image)
    if not isinstance(image, Path | bytes | Image.Image):
        raise HeadstartError(
            f"a {type(image).__name__} is no image; give paths, bytes, binary files, PIL images, arrays or tensors"
        )
    return decoding.decode(image, height, channels, model.spec.depth, name)


def _to_channels_last(image: Tensor | np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A tensor (C, H, W) or an array (H, W) or (H, W, C) as an array (H, W) or (H, W, C).

    Raises:
        HeadstartError: it has another shape, or one that may be meant either way.
    """
    sides = tuple(image.shape)
    is_tensor = isinstance(image, Tensor)
    wanted = "(C, H, W) or (N, C, H, W)" if is_tensor else "(H, W), (H, W, C) or (N, H, W, C)"
    channels, other = (sides[0], sides[-1]) if is_tensor else (sides[-1], sides[0])
    if len(sides) != 3 or not 1 <= channels <= 4:
        if not (len(sides) == 2 and not is_tensor):
            raise HeadstartError(f"{_describe_array(image)} is no image; give {wanted}, C of 1 to 4")
    elif 1 <= other <= 4 and sides != shape:
        raise HeadstartError(
            f"{_describe_array(image)}: which of the sides holds the channels cannot be told; give a PIL image"
        )
    if isinstance(image, np.ndarray):
        return image
    try:
        values = image.detach().cpu().permute(1, 2, 0)
        return values.float().numpy() if values.is_floating_point() else values.numpy()
    except (RuntimeError, TypeError) as error:  # such as a tensor of the device "meta", which has no values
        raise HeadstartError(f"{_describe_array(image)} cannot be read; give a dense tensor on a CPU") from error


def _describe_array(image: Tensor | np.ndarray) -> str:
    kind = "a tensor" if isinstance(image, Tensor) else "an array"
    return f"{kind} of {image.dtype} {tuple(image.shape)}"


def _read_file(file: Any) -> bytes:
    """All bytes of an open binary file, which stays at the place where it is.

    Raises:
        HeadstartError: it cannot be read, or is open as text.
    """
    try:
        place = file.tell()
        file.seek(0)
        content = file.read()
        file.seek(place)
    except (OSError, ValueError, io.UnsupportedOperation) as error:
        raise HeadstartError(f"an open file cannot be read from its beginning ({error}); give its bytes") from error
    if not isinstance(content, bytes):
        raise HeadstartError("a file is open as text; open it in binary mode: open(path, 'rb')")
    return content
