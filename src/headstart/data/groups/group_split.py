"""Splits images by groups: all images of a group train, or all validate, or all test."""

import warnings
from functools import lru_cache

import numpy as np

from headstart.data.catalog import Catalog
from headstart.data.exact_copies import PART_PRIORITY, iter_crossing_sets
from headstart.errors import HeadstartError
from headstart.reporting.formats import pluralize
from headstart.seeding import derive_key

TEST_FOLDS = 5  # one of them is the test part


def number_groups(catalog: Catalog, content: np.ndarray) -> np.ndarray:
    """A number for each image's group, int64 (N,), in the order of the groups' first images by content.

    Args:
        catalog: N images with groups.
        content: int64 (N,), in the order of the SHA-256.
    """
    groups = np.unique(catalog.groups, return_inverse=True)[1]
    first = np.full(groups.max() + 1, content.max() + 1)
    np.minimum.at(first, groups, content)
    return np.argsort(np.argsort(first, kind="stable"))[groups]


def find_crossing_groups(
    catalog: Catalog, groups: np.ndarray, parts: np.ndarray, is_used: np.ndarray, skip: bool
) -> dict[int, str]:
    """Images to leave out since their group stands in two given parts, by position, each with the reason.

    Such a group keeps its images in the test part, else those in the training part, as copies do.

    Args:
        catalog: the N images.
        groups: int64 (N,), the number of each image's group.
        parts: str (N,), the given part of each image; empty where the data have none.
        is_used: bool (N,), whether the image belongs to a requested part.
        skip: leave images out instead of raising an error.

    Raises:
        HeadstartError: a group stands in two given parts, and ``skip`` is false.
    """
    rank = np.array([PART_PRIORITY.get(part, 0) for part in parts])
    crossing = list(iter_crossing_sets(groups, rank, is_used))
    if crossing and not skip:
        examples = crossing[0][np.unique(rank[crossing[0]], return_index=True)[1]]
        count = "1 group stands" if len(crossing) == 1 else f"{len(crossing):,} groups stand"
        raise HeadstartError(
            f"data.group: {count} in two parts, such as {catalog.groups[examples[0]]} "
            f"({', '.join(catalog.names[i] for i in examples)}); move the images of each group into one part, or keep "
            "those of such groups out of training with data.on_copies=skip"
        )
    left_out = {}
    for members in crossing:
        part = parts[members[rank[members].argmin()]]
        for i in members[rank[members] > rank[members].min()]:
            left_out[int(i)] = f"its group stands in {part} too: {catalog.groups[i]}"
    return left_out


def select_test_groups(
    catalog: Catalog, groups: np.ndarray, content: np.ndarray, is_used: np.ndarray, folds: int | None, fold: int
) -> np.ndarray:
    """Which images test, bool (N,): a fold of whole groups, stratified by class as well as the groups allow.

    Without ``folds`` it is that of five folds whose share of each class is nearest to a fifth, among those that leave
    every class an image to train on and one to test on; there are fewer folds where none of five does.

    Args:
        catalog: the N images.
        groups: int64 (N,), numbered by content.
        content: int64 (N,), in the order of the SHA-256.
        is_used: bool (N,), whether the image may train or test.
        folds: number of parts, each of which is the test part once; None: one test part.
        fold: which of these parts is the test part.

    Raises:
        HeadstartError: a class has fewer groups than there are folds, or too few to test and to train.
    """
    used = np.flatnonzero(is_used)
    used = used[np.lexsort((groups[used], content[used]))]
    labels, members = catalog.labels[used], groups[used]
    num_groups = np.bincount(np.unique(np.stack([labels, members]), axis=1)[0])
    present = np.flatnonzero(num_groups)
    rarest = present[num_groups[present].argmin()]
    if folds and num_groups[rarest] < folds:
        raise HeadstartError(
            f"data.folds={folds}: class {catalog.classes[rarest]!r} has {pluralize(num_groups[rarest], 'group')} "
            "(data.group); give no more folds than that"
        )
    selected = np.zeros(len(is_used), dtype=bool)
    if folds:
        selected[used] = _assign_folds(labels.tobytes(), members.tobytes(), folds) == fold
        return selected
    total = np.bincount(labels)
    for count in range(min(TEST_FOLDS, len(np.unique(members)), total.max()), 1, -1):
        assigned = _assign_folds(labels.tobytes(), members.tobytes(), count)
        tested = np.array([np.bincount(labels[assigned == k], minlength=len(total)) for k in range(count)])[:, present]
        shares = tested / total[present]
        is_whole = ((tested > 0) & (tested < total[present])).all(axis=1)
        if is_whole.any():
            distance = np.where(is_whole, np.abs(shares - 1 / TEST_FOLDS).max(axis=1), np.inf)
            selected[used] = assigned == distance.argmin()
            return selected
    raise HeadstartError(
        f"data.group: class {catalog.classes[rarest]!r} has {pluralize(num_groups[rarest], 'group')}, too few to test "
        "some and to train on others; add images of other groups, or give data.group=null"
    )


def select_validation_groups(
    catalog: Catalog, groups: np.ndarray, positions: np.ndarray, share: float, limit: int, seed: int
) -> tuple[np.ndarray, str]:
    """Which images are of groups that validate, bool (N,), and why none is; the reason is empty where some are.

    Groups are taken in an order that the seed gives, as long as each brings the classes nearer to their share. Every
    class validates and trains with whole groups, at most half of its images validate, or nothing validates at all: an
    epoch that is chosen by some of the classes would be one for these classes.

    Args:
        catalog: the N images.
        groups: int64 (N,), numbered by content.
        positions: of the images outside the test part, each content once, int64 (K,).
        share: of each class that validates.
        limit: number of images per class that validate at most, except for a last group.
        seed: of the order of the groups.
    """
    num_classes = len(catalog.classes)
    numbers, members = np.unique(groups[positions], return_inverse=True)
    counts = np.zeros((len(numbers), num_classes))
    np.add.at(counts, (members, catalog.labels[positions]), 1)
    totals = counts.sum(axis=0)
    target = np.minimum(share * totals, limit)
    order = np.random.default_rng(derive_key(seed, "split groups")).permutation(len(numbers))
    chosen = np.zeros(len(numbers), dtype=bool)
    validating = np.zeros(num_classes)  # images of the groups that are chosen

    def distance(count: np.ndarray) -> float:
        return float((((target - validating - count) / totals) ** 2).sum())

    def fits(group: int) -> bool:
        return bool((2 * (validating + counts[group]) <= totals).all())

    for group in order:
        if fits(group) and distance(counts[group]) < distance(np.zeros(num_classes)):
            chosen[group] = True
            validating += counts[group]
    for label, name in enumerate(catalog.classes):
        if validating[label]:
            continue
        rest = [group for group in order if counts[group, label] and fits(group)]
        if not rest:
            reason = (
                f"nothing validates: class {name!r} has {pluralize(int((counts[:, label] > 0).sum()), 'group')} "
                "beside the test part, none with at most half of its images"
            )
            return np.zeros(len(groups), dtype=bool), reason
        nearest = min(rest, key=lambda group: distance(counts[group]))
        chosen[nearest] = True
        validating += counts[nearest]
    return np.isin(groups, numbers[chosen]), ""


def order_by_side(positions: np.ndarray, validates: np.ndarray, share: float) -> np.ndarray:
    """The images of a class in an order of which every beginning validates by about ``share``, int64 (N,).

    Budgets are beginnings of it, so that the labels of a smaller one are among those of a larger one. Where images of
    one side run out, those of the other follow.

    Args:
        positions: int64 (N,), in an order of chance.
        validates: bool (N,), whether each image is of a group that validates.
        share: between 0 and 1, both excluded.
    """
    place = np.where(validates, np.cumsum(validates) / share, np.cumsum(~validates) / (1 - share))
    return positions[np.argsort(place, kind="stable")]


@lru_cache(maxsize=16)  # a sweep asks once for each budget and seed
def _assign_folds(labels: bytes, groups: bytes, folds: int) -> np.ndarray:
    """The fold of each image, int64 (N,), by scikit-learn's greedy ``StratifiedGroupKFold``, which draws nothing.

    Args:
        labels: of an int64 array (N,).
        groups: of an int64 array (N,).
        folds: number of folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    classes, members = np.frombuffer(labels, dtype=np.int64), np.frombuffer(groups, dtype=np.int64)
    assigned = np.zeros(len(classes), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class with fewer images than folds: the caller looks at the folds
        for fold, (_, tested) in enumerate(StratifiedGroupKFold(folds).split(classes, classes, members)):
            assigned[tested] = fold
    return assigned
