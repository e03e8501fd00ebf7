"""Inference on paths, file contents, PIL images, arrays or tensors, one or several."""

import io
import operator
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from headstart.decoding import decoder as decoding
from headstart.decoding.bit_depth import PixelError
from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.image_spec import ImageSpec


@dataclass(frozen=True)
class Prediction:
    """Predictions in the order of the images.

    Args:
        labels: index of the most probable class of each image.
        predicted_classes: name of the most probable class of each image.
        probabilities: float32 (N, num_classes), rows sum to 1.
        class_names: names of all classes, in the order of the columns.

    Example:
        >>> prediction = headstart.load("runs/…").predict(["one.jpg", "two.png"])
        >>> prediction.predicted_classes
        ['rose', 'tulip']
    """

    labels: list[int]
    predicted_classes: list[str]
    probabilities: Tensor
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@torch.inference_mode()
def predict_images(
    forward: Callable[[Tensor], Tensor],
    spec: ImageSpec,
    images: Any,
    batch_size: int,
    device: torch.device | str = "cpu",
) -> Prediction:
    """Runs ``forward`` on ``images`` in batches, decoded as the training images were.

    Args:
        forward: class scores, float (N, num_classes), of raw images, uint8 (N, C, H, W); such as a model in eval mode.
        spec: specification of the images that the model was trained on.
        images: one image or several. An image is a path, the bytes of a file or an open binary file, a PIL image, an
            array (H, W) or (H, W, C), or a tensor (C, H, W). Several images are an ordered iterable of them, an array
            (N, H, W, C) or a tensor (N, C, H, W). Values that are not uint8 are read by the depth of the training
            images.
        batch_size: number of images at a time.
        device: device on which ``forward`` runs.

    Raises:
        HeadstartError: an image cannot be read or is ambiguous, or ``batch_size`` is not a whole number of 1 or more.
    """
    batch_size = _check_batch_size(batch_size)
    inputs = [*enumerate(_list_inputs(images))]
    batches = [
        forward(_decode_batch(inputs[i : i + batch_size], spec).to(device)).softmax(dim=1).cpu()
        for i in range(0, len(inputs), batch_size)
    ]
    probabilities = torch.cat(batches) if batches else torch.empty(0, spec.num_classes)
    labels = probabilities.argmax(dim=1).tolist()
    return Prediction(labels, [spec.classes[i] for i in labels], probabilities, spec.classes)


def _check_batch_size(batch_size: Any) -> int:
    try:
        size = 0 if isinstance(batch_size, bool) else operator.index(batch_size)
    except TypeError:
        size = 0
    if size < 1:
        raise HeadstartError(f"batch_size={batch_size}: give 1 or more images, as a whole number")
    return size


def _list_inputs(images: Any) -> list[Any]:
    if isinstance(images, Tensor) or (isinstance(images, np.ndarray) and images.dtype.kind in "biuf"):
        return list(images) if images.ndim == 4 else [images]
    if isinstance(images, Mapping | Set):
        raise HeadstartError(f"a {type(images).__name__} of images has no order; give a list")
    is_single = isinstance(images, str | os.PathLike | bytes | bytearray | memoryview | Image.Image)
    if is_single or _is_binary_file(images) or not isinstance(images, Iterable):
        return [images]
    return list(images)


def _is_binary_file(image: Any) -> bool:
    return hasattr(image, "read") and hasattr(image, "seek")


def _decode_batch(images: list[tuple[int, Any]], spec: ImageSpec) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata and of large photographs
        return torch.from_numpy(np.stack([_decode_input(image, spec, f"images[{i}]") for i, image in images]))


def _decode_input(image: Any, spec: ImageSpec, name: str) -> np.ndarray:
    """One image in the model's shape, uint8 (C, H, W)."""
    channels, height, _ = spec.shape
    if isinstance(image, Tensor | np.ndarray):
        array = _to_channels_last(image, spec.shape)
        if array.dtype == np.uint8 and isinstance(image, Tensor) and tuple(image.shape) == spec.shape:
            return np.ascontiguousarray(array.transpose(2, 0, 1))
        try:
            image = decoding.from_array(array, spec.depth)
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
    return decoding.decode(image, height, channels, spec.depth, name, spec.resize)


def _to_channels_last(image: Tensor | np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """A tensor (C, H, W) or an array (H, W) or (H, W, C) as an array (H, W) or (H, W, C).

    Raises:
        HeadstartError: it has another shape, or an ambiguous one.
    """
    sides = tuple(image.shape)
    is_tensor = isinstance(image, Tensor)
    shapes = "(C, H, W) or (N, C, H, W)" if is_tensor else "(H, W), (H, W, C) or (N, H, W, C)"
    channels, other = (sides[0], sides[-1]) if is_tensor else (sides[-1], sides[0])
    if len(sides) != 3 or not 1 <= channels <= 4:
        if not (len(sides) == 2 and not is_tensor):
            raise HeadstartError(f"{_describe_array(image)} is no image; give {shapes}, C of 1 to 4")
    elif 1 <= other <= 4 and sides != shape:
        raise HeadstartError(f"{_describe_array(image)}: which side holds the channels is ambiguous; give a PIL image")
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
    """All bytes of an open binary file, whose position stays the same.

    Raises:
        HeadstartError: it cannot be read, or is open as text.
    """
    try:
        position = file.tell()
        file.seek(0)
        content = file.read()
        file.seek(position)
    except (OSError, ValueError, io.UnsupportedOperation) as error:
        raise HeadstartError(f"an open file cannot be read from its beginning ({error}); give its bytes") from error
    if not isinstance(content, bytes):
        raise HeadstartError("a file is open as text; open it in binary mode: open(path, 'rb')")
    return content
