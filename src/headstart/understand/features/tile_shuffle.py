"""Pictures cut into tiles and put together anew: whose answers change depends on how things lie, not on what is there.

Tiles of images are what Brendel and Bethge (ICLR 2019) shuffle to ask whether a network needs more than textures.
"""

import torch
from torch import Tensor

from headstart.seeding import derive_key


def shuffle_tiles(images: Tensor, tiles: int) -> Tensor:
    """Each image cut into ``tiles``×``tiles`` and put together in another order, its own for each image.

    Args:
        images: (N, C, H, W); where ``tiles`` does not divide a side, the pixels over stay at the bottom and right.
        tiles: a side; at least 2.

    Returns:
        (N, C, H, W), the same at every call.
    """
    count, channels, height, width = images.shape
    h, w = height // tiles, width // tiles
    cut = images[:, :, : h * tiles, : w * tiles].unflatten(2, (tiles, h)).unflatten(4, (tiles, w))
    cut = cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    draw = torch.Generator().manual_seed(derive_key(0, "tiles"))
    order = torch.rand(count, tiles * tiles, generator=draw).argsort(dim=1)
    cut = cut.gather(1, order[:, :, None, None, None].expand_as(cut)).unflatten(1, (tiles, tiles))
    whole = images.clone()
    whole[:, :, : h * tiles, : w * tiles] = cut.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, h * tiles, w * tiles)
    return whole


def tile_shuffle_loss(features: Tensor, shuffled_features: Tensor) -> Tensor:
    """How much of what tells images apart does not outlast scrambling: 1 − r², r of a feature's answers to the images
    and to the same images scrambled; a negative r counts as 0.

    Args:
        features, scrambled_features: float32 (N, D), of the same images.

    Returns:
        float64 (D,); NaN where a feature is the same for all images, whole or scrambled.
    """
    one, two = (each.double() - each.double().mean(dim=0) for each in (features, shuffled_features))
    scale = one.norm(dim=0) * two.norm(dim=0)
    silent = scale <= 1e-12 * features.double().norm(dim=0) * shuffled_features.double().norm(dim=0)
    r = (one * two).sum(dim=0) / scale
    return torch.where(silent, torch.nan, 1 - r.clamp(min=0).square())
