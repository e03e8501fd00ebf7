"""Class selectivity: the share of a feature's variance that the class of the image explains."""

import torch
from torch import Tensor

from headstart.seeding import derive_key


def class_selectivity(features: Tensor, labels: Tensor) -> Tensor:
    """The share of each feature's variance between images that their class explains, corrected for chance.

    1 − (variance within classes) / (variance), each over its degrees of freedom: ε² of Kelley (Proc. Natl Acad. Sci.
    21:554, 1935). It is 1 for a feature that determines the class, 0 on average for an independent one, and may be
    below 0.

    Args:
        features: float32 (N, D).
        labels: int64 (N,), of at least two and fewer than N classes.

    Returns:
        float64 (D,); NaN for a feature that does not vary between images.
    """
    values = features.double()
    one_hot = torch.nn.functional.one_hot(labels.unique(return_inverse=True)[1]).double()
    means = (one_hot.T @ values) / one_hot.sum(dim=0)[:, None]
    within = (values - one_hot @ means).square().sum(dim=0) / (len(values) - one_hot.shape[1])
    total = values.var(dim=0)
    is_constant = total <= 1e-12 * values.square().mean(dim=0).clamp(min=1e-30)
    return torch.where(is_constant, torch.nan, 1 - within / total)


def chance_selectivity_interval(features: Tensor, labels: Tensor, permutations: int = 200) -> tuple[float, float]:
    """The central 95 % of the mean :func:`class_selectivity` over features with permuted labels."""
    generator = torch.Generator().manual_seed(derive_key(0, "labels"))
    means = torch.stack(
        [
            class_selectivity(features, labels[torch.randperm(len(labels), generator=generator)]).nanmean()
            for _ in range(permutations)
        ]
    )
    low, high = means.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high
