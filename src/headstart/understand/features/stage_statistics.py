"""Two figures by depth: how far channels go by the class of the image, and how far by how things lie in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.networks.hooks import capture_activations
from headstart.understand.features.class_selectivity import chance_selectivity_interval, class_selectivity
from headstart.understand.features.tile_shuffle import shuffle_tiles, tile_shuffle_loss
from headstart.understand.statistics import Estimate, jackknife_intervals

COARSE_TILES = 4  # tiles a side: no object stays whole


@dataclass(frozen=True)
class StageStatistics:
    """At each stage, of 1: what the class explains of a channel's answers, and what scrambling loses of them."""

    share: list[Estimate]
    share_scrambled: list[Estimate]  # of images in COARSE×COARSE tiles
    share_random: list[Estimate]
    chance: list[tuple[float, float]]
    tiles: int  # a side, into which images are cut for what is lost
    lost: list[Estimate]
    lost_random: list[Estimate]
    share_grows: Estimate  # from the first stage to the last
    share_learned: Estimate  # at the last stage, beyond the untrained network's
    share_needs_whole: Estimate  # at the last stage, beyond twice what scrambling leaves
    lost_grows: Estimate  # from the first stage to the middle one
    lost_learned: Estimate  # at the middle stage, beyond the untrained network's


def channel_means(network: nn.Module, images: Tensor, stage_names: Sequence[str]) -> dict[str, Tensor]:
    """Each channel's mean over its map, by module, float32 (N, D)."""
    return capture_activations(network, images, stage_names, transform=lambda maps: maps.mean(dim=(2, 3)))


def compute_stage_statistics(
    network: nn.Module,
    untrained: nn.Module,
    images: Tensor,
    labels: Tensor,
    trained_means: Mapping[str, Tensor],
    tiles: int,
) -> StageStatistics:
    """Both figures with 95 % intervals over images (``headstart.understand.jackknife``).

    Args:
        network, random: trained and untrained, of one architecture.
        images: as the networks take them, float32 (N, C, H, W).
        labels: int64 (N,).
        whole: by stage, what ``means`` gives for the network and these images.
        tiles: a side, into which images are cut to see what is combined.
    """
    names = list(trained_means)
    fine = shuffle_tiles(images, tiles)
    coarse_means, fine_means = (
        channel_means(network, each, names) for each in (shuffle_tiles(images, COARSE_TILES), fine)
    )
    random_means, random_fine = (channel_means(untrained, each, names) for each in (images, fine))

    def figures(of: Tensor) -> Tensor:
        share, share_coarse, share_random = (
            torch.stack([_mean_over_channels(class_selectivity(by[name][of], labels[of])) for name in names])
            for by in (trained_means, coarse_means, random_means)
        )
        gone, gone_random = (
            torch.stack([_mean_over_channels(tile_shuffle_loss(by[name][of], anew[name][of])) for name in names])
            for by, anew in ((trained_means, fine_means), (random_means, random_fine))
        )
        middle = len(names) // 2
        contrasts = [share[-1] - share[0], share[-1] - share_random[-1], share[-1] - 2 * share_coarse[-1]]
        contrasts += [gone[middle] - gone[0], gone[middle] - gone_random[middle]]
        return torch.cat([share, share_coarse, share_random, gone, gone_random, torch.stack(contrasts)])

    found = jackknife_intervals(figures, len(images))
    count = len(names)
    share, share_coarse, share_random, gone, gone_random = (found[i * count : (i + 1) * count] for i in range(5))
    chance = [chance_selectivity_interval(trained_means[name], labels) for name in names]
    return StageStatistics(share, share_coarse, share_random, chance, tiles, gone, gone_random, *found[5 * count :])


def _mean_over_channels(values: Tensor) -> Tensor:
    """The mean over channels that say anything; 0 where none does."""
    return values.nanmean().nan_to_num(0)
