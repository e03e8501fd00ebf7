"""Folds in simulation: classifiers that really learn, whose trainings share images."""

from itertools import combinations

import numpy as np

from headstart.compare.inference.contrast import compute_contrast, contrast_interval
from headstart.compare.inference.moderation import moderate_contrasts

CLASSES, FEATURES = 4, 10  # of the data
FOLDS, SEEDS = 5, 20
SMALL_PENALTY, LARGE_PENALTY = 1, 100  # of ridge regression
NEIGHBORS = 3
# Images, labels per class that train, and standard deviation of the luck of a training.
SETTINGS = ((200, 40, 0.3), (200, 40, 0.02), (200, 10, 0.3), (100, 20, 0.02), (240, 32, 0.6), (400, 10, 0.1))


def predict_all(
    rng: np.random.Generator, images: np.ndarray, labels: np.ndarray, tested: np.ndarray, scatter: float
) -> np.ndarray:
    """Predictions of four classifiers for ``tested``, int (4, n): nearest centroid, nearest neighbors, ridge regression
    with a small and with a large penalty. Luck of the standard deviation ``scatter`` is added to the centroids and to
    the weights, twice as much with the large penalty."""
    targets = np.eye(CLASSES)[labels]
    luck = scatter * rng.normal(size=(3, CLASSES, FEATURES))
    centroids = targets.T @ images / targets.sum(axis=0)[:, None] + luck[0]
    distances = ((tested[:, None] - images) ** 2).sum(axis=2)
    nearest = np.argpartition(distances, NEIGHBORS, axis=1)[:, :NEIGHBORS]
    scores = [tested @ centroids.T - (centroids**2).sum(axis=1) / 2, targets[nearest].sum(axis=1)]
    images, tested = (np.c_[part, np.ones(len(part))] for part in (images, tested))
    for penalty, own_luck in ((SMALL_PENALTY, luck[1]), (LARGE_PENALTY, 2 * luck[2])):
        weights = np.linalg.solve(images.T @ images + penalty * np.eye(FEATURES + 1), images.T @ targets)
        weights[:FEATURES] += own_luck.T / 20
        scores.append(tested @ weights)
    return np.array(scores).argmax(axis=2)


def draw_images(rng: np.random.Generator, centers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(count) % CLASSES
    return centers[labels] + rng.normal(size=(count, FEATURES)), labels


def estimate_accuracies(rng: np.random.Generator, centers: np.ndarray, budget: int, scatter: float) -> np.ndarray:
    """Expected accuracies of new trainings on new images, (4,)."""
    accuracies = []
    for _ in range(3000):
        images, labels = draw_images(rng, centers, CLASSES * budget)
        tested, targets = draw_images(rng, centers, 400)
        accuracies.append((predict_all(rng, images, labels, tested, scatter) == targets).mean(axis=1))
    return np.mean(accuracies, axis=0)


def draw_sweep(rng: np.random.Generator, centers: np.ndarray, count: int, budget: int, scatter: float) -> np.ndarray:
    """Correctness of the four classifiers, (4, S, n): the first five seeds test all folds, seed s then fold s mod 5."""
    images, labels = draw_images(rng, centers, count)
    fold = fold_of_image(count)
    correct = np.full((4, SEEDS, count), np.nan)
    for seed in range(SEEDS):
        for k in range(FOLDS) if seed < FOLDS else (seed % FOLDS,):
            pool = np.flatnonzero(fold != k)
            chosen = np.concatenate([rng.permutation(pool[labels[pool] == c])[:budget] for c in range(CLASSES)])
            predicted = predict_all(rng, images[chosen], labels[chosen], images[fold == k], scatter)
            correct[:, seed, fold == k] = predicted == labels[fold == k]
    return correct


def fold_of_image(count: int) -> np.ndarray:
    return np.arange(count) // CLASSES % FOLDS


def measure_folds_coverage(sweeps: int) -> list[list[str]]:
    """How often a 95 % interval holds the expected difference of two of four classifiers on new training and test
    images, in the mean over all pairs.

    For five folds in five seeds, with and without the correction for shared training images; for one split with a fifth
    of the images as its test; and for 3, 5, 8 and 20 seeds that rotate through the folds.
    """
    rows = []
    for count, budget, scatter in SETTINGS:
        rng = np.random.default_rng(6)
        centers = 0.45 * rng.normal(size=(CLASSES, FEATURES))
        accuracies = estimate_accuracies(rng, centers, budget, scatter)
        fold = fold_of_image(count)
        inside, widths = [], []
        for _ in range(sweeps):
            correct = draw_sweep(rng, centers, count, budget, scatter)
            every = correct[:, :FOLDS]
            rotated = np.where(fold == np.arange(SEEDS)[:, None] % FOLDS, correct, np.nan)
            tables = [(every, FOLDS), (every, 1), (every[:, :, fold == 0], 1)]
            tables += [(rotated[:, :seeds], FOLDS) for seeds in (3, 5, 8, 20)]
            results = [_judge(table, folds, accuracies) for table, folds in tables]
            inside.append([covered for covered, _ in results])
            widths.append([width for _, width in results])
        figures = zip(np.mean(inside, axis=0), np.mean(widths, axis=0), strict=True)
        cells = [f"{share:.1%} (±{100 * width:.1f})" for share, width in figures]
        rows.append([str(count), str(budget), f"{scatter:g}", *cells])
    return rows


def _judge(correct: np.ndarray, folds: int, accuracies: np.ndarray) -> tuple[float, float]:
    """The share of the six pairs whose interval holds the truth, and half of the intervals' mean width."""
    pairs = list(combinations(range(len(correct)), 2))
    contrasts = moderate_contrasts(
        {(str(i), str(j)): compute_contrast(correct[i] - correct[j], folds=folds) for i, j in pairs}
    )
    low, high = np.transpose([contrast_interval(contrast, 0.05) for contrast in contrasts.values()])
    truth = np.array([accuracies[i] - accuracies[j] for i, j in pairs])
    return float(((low <= truth) & (truth <= high)).mean()), float((high - low).mean() / 2)
