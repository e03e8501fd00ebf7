"""Folds in simulation: classifiers that really learn, whose trainings share images."""

import numpy as np

from headstart.compare.inference.contrast import compute_contrast, contrast_interval

CLASSES, FEATURES = 4, 10  # of the data


def predict(images: np.ndarray, labels: np.ndarray, tested: np.ndarray, luck: np.ndarray, ridge: bool) -> np.ndarray:
    """Predictions for ``tested`` of one of two classifiers, nearest centroid or ridge regression; ``luck`` is added to
    its weights."""
    targets = np.eye(CLASSES)[labels]
    if not ridge:
        centroids = targets.T @ images / targets.sum(axis=0)[:, None] + luck
        return (tested @ centroids.T - (centroids**2).sum(axis=1) / 2).argmax(axis=1)
    images, tested = (np.c_[part, np.ones(len(part))] for part in (images, tested))
    weights = np.linalg.solve(images.T @ images + np.eye(FEATURES + 1), images.T @ targets)
    weights[:FEATURES] += luck.T / 20
    return (tested @ weights).argmax(axis=1)


def fold_differences(
    rng: np.random.Generator, images: np.ndarray, labels: np.ndarray, fold: np.ndarray, budget: int, scatter: float
) -> np.ndarray:
    """One seed's difference in correctness on each image, (n,); each fold is tested by trainings on the other folds."""
    difference = np.zeros(len(labels))
    for k in range(fold.max() + 1):
        pool = np.flatnonzero(fold != k)
        chosen = np.concatenate([rng.permutation(pool[labels[pool] == c])[:budget] for c in range(CLASSES)])
        luck = scatter * rng.normal(size=(CLASSES, FEATURES))
        predictions = [
            predict(images[chosen], labels[chosen], images[fold == k], luck, ridge) for ridge in (True, False)
        ]
        right, other = (each == labels[fold == k] for each in predictions)
        difference[fold == k] = right.astype(float) - other
    return difference


def draw_images(rng: np.random.Generator, centers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(count) % CLASSES
    return centers[labels] + rng.normal(size=(count, FEATURES)), labels


def measure_folds_coverage(sweeps: int) -> list[list[str]]:
    """How often one 95 % interval of five seeds holds the expected difference on new training and test images.

    For five folds, with and without the correction for shared training images; for seeds that rotate through the folds,
    five of them and twenty; and for one split with a fifth of the images as its test.
    """
    rows = []
    for images, budget, scatter in ((200, 40, 0.3), (200, 40, 0.02), (200, 10, 0.3), (100, 20, 0.02)):
        rng = np.random.default_rng(6)
        centers = 0.45 * rng.normal(size=(CLASSES, FEATURES))

        differences = []
        for _ in range(3000):
            trained, labels = draw_images(rng, centers, CLASSES * budget)
            tested, targets = draw_images(rng, centers, 400)
            luck = scatter * rng.normal(size=(CLASSES, FEATURES))
            right, other = (np.mean(predict(trained, labels, tested, luck, r) == targets) for r in (True, False))
            differences.append(right - other)
        fold = np.arange(images) // CLASSES % 5
        intervals = []
        for _ in range(sweeps):
            photographs, labels = draw_images(rng, centers, images)
            every = np.array([fold_differences(rng, photographs, labels, fold, budget, scatter) for _ in range(20)])
            rotated, table = np.where(fold == np.arange(20)[:, None] % 5, every, np.nan), every[:5]
            contrasts = (
                compute_contrast(table, folds=5),
                compute_contrast(table),
                compute_contrast(rotated[:5], folds=5),
                compute_contrast(rotated, folds=5),
                compute_contrast(table[:, fold == 0]),
            )
            intervals.append([contrast_interval(contrast, 0.05) for contrast in contrasts])
        low, high = np.moveaxis(np.array(intervals), 2, 0)
        inside = ((low <= np.mean(differences)) & (np.mean(differences) <= high)).mean(axis=0)
        widths = (high - low).mean(axis=0) / 2
        figures = [f"{share:.1%} (±{100 * width:.1f})" for share, width in zip(inside, widths, strict=True)]
        rows.append([str(images), str(budget), f"{scatter:g}", *figures])
    return rows
