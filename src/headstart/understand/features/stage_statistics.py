"""Two figures by depth: how far channels go by the class of the image, and how far by how things lie in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.networks.stages import activations
from headstart.understand.features.class_selectivity import by_chance, class_share
from headstart.understand.features.tile_shuffle import lost, scrambled
from headstart.understand.jackknife import jackknifed
from headstart.understand.statistics import Interval

COARSE = 4  # tiles a side: no object stays whole


@dataclass(frozen=True)
class Depths:
    """At each stage, of 1: what the class explains of a channel's answers, and what scrambling loses of them."""

    share: list[Interval]
    share_scrambled: list[Interval]  # of images in COARSE×COARSE tiles
    share_random: list[Interval]
    chance: list[tuple[float, float]]
    tiles: int  # a side, into which images are cut for what is lost
    lost: list[Interval]
    lost_random: list[Interval]
    share_grows: Interval  # from the first stage to the last
    share_learned: Interval  # at the last stage, beyond the untrained network's
    share_needs_whole: Interval  # at the last stage, beyond twice what scrambling leaves
    lost_grows: Interval  # from the first stage to the middle one
    lost_learned: Interval  # at the middle stage, beyond the untrained network's


def means(network: nn.Module, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Each channel's mean over its map, by module, float32 (N, D)."""
    return activations(network, images, names, keep=lambda maps: maps.mean(dim=(2, 3)))


def measured(
    network: nn.Module,
    random: nn.Module,
    images: Tensor,
    labels: Tensor,
    whole: Mapping[str, Tensor],
    tiles: int,
) -> Depths:
    """Both figures with 95 % intervals over images (``headstart.understand.jackknife``).

    Args:
        network, random: trained and untrained, of one architecture.
        images: as the networks take them, float32 (N, C, H, W).
        labels: int64 (N,).
        whole: by stage, what ``means`` gives for the network and these images.
        tiles: a side, into which images are cut to see what is combined.
    """
    names = list(whole)
    fine = scrambled(images, tiles)
    coarse_means, fine_means = (means(network, each, names) for each in (scrambled(images, COARSE), fine))
    random_means, random_fine = (means(random, each, names) for each in (images, fine))

    def figures(of: Tensor) -> Tensor:
        share, share_coarse, share_random = (
            torch.stack([_typical(class_share(by[name][of], labels[of])) for name in names])
            for by in (whole, coarse_means, random_means)
        )
        gone, gone_random = (
            torch.stack([_typical(lost(by[name][of], anew[name][of])) for name in names])
            for by, anew in ((whole, fine_means), (random_means, random_fine))
        )
        middle = len(names) // 2
        contrasts = [share[-1] - share[0], share[-1] - share_random[-1], share[-1] - 2 * share_coarse[-1]]
        contrasts += [gone[middle] - gone[0], gone[middle] - gone_random[middle]]
        return torch.cat([share, share_coarse, share_random, gone, gone_random, torch.stack(contrasts)])

    found = jackknifed(figures, len(images))
    count = len(names)
    share, share_coarse, share_random, gone, gone_random = (found[i * count : (i + 1) * count] for i in range(5))
    chance = [by_chance(whole[name], labels) for name in names]
    return Depths(share, share_coarse, share_random, chance, tiles, gone, gone_random, *found[5 * count :])


def _typical(values: Tensor) -> Tensor:
    """The mean over channels that say anything; 0 where none does."""
    return values.nanmean().nan_to_num(0)
