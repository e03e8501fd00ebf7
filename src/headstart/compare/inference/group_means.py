"""A table of images becomes one of groups: what a group adds to the mean."""

import numpy as np


def compute_group_means(table: np.ndarray, classes: np.ndarray | None, groups: np.ndarray) -> tuple[np.ndarray, float]:
    """Turns the columns of a table into groups, so that the mean of a row stays what it is.

    The value of a group is the row's mean plus what the group's images deviate from it, as a share of all images: the
    linearized ratio estimator of cluster samples (Cochran 1977, Sampling Techniques, section 6.8).

    Args:
        table: float (S, n).
        classes: int (n,): an image's deviation is that from its class, and classes count equally; None: one class.
        groups: int (n,).

    Returns:
        The values, float (S, G), and the effective number of groups of equal size (Kish 1965, Survey Sampling).

    Raises:
        ValueError: there are no two groups.
    """
    within = np.zeros(table.shape[1], dtype=np.int64) if classes is None else np.unique(classes, return_inverse=True)[1]
    members = np.unique(groups, return_inverse=True)[1]
    num_groups = int(members.max(initial=-1)) + 1
    if num_groups < 2:
        raise ValueError("images of one group have no spread to go by")
    sizes = np.bincount(within)
    weights = 1 / (len(sizes) * sizes[within])
    by_class = np.array([np.bincount(within, row) for row in table]) / sizes
    deviations = weights * (table - by_class[:, within])
    sums = np.array([np.bincount(members, row, num_groups) for row in deviations])
    shares = np.bincount(members, weights)
    return by_class.mean(axis=1, keepdims=True) + num_groups * sums, 1 / float((shares**2).sum())
