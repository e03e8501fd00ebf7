"""Where units answer most, and what they see there: patches cropped by the exact receptive field."""

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.understand.receptive_field.fields import ReceptiveField

BACKGROUND = 128


def channel_peaks(maps: Tensor) -> Tensor:
    """The strongest answer of each channel to each image, and its place.

    Args:
        maps: of a layer, float32 (N, K, h, w), of fewer than 2²⁴ places.

    Returns:
        float32 (N, K, 2): the answer, and row·w + column.
    """
    answers, places = maps.flatten(2).max(dim=2)
    return torch.stack([answers, places.float()], dim=2)


def crop_top_patches(pictures: Tensor, peaks: Tensor, field: ReceptiveField, count: int, size: int) -> Tensor:
    """What each channel sees in the images on which it answers most: one patch an image, strongest first.

    Args:
        pictures: the images as one sees them, uint8 (N, C, H, W).
        peaks: of the layer's answers to them, as ``strongest`` gives them, (N, K, 2).
        field: of the layer.
        count: how many patches for each channel; at most N.
        size: to which they are scaled, in pixels.

    Returns:
        uint8 (K, count, C, size, size).
    """
    images = peaks[:, :, 0].topk(count, dim=0).indices.T
    places = peaks[:, :, 1].T.gather(1, images).long()
    patches = [
        fit_to_square(crop_box(pictures[image], field.box(*divmod(place, field.shape[2]))), size)
        for image, place in zip(images.flatten().tolist(), places.flatten().tolist(), strict=True)
    ]
    return torch.stack(patches).unflatten(0, images.shape)


def crop_box(picture: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """The pixels (C, h, w) of a box (top, left, bottom, right), bottom and right not in it."""
    top, left, bottom, right = box
    return picture[:, top:bottom, left:right]


def fit_to_square(picture: Tensor, size: int) -> Tensor:
    """A picture, uint8 (C, h, w), as large as a square of ``size`` pixels holds it, in its middle, the rest grey.

    What grows keeps its pixels as squares; what shrinks is averaged.
    """
    height, width = picture.shape[1:]
    most = max(height, width)
    to = max(round(size * height / most), 1), max(round(size * width / most), 1)
    how = "nearest-exact" if most <= size else "area"
    scaled = F.interpolate(picture[None].float(), size=to, mode=how)[0].round().byte()
    square = picture.new_full((len(picture), size, size), BACKGROUND)
    y, x = (size - to[0]) // 2, (size - to[1]) // 2
    square[:, y : y + to[0], x : x + to[1]] = scaled
    return square
