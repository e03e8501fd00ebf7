"""Class selectivity and loss by tile shuffling of each stage, trained and untrained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.networks.hooks import capture_activations
from headstart.understand.features.class_selectivity import chance_selectivity_interval, class_selectivity
from headstart.understand.features.tile_shuffle import shuffle_tiles, tile_shuffle_loss
from headstart.understand.statistics import Estimate, jackknife_intervals

COARSE_TILES = 4  # along a side: no object stays whole


@dataclass(frozen=True)
class StageStatistics:
    """Means over the channels of each stage, of 1, with 95 % intervals over images.

    Args:
        share: class selectivity.
        share_scrambled: of images in ``COARSE_TILES``×``COARSE_TILES`` shuffled tiles.
        share_random: of the untrained network.
        chance: central 95 % with permuted labels.
        tiles: along a side, for what is lost.
        lost: loss by shuffling these tiles.
        lost_random: of the untrained network.
        share_grows: selectivity of the last stage minus that of the first.
        share_learned: of the last stage, minus the untrained network's.
        share_needs_whole: of the last stage, minus twice that of scrambled images.
        lost_grows: loss of the middle stage minus that of the first.
        lost_learned: of the middle stage, minus the untrained network's.

    Example:
        >>> compute_stage_statistics(network, untrained, images, labels, means, tiles=4).share[-1].value
    """

    share: list[Estimate]
    share_scrambled: list[Estimate]
    share_random: list[Estimate]
    chance: list[tuple[float, float]]
    tiles: int
    lost: list[Estimate]
    lost_random: list[Estimate]
    share_grows: Estimate
    share_learned: Estimate
    share_needs_whole: Estimate
    lost_grows: Estimate
    lost_learned: Estimate


def channel_means(network: nn.Module, images: Tensor, stage_names: Sequence[str]) -> dict[str, Tensor]:
    """Each channel's mean over its map, by stage, float32 (N, D)."""
    return capture_activations(network, images, stage_names, transform=lambda maps: maps.mean(dim=(2, 3)))


def compute_stage_statistics(
    network: nn.Module,
    untrained: nn.Module,
    images: Tensor,
    labels: Tensor,
    trained_means: Mapping[str, Tensor],
    tiles: int,
) -> StageStatistics:
    """The statistics of each stage, with intervals by the grouped jackknife over images.

    Args:
        network, untrained: of one architecture.
        images: as the networks take them, float32 (N, C, H, W).
        labels: int64 (N,).
        trained_means: by stage, :func:`channel_means` of the network and these images.
        tiles: along a side, for the loss by shuffling.
    """
    names = list(trained_means)
    fine = shuffle_tiles(images, tiles)
    coarse_means = channel_means(network, shuffle_tiles(images, COARSE_TILES), names)
    fine_means = channel_means(network, fine, names)
    random_means, random_fine_means = (channel_means(untrained, batch, names) for batch in (images, fine))

    def compute_shares(means: Mapping[str, Tensor], indices: Tensor) -> Tensor:
        shares = [class_selectivity(means[name][indices], labels[indices]) for name in names]
        return torch.stack([_mean_over_channels(share) for share in shares])

    def compute_losses(means: Mapping[str, Tensor], shuffled: Mapping[str, Tensor], indices: Tensor) -> Tensor:
        losses = [tile_shuffle_loss(means[name][indices], shuffled[name][indices]) for name in names]
        return torch.stack([_mean_over_channels(loss) for loss in losses])

    def compute_figures(indices: Tensor) -> Tensor:
        share, coarse, random = (compute_shares(m, indices) for m in (trained_means, coarse_means, random_means))
        lost = compute_losses(trained_means, fine_means, indices)
        lost_random = compute_losses(random_means, random_fine_means, indices)
        middle = len(names) // 2
        contrasts = [share[-1] - share[0], share[-1] - random[-1], share[-1] - 2 * coarse[-1]]
        contrasts += [lost[middle] - lost[0], lost[middle] - lost_random[middle]]
        return torch.cat([share, coarse, random, lost, lost_random, torch.stack(contrasts)])

    estimates = jackknife_intervals(compute_figures, len(images))
    count = len(names)
    share, coarse, random, lost, lost_random = (estimates[i * count : (i + 1) * count] for i in range(5))
    chance = [chance_selectivity_interval(trained_means[name], labels) for name in names]
    return StageStatistics(share, coarse, random, chance, tiles, lost, lost_random, *estimates[5 * count :])


def _mean_over_channels(values: Tensor) -> Tensor:
    """The mean over channels that are not NaN; 0 without any."""
    return values.nanmean().nan_to_num(0)
