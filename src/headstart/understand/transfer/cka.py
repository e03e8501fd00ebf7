"""Centered kernel alignment (CKA) of two sets of features, debiased for few images."""

from collections.abc import Callable

import torch
from torch import Tensor

from headstart.understand.statistics import Estimate, jackknife_intervals

MIN_CKA_IMAGES = 4  # that the unbiased estimate needs
JACKKNIFE_GROUPS = 10


def cka(left: Tensor, right: Tensor) -> float:
    """Debiased linear CKA: 1 for features equal up to rotation and scale, about 0 for independent ones.

    Kornblith et al. 2019 (arXiv:1905.00414, section 3) with the unbiased estimate of HSIC by Song et al. 2012 (JMLR 13,
    section 3.1). The biased estimate is 0.2 and more for independent features of 32 images.

    Args:
        left, right: float (N, D) and (N, E), one row for each of the same images.

    Returns:
        At most about 1, below 0 by chance; NaN for fewer than 4 images or features that do not vary.
    """
    if len(left) < MIN_CKA_IMAGES:
        return float("nan")
    k, m = _gram_matrix(left), _gram_matrix(right)
    scale = _hsic(k, k) * _hsic(m, m)
    return float(_hsic(k, m) / scale.sqrt()) if scale > 0 else float("nan")


def cka_interval(left: Tensor, right: Tensor) -> Estimate:
    """:func:`cka` and its interval over images; no interval below 40 images.

    By the jackknife, a tenth of the images left out at a time (Efron and Tibshirani 1993, chapter 11). A bootstrap
    would draw images twice and count them as similarity.
    """
    estimate = _jackknife_estimate(lambda indices: cka(left[indices], right[indices]), len(left))
    return estimate._replace(high=min(estimate.high, 1.0))


def cka_drop(first: tuple[Tensor, Tensor], last: tuple[Tensor, Tensor]) -> Estimate:
    """CKA of the first pair minus CKA of the last pair on the same images, with an interval as :func:`cka_interval`."""
    return _jackknife_estimate(
        lambda indices: cka(*(side[indices] for side in first)) - cka(*(side[indices] for side in last)), len(first[0])
    )


def _jackknife_estimate(figure: Callable[[Tensor], float], num_images: int) -> Estimate:
    """A figure of images, given by their indices, and its interval."""
    if num_images < MIN_CKA_IMAGES * JACKKNIFE_GROUPS:
        return Estimate(figure(torch.arange(num_images)), float("nan"), float("nan"))
    (estimate,) = jackknife_intervals(
        lambda indices: torch.tensor([figure(indices)], dtype=torch.float64), num_images, JACKKNIFE_GROUPS
    )
    return estimate


def _gram_matrix(features: Tensor) -> Tensor:
    """Inner products of the centered features, float64 (N, N), with zeros on the diagonal."""
    x = features.double().flatten(1)
    x = x - x.mean(dim=0)
    if (spread := x.norm()) > 1e-12 * max(1.0, float(features.abs().max())):
        x = x / spread  # avoids overflow
    return (x @ x.T).fill_diagonal_(0)


def _hsic(k: Tensor, m: Tensor) -> Tensor:
    """The unbiased HSIC of two kernels with zero diagonal (Song et al. 2012, equation 5)."""
    n = len(k)
    product_of_sums = k.sum() * m.sum() / ((n - 1) * (n - 2))
    return ((k * m).sum() + product_of_sums - 2 / (n - 2) * (k.sum(dim=0) @ m.sum(dim=0))) / (n * (n - 3))
