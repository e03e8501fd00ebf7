"""The contrast of two arms where each seed tested its own part of the images: seed s tests fold s mod K."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from headstart.compare.inference.crossed_contrast import CrossedContrast, compute_crossed_contrast
from headstart.compare.inference.symmetric_contrast import SymmetricContrast

LEAST_SEED_PART = 1.0  # standard errors of the variance between seeds, were there no part of the seeds


@dataclass(frozen=True)
class RotatedContrast(SymmetricContrast):
    """Images nested in seeds, until a fold is tested again by another seed.

    The images' part of the variance is estimated within folds. The seeds' part is what is left between the seeds once
    the images' part is taken away. A part of it may come from the choice of the training images, of which K folds make
    K, however many seeds: of the mean of S seeds the seeds' part is taken as that of min(S, K) seeds. Folds share
    training images, too; classifiers that learn need no further factor in simulation (docs/error_rates.md).

    Args:
        mean, seeds, images, seed_variance, seed_freedom: see ``SymmetricContrast``.
        image_part_of_seeds: the part of ``seed_variance`` to expect from the images alone.
        image_variance: variance of the mean from the images alone.
        image_freedom: its degrees of freedom.
        folds: number of folds, K.

    Example:
        >>> table = np.array([[1.0, 0, 1, np.nan, np.nan, np.nan], [np.nan, np.nan, np.nan, 1, 0, 0]])
        >>> compute_rotated_contrast(table, None, folds=5).mean
        0.5
    """

    image_part_of_seeds: float
    image_variance: float
    image_freedom: float
    folds: int

    def half_width(self, alpha: float) -> float:
        seed_part = max(self.seed_variance - self.image_part_of_seeds, 0.0)
        seed_part /= count_training_sets(self.seeds, self.folds)
        half = rotated_half_width(seed_part, self.image_variance, self.seed_freedom, self.image_freedom, alpha)
        return float(half)


def count_training_sets(seeds: float, folds: int) -> float:
    """Counts the choices of training images that seeds make: one of each fold, however many seeds."""
    return min(seeds, folds)


def rotated_half_width(seed_part, image_part, seed_freedom, image_freedom, alpha):
    """Computes half the width of the 1 - ``alpha`` interval of a mean from both parts of its variance, which may be
    arrays.

    Each part has the t quantile of its own degrees of freedom (Howe 1974, J. Am. Statist. Assoc. 69:789). Of few seeds
    the seeds' part is often estimated as none where there is one. It counts at least as one standard error of what
    the images alone leave between seeds; with less, three seeds do not keep the level (docs/error_rates.md).
    """
    between, within = (stdtrit(freedom, 1 - alpha / 2) ** 2 for freedom in (seed_freedom, image_freedom))
    unseen = LEAST_SEED_PART * np.sqrt(2 / seed_freedom) * image_part
    return np.sqrt(within * image_part + np.maximum(between * seed_part, within * unseen))


def compute_rotated_contrast(
    table: np.ndarray, classes: np.ndarray | None, folds: int, groups: np.ndarray | None = None
) -> RotatedContrast:
    """Computes the contrast of a table in which each row tests a part of the columns.

    Args:
        table: float (S, n) of two seeds or more, NaN where a seed did not test an image. Two rows test the same images
            or none in common.
        classes: int (n,), which count equally; None: images do.
        folds: number of folds, K.
        groups: int (n,); None: each image is a group of its own.

    Raises:
        ValueError: a fold has no spread to go by.
    """
    rows_of_fold: dict[bytes, list[int]] = defaultdict(list)
    for row, is_tested in enumerate(~np.isnan(table)):
        rows_of_fold[is_tested.tobytes()].append(row)

    def compute_part(rows: list[int]) -> CrossedContrast:
        columns = ~np.isnan(table[rows[0]])
        classes_of_part, groups_of_part = (None if each is None else each[columns] for each in (classes, groups))
        return compute_crossed_contrast(table[np.ix_(rows, columns)], classes_of_part, groups=groups_of_part)

    def image_variance_of(part: CrossedContrast) -> float:
        return part.mean_square_images / (part.seeds * part.images)

    seeds = len(table)
    of_seed = [compute_part([row]) for row in range(seeds)]
    of_fold = [compute_part(rows) for rows in rows_of_fold.values()]
    image_variance = sum((part.seeds / seeds) ** 2 * image_variance_of(part) for part in of_fold)
    image_part = (sum(map(image_variance_of, of_seed)) - seeds * image_variance) / (seeds - 1)
    means = np.array([part.mean for part in of_seed])
    images = sum(part.images for part in of_fold)
    return RotatedContrast(
        mean=float(means.mean()),
        seeds=seeds,
        images=images,
        seed_variance=float(means.var(ddof=1)),
        seed_freedom=seeds - 1,
        image_part_of_seeds=image_part,
        image_variance=image_variance,
        image_freedom=images - len(of_fold),
        folds=folds,
    )
