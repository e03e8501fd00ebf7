"""How alike two sets of features of the same images are: centred kernel alignment, without the bias of few images."""

from collections.abc import Callable

import torch
from torch import Tensor

from headstart.understand.statistics import Estimate, jackknife_intervals

MIN_CKA_IMAGES = 4  # images that the unbiased estimate needs
JACKKNIFE_GROUPS = 10  # that the interval leaves out, one after the other


def cka(left: Tensor, right: Tensor) -> float:
    """Debiased linear CKA: 1 for features that are equal up to rotation and scale, about 0 for independent ones.

    Kornblith et al. 2019 (arXiv:1905.00414, section 3) with the unbiased estimate of HSIC by Song et al. 2012 (JMLR 13,
    section 3.1). The usual estimate sees likeness in any two sets of features where images are few: 0.2 and more of 32.

    Args:
        left, right: float (N, D) and (N, E), a row for each of the same N ≥ 4 images.

    Returns:
        At most about 1, and below 0 by chance; NaN of fewer than 4 images, or where a side does not tell them apart.
    """
    if len(left) < MIN_CKA_IMAGES:
        return float("nan")
    k, m = _gram_matrix(left), _gram_matrix(right)
    own = _hsic(k, k) * _hsic(m, m)
    return float(_hsic(k, m) / own.sqrt()) if own > 0 else float("nan")


def biased_cka(left: Tensor, right: Tensor) -> float:
    """Linear CKA as it is usually computed, of centred features: what :func:`cka` is held against."""
    x, y = ((f.double() - f.double().mean(dim=0)) for f in (left, right))
    return float((x.T @ y).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm()))


def cka_interval(left: Tensor, right: Tensor) -> Estimate:
    """:func:`cka` and its interval over the luck of which images these are; without one below 40 of them.

    By the jackknife with a tenth of the images left out at a time (Efron and Tibshirani 1993, chapter 11): drawing
    images with replacement, as a bootstrap does, would give the same image twice and call it likeness.
    """
    middle, low, high = _jackknife_estimate(lambda some: cka(left[some], right[some]), len(left))
    return Estimate(middle, low, min(high, 1.0))


def cka_drop(first: tuple[Tensor, Tensor], last: tuple[Tensor, Tensor]) -> Estimate:
    """By how much the likeness of the first pair is above that of the last, on the same images, as :func:`likeness`."""
    return _jackknife_estimate(
        lambda some: cka(*(f[some] for f in first)) - cka(*(f[some] for f in last)), len(first[0])
    )


def _jackknife_estimate(figure: Callable[[Tensor], float], images: int) -> Estimate:
    """``figure``, which is given the positions of images, of all of them and with its interval."""
    if images < MIN_CKA_IMAGES * JACKKNIFE_GROUPS:
        return Estimate(figure(torch.arange(images)), float("nan"), float("nan"))
    (found,) = jackknife_intervals(
        lambda some: torch.tensor([figure(some)], dtype=torch.float64), images, JACKKNIFE_GROUPS
    )
    return found


def _gram_matrix(features: Tensor) -> Tensor:
    """Inner products of the centred features, double (N, N), with zeros on the diagonal."""
    x = features.double().flatten(1)
    x = x - x.mean(dim=0)
    if (spread := x.norm()) > 1e-12 * max(1.0, float(features.abs().max())):
        x = x / spread  # numbers of any size stay within what a double holds
    return (x @ x.T).fill_diagonal_(0)


def _hsic(k: Tensor, m: Tensor) -> Tensor:
    """Song et al. 2012, equation 5: of kernels with zero diagonal, without bias."""
    n = len(k)
    all_of_both = k.sum() * m.sum() / ((n - 1) * (n - 2))
    return ((k * m).sum() + all_of_both - 2 / (n - 2) * (k.sum(dim=0) @ m.sum(dim=0))) / (n * (n - 3))
