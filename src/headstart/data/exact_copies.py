"""Exact copies that a comparison cannot use: under two labels, or on both sides of a split that a person made."""

from collections.abc import Callable, Hashable, Iterable, Iterator

import numpy as np

from headstart.data.catalog import Catalog
from headstart.errors import HeadstartError, join_with_limit

PART_PRIORITY = {"test": 0, "train": 1, "val": 2}  # of copies in two parts, the one in the first of these stays


def find_conflicting_copies(
    catalog: Catalog, content: np.ndarray, parts: np.ndarray, is_used: np.ndarray, skip_copies: bool
) -> dict[int, str]:
    """The images that are to be left out, by position, each with the reason.

    An image that stands under two labels has none. Of an image in two given parts one copy stays: the test
    part's, else the training part's; where we split ourselves, copies stay together, and none is left out.

    Args:
        catalogue: what images there are, N of them.
        content: int64 (N,), the same for exact copies.
        parts: str (N,), the given part of each, empty where the data give none.
        used: bool (N,), whether the image is of any part that is asked for.
        skip_copies: leave copies out instead of refusing them.

    Raises:
        HeadstartError: an image stands in two given parts, and copies are not to be left out.
    """
    rank = np.array([PART_PRIORITY.get(part, 0) for part in parts])
    across = list(_iter_conflicting_groups(content, rank, is_used))
    if across and not skip_copies:
        # One of each part will do: of a blank image there may be thousands.
        firsts = [group[np.unique(rank[group], return_index=True)[1]] for group in across]
        told = [" = ".join(catalog.names[i] for i in first) for first in firsts]
        raise HeadstartError(
            f"{len(across)} {'image stands' if len(across) == 1 else 'images stand'} in two parts: {join_with_limit(told)}; "
            "remove the copies from one part, or keep them out of training with data.on_copies=skip"
        )
    left_out = {}
    for group in across:
        first = group[rank[group].argmin()]
        for i in group[rank[group] > rank[first]]:
            left_out[int(i)] = f"the same image stands in {parts[first]}: {catalog.names[first]}"
    for group in _iter_conflicting_groups(content, catalog.labels, is_used):
        labels = ", ".join(catalog.classes[label] for label in np.unique(catalog.labels[group]))
        left_out |= {int(i): f"the same image stands under two labels: {labels}" for i in group}
    return left_out


def group_duplicates(items: Iterable[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """The groups of two or more items that have something in common, in the order of their first."""
    groups: dict[Hashable, list[int]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [group for group in groups.values() if len(group) > 1]


def _iter_conflicting_groups(content: np.ndarray, trait: np.ndarray, is_used: np.ndarray) -> Iterator[np.ndarray]:
    """The positions of exact copies, a group at a time, that differ in a trait (small whole numbers)."""
    if not len(content):
        return
    least = np.full(content.max() + 1, trait.max())
    most = np.full(content.max() + 1, trait.min())
    np.minimum.at(least, content[is_used], trait[is_used])
    np.maximum.at(most, content[is_used], trait[is_used])
    for k in np.flatnonzero(least < most):
        yield np.flatnonzero((content == k) & is_used)
