"""The contrast of two arms where each seed tested all images: a crossed table."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from headstart.compare.inference.group_means import compute_group_means
from headstart.compare.inference.symmetric_contrast import SymmetricContrast


@dataclass(frozen=True)
class CrossedContrast(SymmetricContrast):
    """A two-way table without replication, seeds by images, both random.

    Args:
        mean, seeds, images, seed_variance, seed_freedom: see ``SymmetricContrast``.
        mean_square_images: mean square between columns.
        mean_square_residual: mean square of the rest.
        folds: number of parts in which the images were tested.

    Example:
        >>> contrast = compute_crossed_contrast(np.array([[1.0, 0, 1], [1, 0, 0]]))
        >>> round(contrast.mean, 2), contrast.seeds
        (0.5, 2)
    """

    mean_square_images: float
    mean_square_residual: float
    folds: int = 1

    @property
    def mean_square_seeds(self) -> float:
        """Mean square between rows."""
        return self.images * self.seed_variance

    def half_width(self, alpha: float) -> float:
        return float(
            howe_half_width(
                self.seeds,
                self.images,
                self.mean_square_seeds,
                self.mean_square_images,
                self.mean_square_residual,
                alpha,
                self.folds,
                self.seed_freedom,
            )
        )


def howe_half_width(
    seeds, images, mean_square_seeds, mean_square_images, mean_square_residual, alpha, folds=1, seed_freedom=None
):
    """Computes half the width of the 1 - ``alpha`` interval of a crossed table's mean.

    Each part of the variance has the t quantile of its own degrees of freedom (Howe 1974, J. Am. Statist. Assoc.
    69:789), and the variance is at least that of the images alone. With K folds, trainings share most of their images
    and folds agree more than by chance. The images' variance is therefore multiplied by 1 + K/(K - 1), which puts
    1/K + n_test/n_train in the place of 1/K (Nadeau & Bengio 2003, Machine Learning 52:239). With one seed the images
    alone count. The mean squares may be arrays. ``seed_freedom`` None: S - 1.
    """
    overlap = 1 + folds / (folds - 1) if folds > 1 else 1.0
    within = overlap * stdtrit(images - 1, 1 - alpha / 2) ** 2
    if seeds == 1:
        return np.sqrt(within * mean_square_images / images)
    between = stdtrit(seed_freedom or seeds - 1, 1 - alpha / 2) ** 2 * mean_square_seeds
    total = between + within * np.maximum(mean_square_images - mean_square_residual, 0.0)
    return np.sqrt(np.maximum(total, within * mean_square_images) / (seeds * images))


def compute_crossed_contrast(
    table: np.ndarray, classes: np.ndarray | None = None, folds: int = 1, groups: np.ndarray | None = None
) -> CrossedContrast:
    """Computes the mean squares of a table.

    An image of class c has the weight 1/(C n_c). A rare class has the largest weights and estimates its own spread
    worst: the spread within classes is taken class by class or over all classes, whichever is larger. With one class
    these are the mean squares of the two-way table. With groups, they are those of the table of the groups' means.

    Args:
        table: float (S, n).
        classes: int (n,), which count equally; None: images do.
        folds: number of parts in which the images were tested.
        groups: int (n,); None: each image is a group of its own.

    Raises:
        ValueError: there is no spread to go by.
    """
    if groups is not None:
        table, effective = compute_group_means(table, classes, groups)
        return _compute_mean_squares(table, np.zeros(table.shape[1], dtype=np.int64), folds, effective)
    within = np.zeros(table.shape[1], dtype=np.int64) if classes is None else np.unique(classes, return_inverse=True)[1]
    return _compute_mean_squares(table, within, folds)


def _compute_mean_squares(
    table: np.ndarray, classes: np.ndarray, folds: int, effective: float | None = None
) -> CrossedContrast:
    """Computes the contrast of a table (S, n) whose columns count by class, int (n,) from 0.

    ``effective`` is the number of columns of equal weight that the table is worth; None: by the classes' weights.
    """
    seeds, images = table.shape
    if seeds < 1 or images <= classes.max(initial=0) + 1:
        raise ValueError(f"a table of {seeds} seeds and {images} images has no spread to go by")
    sizes = np.bincount(classes)
    weights = 1 / (len(sizes) * sizes[classes])
    effective_images = 1 / float((weights**2).sum())
    by_class = np.array([np.bincount(classes, row) for row in table]) / sizes
    row_means, column_means, class_means = by_class.mean(axis=1), table.mean(axis=0), by_class.mean(axis=0)
    spread = (column_means - class_means[classes]) ** 2
    residual = ((table - column_means - (by_class - class_means)[:, classes]) ** 2).sum(axis=0) / max(seeds - 1, 1)
    class_by_class = effective_images * weights**2 * sizes[classes] / np.maximum(sizes[classes] - 1, 1)
    pooled = np.full(images, 1 / (images - len(sizes)))
    shares = max(class_by_class, pooled, key=lambda share: float(share @ spread))
    scale = (effective or effective_images) / effective_images
    mean_square_images = scale * seeds * float(shares @ spread)
    return CrossedContrast(
        mean=float(row_means.mean()),
        seeds=seeds,
        images=effective or effective_images,
        seed_variance=float(row_means.var(ddof=1)) if seeds > 1 else 0.0,
        seed_freedom=seeds - 1,
        mean_square_images=mean_square_images,
        mean_square_residual=scale * float(shares @ residual) if seeds > 1 else mean_square_images,
        folds=folds,
    )
