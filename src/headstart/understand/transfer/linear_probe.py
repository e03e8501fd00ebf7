"""What a linear classifier reads out of features: ridge regression on one-hot labels, cross-validated."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.hooks import BATCH_SIZE, capture_activations
from headstart.understand.statistics import Estimate, wilson_interval

MAX_FEATURES = 512  # numbers of an image that a probe sees, at most, from every stage alike
FOLDS = 5
PENALTIES = tuple(10.0**power for power in range(-3, 4))  # of standardised features, each a share of their number
NUM_PERMUTATIONS = 5
NORMAL_QUANTILE = 1.96  # standard errors on either side of a 95 % interval


def extract_stage_features(
    network: nn.Module, images: Tensor, stage_names: Sequence[str], max_features: int = MAX_FEATURES
) -> dict[str, Tensor]:
    """What each stage gives, :func:`pooled`, so that none is read better only because it has more numbers.

    Args:
        network: stays as it is.
        images: float32 (N, C, H, W), as the network takes them.
        names: of the stages (``headstart.networks.stages``).
        width: at most so many numbers an image.

    Returns:
        Name to float32 (N, at most ``width``).
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in stage_names}
    for some in images.split(BATCH_SIZE):  # a stage's whole maps of all images may not fit in memory
        for name, maps in capture_activations(network, some, stage_names).items():
            parts[name].append(reduce_maps(maps, max_features))
    return {name: torch.cat(part) for name, part in parts.items()}


def reduce_maps(maps: Tensor, max_features: int = MAX_FEATURES) -> Tensor:
    """Maps averaged within the cells of the finest square grid that leaves at most ``width`` numbers an image.

    Where there are more channels than that, their means are projected by a fixed Gaussian matrix, which keeps
    distances (Johnson and Lindenstrauss 1984).

    Args:
        maps: float32 (N, C, H, W), or (N, D).

    Returns:
        float32 (N, at most ``width``).
    """
    if maps.ndim == 4:
        cells = max(1, min(int((max_features / maps.shape[1]) ** 0.5), *maps.shape[2:]))
        maps = F.adaptive_avg_pool2d(maps, cells)
    flat = maps.flatten(1)
    if flat.shape[1] <= max_features:
        return flat
    draw = torch.Generator().manual_seed(flat.shape[1])
    return flat @ torch.randn(flat.shape[1], max_features, generator=draw) / max_features**0.5


def cross_val_probe(features: Tensor, labels: Tensor, num_folds: int = FOLDS) -> np.ndarray:
    """Which images a linear probe names right that it was not fitted on, bool (N,).

    Ridge regression of one-hot labels on standardised features, in ``folds`` parts with each class spread over them;
    of the penalties the one with the least leave-one-out error within the fitted part (Golub, Heath and Wahba 1979;
    Hastie et al. 2009, section 7.10).

    Args:
        features: float (N, D).
        labels: int64 (N,).
        folds: parts; a class with fewer images is missing from some.
    """
    x, y = features.double().numpy(), labels.numpy()
    part = _assign_folds(y, num_folds)
    right = np.zeros(len(y), dtype=bool)
    for fold in range(num_folds):
        held = part == fold
        if held.any():
            right[held] = _fit_ridge(x[~held], y[~held], x[held]) == y[held]
    return right


def chance_accuracy(features: Tensor, labels: Tensor, permutations: int = NUM_PERMUTATIONS) -> float:
    """The mean accuracy of :func:`read` where the labels are dealt anew: what a probe reads out of nothing."""
    draw = torch.Generator().manual_seed(0)
    dealt = [labels[torch.randperm(len(labels), generator=draw)] for _ in range(permutations)]
    return float(np.mean([cross_val_probe(features, some).mean() for some in dealt]))


def probe_accuracy(correct: np.ndarray) -> Estimate:
    """The share that is right and its 95 % interval (Wilson 1927), of the luck of which images these are."""
    return wilson_interval(float(correct.mean()), len(correct))


def paired_accuracy_gain(correct: np.ndarray, baseline_correct: np.ndarray) -> Estimate:
    """By how much more is right here than there, and the 95 % interval of it, image by image.

    With half an image added to each way in which two answers on one image can agree or differ (Agresti and Min 2005),
    so that two that always agree have no interval without width.

    Args:
        right, other: bool (N,), of the same images.
    """
    n = len(correct) + 2
    only, never = (correct & ~baseline_correct).sum() + 0.5, (~correct & baseline_correct).sum() + 0.5
    middle = (only - never) / n
    half = NORMAL_QUANTILE * ((only + never - (only - never) ** 2 / n) / n**2) ** 0.5
    return Estimate(float(correct.mean() - baseline_correct.mean()), float(middle - half), float(middle + half))


def _assign_folds(labels: np.ndarray, folds: int) -> np.ndarray:
    """A part for each image: those of a class go round the parts, in a fixed random order."""
    order = np.random.default_rng(0).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    part = np.empty(len(labels), dtype=int)
    part[order] = np.arange(len(labels)) % folds
    return part


def _fit_ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The classes that ridge regression on ``x`` and ``y`` gives ``new``."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    varying = spread > 1e-9 * max(float(np.abs(x).max(initial=0.0)), 1e-30)
    x, new = ((z[:, varying] - mean[varying]) / spread[varying] for z in (x, new))
    classes, codes = np.unique(y, return_inverse=True)
    wanted = np.eye(len(classes))[codes]
    level = wanted.mean(axis=0)
    values, vectors = np.linalg.eigh(x @ x.T)
    values, seen = values.clip(min=0), vectors.T @ (wanted - level)
    scale = max(1, x.shape[1])
    best, weights = np.inf, np.zeros_like(wanted)
    for penalty in PENALTIES:
        shrunk = 1 / (values + penalty * scale)
        # Of a linear smoother, the residual without an image is the residual with it over 1 minus its own weight;
        # the level is an intercept, which takes 1/n of each more.
        own = (vectors**2 @ (values * shrunk)) + 1 / len(y)
        dual = vectors @ (shrunk[:, None] * seen)
        error = float(np.mean((penalty * scale * dual / (1 - own).clip(min=1e-9)[:, None]) ** 2))
        if error < best:
            best, weights = error, dual
    return classes[(new @ (x.T @ weights) + level).argmax(axis=1)]
