"""Crops the image patches with the largest response of a channel, by its exact receptive field."""

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.understand.receptive_field.fields import ReceptiveField

BACKGROUND = 128  # mid-gray


def channel_peaks(maps: Tensor) -> Tensor:
    """The largest response of each channel to each image, and its position.

    Args:
        maps: of a layer, float32 (N, K, h, w), of fewer than 2²⁴ positions.

    Returns:
        float32 (N, K, 2): the response, and row·w + column.
    """
    responses, positions = maps.flatten(2).max(dim=2)
    return torch.stack([responses, positions.float()], dim=2)


def crop_top_patches(pictures: Tensor, peaks: Tensor, field: ReceptiveField, count: int, size: int) -> Tensor:
    """The receptive field of each channel's largest response in the images with the largest responses, largest first.

    Args:
        pictures: the images for display, uint8 (N, C, H, W).
        peaks: of the layer's maps, by :func:`channel_peaks`, (N, K, 2).
        field: of the layer.
        count: of patches for each channel; at most N, one for each image.
        size: of a patch after scaling, pixels.

    Returns:
        uint8 (K, count, C, size, size).
    """
    images = peaks[:, :, 0].topk(count, dim=0).indices.T
    positions = peaks[:, :, 1].T.gather(1, images).long()
    patches = [
        fit_to_square(crop_box(pictures[image], field.box(*divmod(position, field.shape[2]))), size)
        for image, position in zip(images.flatten().tolist(), positions.flatten().tolist(), strict=True)
    ]
    return torch.stack(patches).unflatten(0, images.shape)


def crop_box(picture: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """The pixels (C, h, w) of a box (top, left, bottom, right), bottom and right exclusive."""
    top, left, bottom, right = box
    return picture[:, top:bottom, left:right]


def fit_to_square(picture: Tensor, size: int) -> Tensor:
    """A picture, uint8 (C, h, w), scaled into the middle of a gray square of ``size`` pixels.

    Enlarged pixels stay squares; a reduced picture is averaged.
    """
    mode = "nearest-exact" if max(picture.shape[1:]) <= size else "area"
    return scale_into_square(picture.float(), size, mode, BACKGROUND).round().byte()


def scale_into_square(values: Tensor, size: int, mode: str, background: float) -> Tensor:
    """Values (C, h, w), scaled into the middle of a square (C, size, size).

    Args:
        values: float.
        size: of the square, pixels.
        mode: of ``torch.nn.functional.interpolate``.
        background: value outside of the scaled values.
    """
    height, width = values.shape[1:]
    longest = max(height, width)
    scaled_size = max(round(size * height / longest), 1), max(round(size * width / longest), 1)
    scaled = F.interpolate(values[None], size=scaled_size, mode=mode)[0]
    square = values.new_full((len(values), size, size), background)
    top, left = (size - scaled_size[0]) // 2, (size - scaled_size[1]) // 2
    square[:, top : top + scaled_size[0], left : left + scaled_size[1]] = scaled
    return square
