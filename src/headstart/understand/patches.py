"""Where units answer most, and what they see there: patches cropped by the exact receptive field."""

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.understand.receptive_field import Field

BACKGROUND = 128


def peaks(maps: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The images on which each channel answers most, and where in each: one place an image, strongest first.

    Args:
        maps: of a layer, float32 (N, K, h, w).
        count: how many images.

    Returns:
        Image, row, column, each int64 (K, count), and the answers, float32 (K, count); fewer where N is less.
    """
    highest, where = maps.flatten(2).max(dim=2)
    values, images = highest.T.topk(min(count, len(maps)), dim=1)
    places = where.T.gather(1, images)
    return images, places // maps.shape[3], places % maps.shape[3], values


def top_patches(pictures: Tensor, maps: Tensor, field: Field, count: int, size: int) -> Tensor:
    """What each channel sees where it answers most.

    Args:
        pictures: the images as one sees them, uint8 (N, C, H, W).
        maps: the layer's answers to them, float32 (N, K, h, w).
        field: of the layer.
        count: how many patches for each channel.
        size: to which they are scaled, in pixels.

    Returns:
        uint8 (K, count, C, size, size), strongest first.
    """
    images, rows, columns, _ = peaks(maps, count)
    patches = [
        fitted(cropped(pictures[image], field.box(row, column)), size)
        for image, row, column in zip(*(each.flatten().tolist() for each in (images, rows, columns)), strict=True)
    ]
    return torch.stack(patches).unflatten(0, images.shape)


def cropped(picture: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """The pixels (C, h, w) of a box (top, left, bottom, right), bottom and right not in it."""
    top, left, bottom, right = box
    return picture[:, top:bottom, left:right]


def fitted(picture: Tensor, size: int) -> Tensor:
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
