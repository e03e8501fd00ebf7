"""Which images train, validate and test: fixed by content, nested by budget, decided by nothing else."""

from dataclasses import dataclass
from itertools import count, takewhile

import numpy as np

from headstart.data.catalog import Catalog
from headstart.data.exact_copies import find_conflicting_copies
from headstart.errors import HeadstartError
from headstart.seeding import derive_key

TEST_SHARE = 0.2
MIN_LABELS_TO_VALIDATE = 20  # labels per class; with fewer, too few images would be left to choose by
MAX_VALIDATION = 500  # images per class; more would choose no better and train worse
SMALLEST_BUDGET, MAX_BUDGETS = 5, 3


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Positions in the catalogue of the images that train, validate and test, int64.

    ``skipped`` are the names of those that no budget may use, each with the reason.
    """

    catalog: Catalog
    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    skipped: list[tuple[str, str]]

    def rows(self) -> list[dict[str, str]]:
        """Each image used: its name, SHA-256, class and part, in the order in which a loader counts them."""
        c = self.catalog
        return [
            {"image": c.names[i], "sha256": c.digests[i], "class": c.classes[c.labels[i]], "part": part}
            for part, positions in (("train", self.train), ("val", self.val), ("test", self.test))
            for i in positions
        ]


@dataclass(frozen=True, eq=False)
class LabelPool:
    """The images of a class beside the test part, ordered by content: to train, and given to validate."""

    name: str
    train: np.ndarray
    val: np.ndarray

    def can_fill(self, budget: int) -> bool:
        return budget <= len(self.train) + (len(self.val) if budget >= MIN_LABELS_TO_VALIDATE else 0)

    @property
    def largest_budget(self) -> int:
        both = len(self.train) + len(self.val)
        return both if self.can_fill(both) else len(self.train)


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
    """The split of one seed and budget; a smaller budget's labels are among a larger one's.

    Args:
        catalogue: what images there are.
        test: the given part that is the sealed test; None: ``test`` where there is one, else 20 % by content.
        budget: labels per class, training and validation together; None: all.
        validation: share of the budget that validates; 0: none.
        seed: which of the images are labelled.
        skip_copies: keep an image out of training that stands in another given part too, instead of refusing it.
        folds: parts of equal size of which each is the test part once; None: 20 % are.
        fold: which of them is it here.

    Raises:
        HeadstartError: no such part, folds where the data bring a test part, an image in two given parts, a class
            without a training image, or a budget larger than a class.
    """
    sealed, pools, skipped = _split_off_test(catalog, test, validation, skip_copies, folds, fold)
    if budget is not None and not all(pool.can_fill(budget) for pool in pools):
        rarest = min(pools, key=lambda pool: pool.largest_budget)
        raise HeadstartError(
            f"data.labels_per_class={budget}: class {rarest.name!r} has {rarest.largest_budget} images beside "
            f"the test part; the largest budget that fits is {rarest.largest_budget}"
        )
    labels = budget if budget is not None else np.mean([len(pool.train) + len(pool.val) for pool in pools])
    share = validation if labels >= MIN_LABELS_TO_VALIDATE else 0.0
    drawn = [_sample_labels(pool, budget, share, seed, label) for label, pool in enumerate(pools)]
    train, val = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return Split(catalog, train, val, sealed, skipped)


def list_budgets(
    catalog: Catalog, test: str | None, validation: float, skip_copies: bool, folds: int | None
) -> list[int]:
    """Up to three of 5, 10, 20, 40, …: the smallest that the rarest class has images for beside any test part.

    The arguments are those of :func:`make_split`.
    """
    pools = [
        pool
        for fold in range(folds or 1)
        for pool in _split_off_test(catalog, test, validation, skip_copies, folds, fold)[1]
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
) -> tuple[np.ndarray, list[LabelPool], list[tuple[str, str]]]:
    """The test part, each class's images beside it, and what is left out of both, with the reason."""
    if test is None and "test" in catalog.parts:
        test = "test"
    if test and folds:
        raise HeadstartError(f"data.folds={folds}: the data bring a {test} part; give data.folds=null, or no such part")
    # A number for each content, in the order of the SHA-256.
    content = np.unique(catalog.content_ids or catalog.digests, return_inverse=True)[1]
    is_test = _part_mask(catalog, test) if test else np.zeros(len(content), dtype=bool)
    used = is_test | (catalog.parts != "test")  # a given test part that is not the one asked for does not train
    left_out = find_conflicting_copies(catalog, content, np.where(is_test, "test", catalog.parts), used, skip_copies)
    used[list(left_out)] = False
    is_test = used & (is_test if test else np.isin(content, _select_test(catalog, content, used, folds, fold)))
    if test and not is_test.any():
        raise HeadstartError(f"each image of the {test} part stands under two labels; give them one, or add images")
    rest = np.flatnonzero(used & ~is_test)
    validates = (catalog.parts[rest] == "val") & (test not in ("val", "train"))
    order = np.lexsort((np.array(catalog.names)[rest], validates, content[rest]))
    rest, validates = rest[order], validates[order]
    pools = []
    for label, name in enumerate(catalog.classes):
        own = np.flatnonzero(catalog.labels[rest] == label)
        # Of a class's exact copies one is enough, so that none both trains and validates.
        own = own[np.unique(content[rest[own]], return_index=True)[1]]
        given = rest[own[validates[own]]] if validation else rest[:0]
        pools.append(LabelPool(name, rest[own[~validates[own]]], given))
    if bare := [pool.name for pool in pools if not len(pool.train)]:
        raise HeadstartError(
            f"class {', '.join(map(repr, bare))} has no image left to train on beside the test part "
            "(a class needs two different images at least, under no other label); add images, or remove the class"
        )
    return np.flatnonzero(is_test), pools, [(catalog.names[i], left_out[i]) for i in sorted(left_out)]


def _part_mask(catalog: Catalog, test: str) -> np.ndarray:
    found = catalog.parts == test
    if not found.any():
        there = ", ".join(sorted({str(part) for part in catalog.parts} - {""})) or "none"
        raise HeadstartError(f"data.test={test}: the data bring no such part (they bring: {there})")
    return found


def _select_test(
    catalog: Catalog, content: np.ndarray, is_used: np.ndarray, folds: int | None, fold: int
) -> np.ndarray:
    """The contents of the test images, in the order of the SHA-256: of each class the first fifth, or a fold."""
    first = []
    for label, name in enumerate(catalog.classes):
        unique = np.unique(content[is_used & (catalog.labels == label)])
        if folds and len(unique) < folds:
            raise HeadstartError(
                f"data.folds={folds}: class {name!r} has {len(unique)} different images; give fewer folds"
            )
        share = unique[: max(1, round(TEST_SHARE * len(unique)))]
        first.append(np.array_split(unique, folds)[fold] if folds else share)
    return np.concatenate(first)


def _sample_labels(
    pool: LabelPool, budget: int | None, share: float, seed: int, label: int
) -> tuple[np.ndarray, np.ndarray]:
    """The labels of one class that train, and those that validate."""
    train = pool.train[np.random.default_rng(derive_key(seed, "split", label)).permutation(len(pool.train))]
    if not share:
        return train[:budget], train[:0]
    if len(pool.val):
        val = pool.val[np.random.default_rng(derive_key(seed, "split", label, 1)).permutation(len(pool.val))]
        if budget is None:
            return train, val
        wanted = max(min(round(share * budget), len(val)), budget - len(train))
        return train[: budget - wanted], val[:wanted]
    train = train[:budget]
    due = np.floor(share * np.arange(len(train) + 1) + 1e-9)  # so many of the first k validate, for every k
    validates = due[1:] > due[:-1]
    validates &= np.cumsum(validates) <= MAX_VALIDATION
    return train[~validates], train[validates]
