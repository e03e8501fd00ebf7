"""Splits images into training, validation and test part by content, seed and budget; smaller budgets are nested."""

from dataclasses import dataclass, field
from itertools import count, takewhile

import numpy as np

from headstart.data.catalog import Catalog
from headstart.data.exact_copies import find_conflicting_copies
from headstart.data.groups.group_split import (
    find_crossing_groups,
    number_groups,
    order_by_side,
    select_test_groups,
    select_validation_groups,
)
from headstart.errors import HeadstartError
from headstart.reporting.formats import pluralize
from headstart.seeding import derive_key

TEST_SHARE = 0.2
MIN_LABELS_TO_VALIDATE = 20  # labels per class; with fewer, too few images would validate to choose by
MAX_VALIDATION = 500  # images per class; more would choose no better and train worse
SMALLEST_BUDGET, MAX_BUDGETS = 5, 3


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Positions in the catalog of the images that train, validate and test.

    Args:
        catalog: the images.
        train: int64 (N,).
        val: int64 (M,); empty for no validation.
        test: int64 (K,).
        skipped: (name, reason) of images that no budget may use.
        notes: which images were left out for their groups, in one line.
        no_validation: why no group validates at a budget that is large enough; else empty.
    """

    catalog: Catalog
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    skipped: list[tuple[str, str]]
    notes: list[str] = field(default_factory=list)
    no_validation: str = ""

    def rows(self) -> list[dict[str, str]]:
        """Name, SHA-256, class, part and, where there are groups, group of each image used, part by part."""
        c = self.catalog
        return [
            {"image": c.names[i], "sha256": c.digests[i], "class": c.classes[c.labels[i]], "part": part}
            | ({"group": c.groups[i]} if c.groups else {})
            for part, positions in (("train", self.train), ("val", self.val), ("test", self.test))
            for i in positions
        ]


@dataclass(frozen=True, eq=False)
class LabelPool:
    """The images of a class outside the test part, ordered by content.

    Args:
        name: the class.
        train: positions in the catalog of the images to train on (and to validate on, without given ones), int64 (N,).
        val: positions of the images of a given validation part, int64 (M,).
    """

    name: str
    train: np.ndarray
    val: np.ndarray

    def can_fill(self, budget: int) -> bool:
        """Whether the class has this number of labels for training and validation."""
        return budget <= len(self.train) + (len(self.val) if budget >= MIN_LABELS_TO_VALIDATE else 0)

    @property
    def largest_budget(self) -> int:
        """The largest number of labels that the class has for training and validation."""
        total = len(self.train) + len(self.val)
        return total if self.can_fill(total) else len(self.train)


@dataclass(frozen=True, eq=False)
class _TestSplit:
    """The test part and the rest.

    Args:
        test: positions of the test images, int64 (K,).
        pools: the other images of each class.
        skipped: (name, reason) of images left out.
        groups: number of each image's group, int64 (N,); None without groups.
        notes: which images were left out for their groups, in one line.
    """

    test: np.ndarray
    pools: list[LabelPool]
    skipped: list[tuple[str, str]]
    groups: np.ndarray | None
    notes: list[str]


def make_split(
    catalog: Catalog,
    test: str | None,
    budget: int | None,
    validation: float,
    seed: int,
    skip_copies: bool = False,
    folds: int | None = None,
    fold: int = 0,
) -> Split:
    """The split of a seed and a budget. The labels of a smaller budget are among those of a larger one.

    Where the images have groups, each group is in one part: whole groups test and validate.

    Args:
        catalog: the images.
        test: the given part that is the sealed test; None: ``test`` where there is one, else 20 % by content.
        budget: labels per class, training and validation together; None: all.
        validation: share of the budget that validates; 0: none.
        seed: which images have a label.
        skip_copies: leave copies in two given parts out of training instead of raising an error.
        folds: number of parts of equal size, each of which is the test part once; None: the test part is 20 %.
        fold: which of these parts is the test part.

    Raises:
        HeadstartError: there is no such part, ``folds`` are given for data with a test part, an image is in two given
            parts, a class has no training image, or the budget is larger than a class; a group is in two given parts,
            or a class has too few groups.
    """
    sealed = _split_off_test(catalog, test, validation, skip_copies, folds, fold)
    pools = sealed.pools
    if budget is not None and not all(pool.can_fill(budget) for pool in pools):
        rarest = min(pools, key=lambda pool: pool.largest_budget)
        raise HeadstartError(
            f"data.labels_per_class={budget}: class {rarest.name!r} has {rarest.largest_budget} images beside "
            f"the test part; the largest budget that fits is {rarest.largest_budget}"
        )
    labels = budget if budget is not None else np.mean([len(pool.train) + len(pool.val) for pool in pools])
    share = validation if labels >= MIN_LABELS_TO_VALIDATE else 0.0
    validates, reason = None, ""
    if sealed.groups is not None and validation and not any(len(pool.val) for pool in pools):
        rest = np.concatenate([pool.train for pool in pools])
        validates, reason = select_validation_groups(catalog, sealed.groups, rest, validation, MAX_VALIDATION, seed)
    drawn = []
    for label, pool in enumerate(pools):
        if sealed.groups is None or len(pool.val):
            drawn.append(_sample_labels(pool, budget, share, seed, label))
        else:
            drawn.append(_sample_labels_of_groups(pool, budget, validates, validation, share > 0, seed, label))
    train, val = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return Split(catalog, train, val, sealed.test, sealed.skipped, sealed.notes, reason if share else "")


def make_whole_split(catalog: Catalog) -> Split:
    """The split that holds nothing out: every image trains, whatever part the data give it.

    Nothing validates or tests. One of each class's exact copies is used, and no image that stands under two labels.

    Raises:
        HeadstartError: a class has no image left.
    """
    content = _number_contents(catalog)
    everything = np.ones(len(content), dtype=bool)
    left_out = find_conflicting_copies(catalog, content, np.full(len(content), ""), everything, skip_copies=True)
    rest = np.array([i for i in np.lexsort((np.array(catalog.names), content)) if i not in left_out], dtype=np.int64)
    rest = rest[np.unique(content[rest], return_index=True)[1]]
    _require_images({name: rest[catalog.labels[rest] == label] for label, name in enumerate(catalog.classes)})
    return Split(catalog, rest, rest[:0], rest[:0], _list_skipped(catalog, left_out))


def list_budgets(
    catalog: Catalog, test: str | None, validation: float, skip_copies: bool, folds: int | None
) -> list[int]:
    """The first three of 5, 10, 20, 40, … that the rarest class has enough images for, whichever fold is the test part.

    The arguments are those of :func:`make_split`.
    """
    pools = [
        pool
        for fold in range(folds or 1)
        for pool in _split_off_test(catalog, test, validation, skip_copies, folds, fold).pools
    ]
    most = min(pool.largest_budget for pool in pools)
    budgets = takewhile(lambda k: k <= most, (SMALLEST_BUDGET * 2**n for n in count()))
    return [k for k in budgets if all(pool.can_fill(k) for pool in pools)][:MAX_BUDGETS]


def _split_off_test(
    catalog: Catalog,
    test: str | None,
    validation: float,
    skip_copies: bool,
    folds: int | None,
    fold: int,
) -> _TestSplit:
    if test is None and "test" in catalog.parts:
        test = "test"
    if test and folds:
        raise HeadstartError(f"data.folds={folds}: the data bring a {test} part; give data.folds=null, or no such part")
    content = _number_contents(catalog)
    is_test = _part_mask(catalog, test) if test else np.zeros(len(content), dtype=bool)
    is_used = is_test | (catalog.parts != "test")  # a given test part that is not the requested one does not train
    parts = np.where(is_test, "test", catalog.parts)
    left_out = find_conflicting_copies(catalog, content, parts, is_used, skip_copies)
    is_used[list(left_out)] = False
    groups, notes = None, []
    if catalog.groups:
        groups = number_groups(catalog, content)
        crossing = find_crossing_groups(catalog, groups, parts, is_used, skip_copies)
        is_used[list(crossing)] = False
        left_out |= crossing
        if crossing:
            count = len({catalog.groups[i] for i in crossing})
            notes.append(
                f"{pluralize(len(crossing), 'image')} of {pluralize(count, 'group')} left out: these groups stand in "
                f"two parts ({catalog.names[min(crossing)]}, …)"
            )
    if test:
        is_test &= is_used
        if not is_test.any():
            raise HeadstartError(f"each image of the {test} part stands under two labels; give them one, or add images")
    elif groups is not None:
        is_test = select_test_groups(catalog, groups, content, is_used, folds, fold)
    else:
        is_test = is_used & np.isin(content, _select_test(catalog, content, is_used, folds, fold))
    rest = np.flatnonzero(is_used & ~is_test)
    validates = (catalog.parts[rest] == "val") & (test not in ("val", "train"))
    order = np.lexsort((np.array(catalog.names)[rest], validates, content[rest]))
    rest, validates = rest[order], validates[order]
    pools = []
    for label, name in enumerate(catalog.classes):
        members = np.flatnonzero(catalog.labels[rest] == label)
        # One of each class's exact copies is used, so that no copy trains while another validates.
        members = members[np.unique(content[rest[members]], return_index=True)[1]]
        given = rest[members[validates[members]]] if validation else rest[:0]
        pools.append(LabelPool(name, rest[members[~validates[members]]], given))
    _require_images({pool.name: pool.train for pool in pools})
    return _TestSplit(np.flatnonzero(is_test), pools, _list_skipped(catalog, left_out), groups, notes)


def _number_contents(catalog: Catalog) -> np.ndarray:
    """A number for each image, int64 (N,): equal for exact copies, in the order of the SHA-256."""
    return np.unique(catalog.content_ids or catalog.digests, return_inverse=True)[1]


def _require_images(classes: dict[str, np.ndarray]) -> None:
    if untrainable := [name for name, positions in classes.items() if not len(positions)]:
        raise HeadstartError(
            f"class {', '.join(map(repr, untrainable))} has no image left to train on beside the test part "
            "(a class needs two different images at least, under no other label); add images, or remove the class"
        )


def _list_skipped(catalog: Catalog, left_out: dict[int, str]) -> list[tuple[str, str]]:
    return [(catalog.names[i], left_out[i]) for i in sorted(left_out)]


def _part_mask(catalog: Catalog, test: str) -> np.ndarray:
    mask = catalog.parts == test
    if not mask.any():
        given = ", ".join(sorted({str(part) for part in catalog.parts} - {""})) or "none"
        raise HeadstartError(f"data.test={test}: the data bring no such part (they bring: {given})")
    return mask


def _select_test(
    catalog: Catalog, content: np.ndarray, is_used: np.ndarray, folds: int | None, fold: int
) -> np.ndarray:
    """The content numbers of the test images: of each class the first fifth in the order of the SHA-256, or a fold."""
    selected = []
    for label, name in enumerate(catalog.classes):
        unique = np.unique(content[is_used & (catalog.labels == label)])
        if folds and len(unique) < folds:
            raise HeadstartError(
                f"data.folds={folds}: class {name!r} has {len(unique)} different images; give fewer folds"
            )
        share = unique[: max(1, round(TEST_SHARE * len(unique)))]
        selected.append(np.array_split(unique, folds)[fold] if folds else share)
    return np.concatenate(selected)


def _sample_labels(
    pool: LabelPool, budget: int | None, share: float, seed: int, label: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the images of one class that train, and of those that validate."""
    train = _shuffle_pool(pool, seed, label)
    if not share:
        return train[:budget], train[:0]
    if len(pool.val):
        val = pool.val[np.random.default_rng(derive_key(seed, "split", label, 1)).permutation(len(pool.val))]
        if budget is None:
            return train, val
        num_val = max(min(round(share * budget), len(val)), budget - len(train))
        return train[: budget - num_val], val[:num_val]
    train = train[:budget]
    targets = np.floor(share * np.arange(len(train) + 1) + 1e-9)  # how many of the first k images validate
    validates = targets[1:] > targets[:-1]
    validates &= np.cumsum(validates) <= MAX_VALIDATION
    return train[~validates], train[validates]


def _sample_labels_of_groups(
    pool: LabelPool,
    budget: int | None,
    validates: np.ndarray | None,
    share: float,
    has_validation: bool,
    seed: int,
    label: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the images of one class that train, and of those that validate: whole groups do one or the other.

    Args:
        pool: the images.
        budget: labels of the class; None: all.
        validates: which images are of groups that validate, bool (N,); None: no group does.
        share: share of the budget that validates.
        has_validation: whether the budget is large enough to validate.
        seed: which images have a label.
        label: the class.
    """
    train = _shuffle_pool(pool, seed, label)
    if validates is None or not validates.any():
        return train[:budget], train[:0]
    train = order_by_side(train, validates[train], share)[:budget]
    return (train[~validates[train]], train[validates[train]]) if has_validation else (train, train[:0])


def _shuffle_pool(pool: LabelPool, seed: int, label: int) -> np.ndarray:
    return pool.train[np.random.default_rng(derive_key(seed, "split", label)).permutation(len(pool.train))]
