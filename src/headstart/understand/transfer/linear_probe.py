"""Linear probes: cross-validated ridge classifiers on the features of a stage."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.hooks import CAPTURE_BATCH_SIZE, capture_activations
from headstart.understand.statistics import Estimate, wilson_interval

MAX_FEATURES = 512  # of an image for a probe, the same limit for every stage
FOLDS = 5
PENALTIES = tuple(10.0**power for power in range(-3, 4))  # for standardized features; each times their number
NUM_PERMUTATIONS = 5
NORMAL_QUANTILE = 1.96  # of 97.5 %


def extract_stage_features(
    network: nn.Module, images: Tensor, stage_names: Sequence[str], max_features: int = MAX_FEATURES
) -> dict[str, Tensor]:
    """The features of each stage, reduced to the same limit so that no stage gains by having more.

    Args:
        network: not changed.
        images: as the network takes them, float32 (N, C, H, W).
        stage_names: of the stages (``headstart.networks.stages``).
        max_features: of an image (:func:`reduce_maps`).

    Returns:
        By stage name, float32 (N, D ≤ ``max_features``).
    """
    batches: dict[str, list[Tensor]] = {name: [] for name in stage_names}
    for batch in images.split(CAPTURE_BATCH_SIZE):  # the full maps of all images may not fit in memory
        for name, maps in capture_activations(network, batch, stage_names).items():
            batches[name].append(reduce_maps(maps, max_features))
    return {name: torch.cat(features) for name, features in batches.items()}


def reduce_maps(maps: Tensor, max_features: int = MAX_FEATURES) -> Tensor:
    """Maps averaged on the finest square grid that leaves at most ``max_features`` numbers for each image.

    With more channels than that, their means are projected by a fixed Gaussian matrix, which preserves distances
    (Johnson and Lindenstrauss 1984).

    Args:
        maps: float32 (N, C, H, W) or (N, D).
        max_features: of an image.

    Returns:
        float32 (N, D ≤ ``max_features``).
    """
    if maps.ndim == 4:
        cells = max(1, min(int((max_features / maps.shape[1]) ** 0.5), *maps.shape[2:]))
        maps = F.adaptive_avg_pool2d(maps, cells)
    flat = maps.flatten(1)
    if flat.shape[1] <= max_features:
        return flat
    generator = torch.Generator().manual_seed(flat.shape[1])
    return flat @ torch.randn(flat.shape[1], max_features, generator=generator) / max_features**0.5


def cross_val_probe(features: Tensor, labels: Tensor, num_folds: int = FOLDS) -> np.ndarray:
    """Which images a linear probe classifies correctly in cross-validation, bool (N,).

    The probe is a ridge classifier on standardized features. Its penalty has the least leave-one-out error within the
    training folds (Golub, Heath and Wahba 1979; Hastie et al. 2009, section 7.10).

    Args:
        features: float (N, D).
        labels: int64 (N,).
        num_folds: stratified by class; a class with fewer images is missing from some.
    """
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = features.double().numpy(), labels.numpy()
    x = x[:, x.std(axis=0) > 1e-9 * max(float(np.abs(x).max(initial=0.0)), 1e-30)]
    if not x.shape[1]:
        x = np.zeros((len(y), 1))
    probe = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.array(PENALTIES) * x.shape[1]))
    folds = PredefinedSplit(assign_folds(y, num_folds))
    return np.asarray(cross_val_predict(probe, x, y, cv=folds) == y)


def chance_accuracy(features: Tensor, labels: Tensor, permutations: int = NUM_PERMUTATIONS) -> float:
    """The mean accuracy of :func:`cross_val_probe` with permuted labels."""
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(labels), generator=generator) for _ in range(permutations)]
    return float(np.mean([cross_val_probe(features, labels[order]).mean() for order in orders]))


def probe_accuracy(correct: np.ndarray) -> Estimate:
    """The share of correct images and its 95 % interval over images (Wilson 1927)."""
    return wilson_interval(float(correct.mean()), len(correct))


def paired_accuracy_gain(correct: np.ndarray, baseline_correct: np.ndarray) -> Estimate:
    """The difference of two accuracies and its 95 % interval, paired by image.

    With half an image added to each outcome of a pair (Agresti and Min 2005), so that two probes that always agree
    have an interval too.

    Args:
        correct, baseline_correct: bool (N,), of the same images.
    """
    n = len(correct) + 2
    wins, losses = (correct & ~baseline_correct).sum() + 0.5, (~correct & baseline_correct).sum() + 0.5
    center = (wins - losses) / n
    half = NORMAL_QUANTILE * ((wins + losses - (wins - losses) ** 2 / n) / n**2) ** 0.5
    return Estimate(float(correct.mean() - baseline_correct.mean()), float(center - half), float(center + half))


def assign_folds(labels: np.ndarray, num_folds: int) -> np.ndarray:
    """The fold of each image, int64 (N,): the images of a class in turn, in a fixed random order."""
    order = np.random.default_rng(0).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=int)
    fold[order] = np.arange(len(labels)) % num_folds
    return fold
