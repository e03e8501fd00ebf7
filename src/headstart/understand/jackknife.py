"""How sure a statistic of images is that is no plain mean: it is told again without some of them, and again."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from headstart.seeding import derive_key
from headstart.understand.statistics import Estimate

NUM_GROUPS = 20


def jackknife_intervals(statistic: Callable[[Tensor], Tensor], count: int, groups: int = NUM_GROUPS) -> list[Estimate]:
    """Statistics of images with their 95 % intervals, by the jackknife over groups of images (Tukey 1958).

    Args:
        of: the statistics (S,) of some images, given by their indices, int64 (n,).
        count: of all images; drawn into groups the same way each time.
        groups: so many, or one an image where there are fewer. One image alone has no interval.
    """
    from scipy.stats import t

    whole = statistic(torch.arange(count))
    if count < 2:
        return [Estimate(each, math.nan, math.nan) for each in whole.tolist()]
    groups = min(groups, count)
    group = torch.randperm(count, generator=torch.Generator().manual_seed(derive_key(0, "groups"))) % groups
    without = torch.stack([statistic((group != each).nonzero()[:, 0]) for each in range(groups)])
    error = ((groups - 1) / groups * (without - without.mean(dim=0)).square().sum(dim=0)).sqrt()
    half = float(t.ppf(0.975, groups - 1)) * error
    ends = zip(*((whole + side * half).tolist() for side in (0, -1, 1)), strict=True)
    return [Estimate(*each) for each in ends]
