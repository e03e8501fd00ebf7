"""Shuffles the tiles of images and measures what a feature loses by it.

A feature that changes depends on the arrangement of the image, not only on its parts (Brendel and Bethge, ICLR 2019).
"""

import torch
from torch import Tensor

from headstart.seeding import derive_key


def shuffle_tiles(images: Tensor, tiles: int) -> Tensor:
    """Each image with its ``tiles``×``tiles`` tiles in a random order of its own.

    Args:
        images: (N, C, H, W). If ``tiles`` does not divide a side, the remaining pixels at the bottom and right stay.
        tiles: along a side; at least 2.

    Returns:
        (N, C, H, W), the same at every call.
    """
    count, channels, height, width = images.shape
    h, w = height // tiles, width // tiles
    grid = images[:, :, : h * tiles, : w * tiles].unflatten(2, (tiles, h)).unflatten(4, (tiles, w))
    grid = grid.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    generator = torch.Generator().manual_seed(derive_key(0, "tiles"))
    order = torch.rand(count, tiles * tiles, generator=generator).argsort(dim=1)
    grid = grid.gather(1, order[:, :, None, None, None].expand_as(grid)).unflatten(1, (tiles, tiles))
    shuffled = images.clone()
    shuffled[:, :, : h * tiles, : w * tiles] = grid.permute(0, 3, 1, 4, 2, 5).reshape(
        count, channels, h * tiles, w * tiles
    )
    return shuffled


def tile_shuffle_loss(features: Tensor, shuffled_features: Tensor) -> Tensor:
    """The share of a feature's variance between images that tile shuffling removes.

    It is 1 − r², where r is the correlation over images of the feature with and without shuffling; a negative r counts
    as 0.

    Args:
        features, shuffled_features: float32 (N, D), of the same images.

    Returns:
        float64 (D,); NaN for a feature that does not vary between images, with or without shuffling.
    """
    x, y = features.double(), shuffled_features.double()
    x_centered, y_centered = x - x.mean(dim=0), y - y.mean(dim=0)
    scale = x_centered.norm(dim=0) * y_centered.norm(dim=0)
    is_constant = scale <= 1e-12 * x.norm(dim=0) * y.norm(dim=0)
    r = (x_centered * y_centered).sum(dim=0) / scale
    return torch.where(is_constant, torch.nan, 1 - r.clamp(min=0).square())
