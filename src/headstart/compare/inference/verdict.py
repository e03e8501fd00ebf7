"""What the runs of a sweep say: whether pretraining helped, and which arms nothing beat."""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from headstart import metrics
from headstart.compare.declaration import DECLARED, LEVEL, MARGIN, METRICS
from headstart.compare.inference.contrast import Contrast, Pair, contrast, interval, reverse, step_down
from headstart.compare.inference.correctness import Outcomes
from headstart.errors import HeadstartError

FROZEN = "frozen"  # the model whose loss is always said: it is the cheap one
FIRST = 0.75  # the declared contrast's share of a budget's level; the other pairs have the rest, and all once it falls


@dataclass(frozen=True)
class Verdict:
    """The two answers at one budget.

    Args:
        outcomes: what was compared.
        alpha: the budget's share of the sweep's level.
        margin: difference in accuracy below which arms count as equal.
        declared: the two arms of the contrast that was declared beforehand; None where the sweep lacks them.
        contrasts: of every ordered pair, first less second.
        beaten: by arm that something beat, what beat it.
        metric: ``accuracy``, or ``balanced_accuracy``: the mean over classes of the accuracy on each.
        asked: the contrast as it was declared, by models or names of arms, whether they are there or not.
    """

    outcomes: Outcomes
    alpha: float
    margin: float
    declared: Pair | None
    contrasts: dict[Pair, Contrast]
    beaten: dict[str, list[str]] = field(default_factory=dict)
    metric: str = "accuracy"
    asked: Pair = DECLARED

    @property
    def declared_alpha(self) -> float:
        """The level of the declared contrast: its 1 - ``declared_alpha`` interval leaves zero out exactly where it
        is answered."""
        return self.alpha * (FIRST if len(self.outcomes.correct) > 2 else 1.0)

    def score(self, arm: str) -> float:
        """The arm's mean accuracy by the metric, of 1."""
        correct, labels = self.outcomes.correct[arm], self.outcomes.labels
        right = np.bincount(labels, correct.sum(axis=0))
        images = np.bincount(labels) * len(correct)
        return float(
            metrics.accuracy(right, images) if self.metric == "accuracy" else metrics.balanced_accuracy(right, images)
        )

    @property
    def left(self) -> list[str]:
        """The arms that nothing beat, the most accurate first."""
        return sorted(
            (arm for arm in self.outcomes.correct if arm not in self.beaten), key=lambda arm: -self.score(arm)
        )

    @property
    def helped(self) -> bool | None:
        """Whether the first arm of the declared contrast is better; None: undecided."""
        if self.declared is None:
            return None
        first, second = self.declared
        return True if first in self.beaten.get(second, []) else False if second in self.beaten.get(first, []) else None

    @property
    def close(self) -> bool:
        """Whether the declared arms differ by less than the margin: they are among a tie, or the interval of their
        difference lies within."""
        if self.declared is None:
            return False
        tied = self.tie and set(self.declared) <= set(self.left)
        return tied or _within(self.contrasts[self.declared], self.declared_alpha, self.margin)

    @property
    def tie(self) -> bool:
        """Whether all arms that are left are equal within the margin: two one-sided tests for each pair
        (Schuirmann 1987), all of which must pass, so that none needs a correction (Berger 1982)."""
        pairs = list(combinations(self.left, 2))
        return bool(pairs) and all(_within(self.contrasts[pair], 2 * self.alpha, self.margin) for pair in pairs)

    @property
    def lead_is_small(self) -> bool:
        """Whether the one arm that is left leads some other by less than the margin."""
        if len(self.left) != 1:
            return False
        rivals = [arm for arm in self.outcomes.correct if arm != self.left[0]]
        return any(interval(self.contrasts[self.left[0], rival], self.alpha)[1] < self.margin for rival in rivals)


def verdicts(
    tables: list[Outcomes],
    level: float = LEVEL,
    margin: float = MARGIN,
    metric: str = "accuracy",
    contrast: Pair = DECLARED,
) -> list[Verdict]:
    """The verdict of each table; ``level`` is split evenly over those of its data set, and over the budgets that were
    asked for where some have not come to their end yet: looking early must not widen what each may err.

    Args:
        tables: what was compared, a table a data set and budget.
        level: of the sweep.
        margin: difference in accuracy, of 1, below which arms count as equal.
        metric: ``accuracy`` or ``balanced_accuracy``.
        contrast: the declared contrast, by models or by names of arms.

    Raises:
        HeadstartError: there is no such metric, or too few test images for it.
    """
    if metric not in METRICS:
        raise HeadstartError(f"compare.metric={metric}: there is no such metric; give {' or '.join(METRICS)}")
    there = Counter(table.data for table in tables)
    shares = [max(there[table.data], table.asked_budgets) for table in tables]
    return [
        verdict(table, level / share, margin, metric, contrast) for table, share in zip(tables, shares, strict=True)
    ]


def verdict(
    table: Outcomes, alpha: float, margin: float = MARGIN, metric: str = "accuracy", declared: Pair = DECLARED
) -> Verdict:
    """Tests the pairs of a table so that the chance of any false answer is ``alpha`` at most.

    The declared contrast comes first, at its share ``FIRST`` of ``alpha``. Where it falls, an arm is beaten and the
    others are tested at ``alpha``; where it stands, at what it left them. That is the closed test with weights
    (Bretz et al. 2009, Statist. Med. 28:586), so the two answers, which are one family, cannot contradict each other.
    """
    contrasts = _contrasts(table, metric)
    first = _declared(table, declared)
    p_values = {pair: contrasts[pair].p_value for pair in combinations(table.correct, 2)}
    # Once two arms differ, at most all but one of the arms can still be equal.
    together = math.comb(max(len(table.correct) - 1, 0), 2)
    told = Verdict(table, alpha, margin, first, contrasts, {}, metric, declared)
    fallen = {pair for pair, p in p_values.items() if first and set(pair) == set(first) and p <= told.declared_alpha}
    others = {pair: p for pair, p in p_values.items() if not (first and set(pair) == set(first))}
    if fallen or not first:
        fallen |= step_down(others, alpha, together, one_fell=bool(fallen))
    else:
        fallen |= step_down(others, alpha - told.declared_alpha, max(together - 1, 1))
    for one, other in sorted(fallen):
        better, worse = (one, other) if contrasts[one, other].mean > 0 else (other, one)
        told.beaten.setdefault(worse, []).append(better)
    return told


@dataclass(frozen=True)
class Loss:
    """What ``arm`` loses at most, as a share rounded up to tenths of a point, and to which ``rival``."""

    arm: str
    rival: str
    loss: float


def loss_of_frozen(told: Verdict) -> Loss | None:
    """What the frozen backbone costs at most against any other arm; None where there is no frozen arm.

    The largest of the upper limits: whichever arm is truly best, the chance that its own limit falls short is
    one interval's, so that looking at all of them asks for no correction.
    """
    correct = told.outcomes.correct
    frozen = [arm for arm in correct if told.outcomes.models[arm] == FROZEN]
    if not frozen or len(frozen) == len(correct):
        return None
    best = max(frozen, key=told.score)
    others = [arm for arm in correct if arm not in frozen]
    loss, rival = max((interval(told.contrasts[other, best], told.alpha)[1], other) for other in others)
    return Loss(best, rival, math.ceil(1000 * loss) / 1000)


def _contrasts(table: Outcomes, metric: str) -> dict[Pair, Contrast]:
    classes = table.labels if metric == "balanced_accuracy" else None
    found = {}
    for one, other in combinations(table.correct, 2):
        difference = table.correct[one].astype(float) - table.correct[other]
        try:
            found[one, other] = contrast(difference, classes, table.folds)
        except ValueError as error:
            raise HeadstartError(f"{table.data}: {error}; give more test images, a few of each class") from error
    return found | {(other, one): reverse(told) for (one, other), told in found.items()}


def _declared(table: Outcomes, wanted: Pair) -> Pair | None:
    """The arms of the declared contrast, where there is just one of each and none is refused."""
    first, second = (table.arms(name) for name in wanted)
    if len(first) != 1 or len(second) != 1 or {*first, *second} - table.correct.keys():
        return None
    return first[0], second[0]


def _within(found: Contrast, alpha: float, margin: float) -> bool:
    low, high = interval(found, alpha)
    return -margin < low and high < margin
