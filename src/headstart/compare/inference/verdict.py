"""What the runs of a sweep say: whether pretraining helped, and which arms nothing beat."""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from headstart import metrics
from headstart.compare.declaration import DEFAULT_CONTRAST, DEFAULT_LEVEL, DEFAULT_MARGIN, VERDICT_METRICS
from headstart.compare.inference.contrast import (
    ArmPair,
    Contrast,
    compute_contrast,
    contrast_interval,
    reject_step_down,
    reverse_contrast,
)
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.errors import HeadstartError

FROZEN_MODEL = "frozen"  # the model whose loss is always said: it is the cheap one
DECLARED_SHARE = (
    0.75  # the declared contrast's share of a budget's level; the other pairs have the rest, and all once it falls
)


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

    table: CorrectnessTable
    alpha: float
    margin: float
    declared_pair: ArmPair | None
    contrasts: dict[ArmPair, Contrast]
    beaten_by: dict[str, list[str]] = field(default_factory=dict)
    metric: str = "accuracy"
    declared_contrast: ArmPair = DEFAULT_CONTRAST

    @property
    def declared_alpha(self) -> float:
        """The level of the declared contrast: its 1 - ``declared_alpha`` interval leaves zero out exactly where it
        is answered."""
        return self.alpha * (DECLARED_SHARE if len(self.table.correct) > 2 else 1.0)

    def score(self, arm: str) -> float:
        """The arm's mean accuracy by the metric, of 1."""
        correct, labels = self.table.correct[arm], self.table.labels
        right = np.bincount(labels, correct.sum(axis=0))
        images = np.bincount(labels) * len(correct)
        return float(
            metrics.accuracy(right, images) if self.metric == "accuracy" else metrics.balanced_accuracy(right, images)
        )

    @property
    def unbeaten(self) -> list[str]:
        """The arms that nothing beat, the most accurate first."""
        return sorted(
            (arm for arm in self.table.correct if arm not in self.beaten_by), key=lambda arm: -self.score(arm)
        )

    @property
    def is_first_better(self) -> bool | None:
        """Whether the first arm of the declared contrast is better; None: undecided."""
        if self.declared_pair is None:
            return None
        first, second = self.declared_pair
        return (
            True
            if first in self.beaten_by.get(second, [])
            else False
            if second in self.beaten_by.get(first, [])
            else None
        )

    @property
    def is_within_margin(self) -> bool:
        """Whether the declared arms differ by less than the margin: they are among a tie, or the interval of their
        difference lies within."""
        if self.declared_pair is None:
            return False
        tied = self.is_tie and set(self.declared_pair) <= set(self.unbeaten)
        return tied or _is_within_margin(self.contrasts[self.declared_pair], self.declared_alpha, self.margin)

    @property
    def is_tie(self) -> bool:
        """Whether all arms that are left are equal within the margin: two one-sided tests for each pair
        (Schuirmann 1987), all of which must pass, so that none needs a correction (Berger 1982)."""
        pairs = list(combinations(self.unbeaten, 2))
        return bool(pairs) and all(
            _is_within_margin(self.contrasts[pair], 2 * self.alpha, self.margin) for pair in pairs
        )

    @property
    def has_small_lead(self) -> bool:
        """Whether the one arm that is left leads some other by less than the margin."""
        if len(self.unbeaten) != 1:
            return False
        rivals = [arm for arm in self.table.correct if arm != self.unbeaten[0]]
        return any(
            contrast_interval(self.contrasts[self.unbeaten[0], rival], self.alpha)[1] < self.margin for rival in rivals
        )


def compute_verdicts(
    tables: list[CorrectnessTable],
    level: float = DEFAULT_LEVEL,
    margin: float = DEFAULT_MARGIN,
    metric: str = "accuracy",
    contrast: ArmPair = DEFAULT_CONTRAST,
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
    if metric not in VERDICT_METRICS:
        raise HeadstartError(f"compare.metric={metric}: there is no such metric; give {' or '.join(VERDICT_METRICS)}")
    there = Counter(table.data for table in tables)
    shares = [max(there[table.data], table.num_planned_budgets) for table in tables]
    return [
        compute_verdict(table, level / share, margin, metric, contrast)
        for table, share in zip(tables, shares, strict=True)
    ]


def compute_verdict(
    table: CorrectnessTable,
    alpha: float,
    margin: float = DEFAULT_MARGIN,
    metric: str = "accuracy",
    declared: ArmPair = DEFAULT_CONTRAST,
) -> Verdict:
    """Tests the pairs of a table so that the chance of any false answer is ``alpha`` at most.

    The declared contrast comes first, at its share ``FIRST`` of ``alpha``. Where it falls, an arm is beaten and the
    others are tested at ``alpha``; where it stands, at what it left them. That is the closed test with weights
    (Bretz et al. 2009, Statist. Med. 28:586), so the two answers, which are one family, cannot contradict each other.
    """
    contrasts = _compute_contrasts(table, metric)
    first = _find_declared_pair(table, declared)
    p_values = {pair: contrasts[pair].p_value for pair in combinations(table.correct, 2)}
    # Once two arms differ, at most all but one of the arms can still be equal.
    together = math.comb(max(len(table.correct) - 1, 0), 2)
    told = Verdict(table, alpha, margin, first, contrasts, {}, metric, declared)
    fallen = {pair for pair, p in p_values.items() if first and set(pair) == set(first) and p <= told.declared_alpha}
    others = {pair: p for pair, p in p_values.items() if not (first and set(pair) == set(first))}
    if fallen or not first:
        fallen |= reject_step_down(others, alpha, together, has_prior_rejection=bool(fallen))
    else:
        fallen |= reject_step_down(others, alpha - told.declared_alpha, max(together - 1, 1))
    for one, other in sorted(fallen):
        better, worse = (one, other) if contrasts[one, other].mean > 0 else (other, one)
        told.beaten_by.setdefault(worse, []).append(better)
    return told


@dataclass(frozen=True)
class FrozenLoss:
    """What ``arm`` loses at most, as a share rounded up to tenths of a point, and to which ``rival``."""

    arm: str
    rival: str
    loss: float


def frozen_loss_bound(verdict: Verdict) -> FrozenLoss | None:
    """What the frozen backbone costs at most against any other arm; None where there is no frozen arm.

    The largest of the upper limits: whichever arm is truly best, the chance that its own limit falls short is
    one interval's, so that looking at all of them asks for no correction.
    """
    correct = verdict.table.correct
    frozen = [arm for arm in correct if verdict.table.models[arm] == FROZEN_MODEL]
    if not frozen or len(frozen) == len(correct):
        return None
    best = max(frozen, key=verdict.score)
    others = [arm for arm in correct if arm not in frozen]
    loss, rival = max((contrast_interval(verdict.contrasts[other, best], verdict.alpha)[1], other) for other in others)
    return FrozenLoss(best, rival, math.ceil(1000 * loss) / 1000)


def _compute_contrasts(table: CorrectnessTable, metric: str) -> dict[ArmPair, Contrast]:
    classes = table.labels if metric == "balanced_accuracy" else None
    found = {}
    for one, other in combinations(table.correct, 2):
        difference = table.correct[one].astype(float) - table.correct[other]
        try:
            found[one, other] = compute_contrast(difference, classes, table.folds)
        except ValueError as error:
            raise HeadstartError(f"{table.data}: {error}; give more test images, a few of each class") from error
    return found | {(other, one): reverse_contrast(told) for (one, other), told in found.items()}


def _find_declared_pair(table: CorrectnessTable, contrast: ArmPair) -> ArmPair | None:
    """The arms of the declared contrast, where there is just one of each and none is refused."""
    first, second = (table.find_arms(name) for name in contrast)
    if len(first) != 1 or len(second) != 1 or {*first, *second} - table.correct.keys():
        return None
    return first[0], second[0]


def _is_within_margin(contrast: Contrast, alpha: float, margin: float) -> bool:
    low, high = contrast_interval(contrast, alpha)
    return -margin < low and high < margin
