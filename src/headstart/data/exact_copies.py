"""Exact copies that cannot be used: images with two labels, and images in two parts of a given split."""

from collections.abc import Callable, Hashable, Iterable, Iterator

import numpy as np

from headstart.data.catalog import Catalog
from headstart.errors import HeadstartError, join_with_limit

PART_PRIORITY = {"test": 0, "train": 1, "val": 2}  # of copies in two given parts, the one in the first of these is used


def find_conflicting_copies(
    catalog: Catalog, content: np.ndarray, parts: np.ndarray, is_used: np.ndarray, skip_copies: bool
) -> dict[int, str]:
    """Images to leave out, by position, each with the reason.

    All copies of an image with two labels are left out. Of an image in two given parts one copy is used: that of the
    test part, else that of the training part. Without given parts, copies with one label stay together: all are used.

    Args:
        catalog: the N images.
        content: int64 (N,), equal for exact copies.
        parts: str (N,), the given part of each image; empty where the data have none.
        is_used: bool (N,), whether the image belongs to a requested part.
        skip_copies: leave copies out instead of raising an error.

    Raises:
        HeadstartError: an image is in two given parts, and ``skip_copies`` is false.
    """
    rank = np.array([PART_PRIORITY.get(part, 0) for part in parts])
    crossing = list(iter_crossing_sets(content, rank, is_used))
    if crossing and not skip_copies:
        # One image of each part is named: there may be thousands of copies of a blank image.
        firsts = [group[np.unique(rank[group], return_index=True)[1]] for group in crossing]
        examples = [" = ".join(catalog.names[i] for i in first) for first in firsts]
        raise HeadstartError(
            f"{len(crossing)} {'image stands' if len(crossing) == 1 else 'images stand'} in two parts: "
            f"{join_with_limit(examples)}; "
            "remove the copies from one part, or keep them out of training with data.on_copies=skip"
        )
    left_out = {}
    for group in crossing:
        first = group[rank[group].argmin()]
        for i in group[rank[group] > rank[first]]:
            left_out[int(i)] = f"the same image stands in {parts[first]}: {catalog.names[first]}"
    for group in iter_crossing_sets(content, catalog.labels, is_used):
        labels = ", ".join(catalog.classes[label] for label in np.unique(catalog.labels[group]))
        left_out |= {int(i): f"the same image stands under two labels: {labels}" for i in group}
    return left_out


def group_duplicates(items: Iterable[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Groups of two or more items with the same key, in the order of each group's first item."""
    groups: dict[Hashable, list[int]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [group for group in groups.values() if len(group) > 1]


def iter_crossing_sets(key: np.ndarray, trait: np.ndarray, is_used: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the positions of the images of each key whose images differ in ``trait``, int64 (K,).

    Args:
        key: int64 (N,), equal for exact copies, or for the images of a group.
        trait: int64 (N,).
        is_used: bool (N,), whether the image counts.
    """
    if not len(key):
        return
    least = np.full(key.max() + 1, trait.max())
    most = np.full(key.max() + 1, trait.min())
    np.minimum.at(least, key[is_used], trait[is_used])
    np.maximum.at(most, key[is_used], trait[is_used])
    for k in np.flatnonzero(least < most):
        yield np.flatnonzero((key == k) & is_used)
