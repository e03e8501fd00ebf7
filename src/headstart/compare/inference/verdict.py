"""Computes the verdict of each budget: the answer to the declared contrast, and the unbeaten arms."""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from headstart import metrics
from headstart.compare.declaration import DEFAULT_CONTRAST, DEFAULT_MARGIN, Comparison
from headstart.compare.inference.contrast import Contrast, compute_contrast, contrast_interval, reverse_contrast
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.multiple_testing import ArmPair, reject_step_down
from headstart.errors import HeadstartError

FROZEN_MODEL = "frozen"  # the cheap model, whose loss of accuracy is always reported
DECLARED_SHARE = 0.75  # of a budget's level, for the declared contrast; once it is rejected, the other pairs have all


@dataclass(frozen=True)
class Verdict:
    """The verdict of one budget.

    Args:
        table: the compared predictions.
        alpha: the budget's share of the sweep's level.
        margin: difference in accuracy, of 1, below which arms count as equal.
        declared_pair: the two arms of the declared contrast; None where an arm is missing or ambiguous.
        contrasts: of each ordered pair, first less second.
        beaten_by: by beaten arm, the arms that beat it.
        metric: ``accuracy``, or ``balanced_accuracy``: the mean over classes of the accuracy on each.
        declared_contrast: models or names of arms as declared, present or not.
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
        """The level of the declared contrast: its 1 - ``declared_alpha`` interval excludes zero exactly where the
        contrast is decided."""
        return self.alpha * (DECLARED_SHARE if len(self.table.correct) > 2 else 1.0)

    def score(self, arm: str) -> float:
        """Computes the arm's mean accuracy by the metric, of 1."""
        correct, labels = self.table.correct[arm], self.table.labels
        right = np.bincount(labels, correct.sum(axis=0))
        images = np.bincount(labels) * len(correct)
        return float(
            metrics.accuracy(right, images) if self.metric == "accuracy" else metrics.balanced_accuracy(right, images)
        )

    @property
    def unbeaten(self) -> list[str]:
        """The arms that no other arm beats, the most accurate first."""
        return sorted(
            (arm for arm in self.table.correct if arm not in self.beaten_by), key=lambda arm: -self.score(arm)
        )

    @property
    def is_first_better(self) -> bool | None:
        """Whether the first arm of the declared contrast is better; None: undecided."""
        if self.declared_pair is None:
            return None
        first, second = self.declared_pair
        if first in self.beaten_by.get(second, []):
            return True
        return False if second in self.beaten_by.get(first, []) else None

    @property
    def is_within_margin(self) -> bool:
        """Whether the declared arms differ by less than the margin: they are tied, or the interval of their difference
        lies within."""
        if self.declared_pair is None:
            return False
        tied = self.is_tie and set(self.declared_pair) <= set(self.unbeaten)
        return tied or _is_within_margin(self.contrasts[self.declared_pair], self.declared_alpha, self.margin)

    @property
    def is_tie(self) -> bool:
        """Whether all unbeaten arms are equal within the margin: two one-sided tests for each pair (Schuirmann 1987),
        all of which must reject, so that none needs a correction (Berger 1982)."""
        pairs = list(combinations(self.unbeaten, 2))
        return bool(pairs) and all(
            _is_within_margin(self.contrasts[pair], 2 * self.alpha, self.margin) for pair in pairs
        )

    @property
    def has_small_lead(self) -> bool:
        """Whether the one unbeaten arm leads some other arm by less than the margin."""
        if len(self.unbeaten) != 1:
            return False
        rivals = [arm for arm in self.table.correct if arm != self.unbeaten[0]]
        return any(
            contrast_interval(self.contrasts[self.unbeaten[0], rival], self.alpha)[1] < self.margin for rival in rivals
        )


def compute_verdicts(tables: list[CorrectnessTable], comparison: Comparison | None = None) -> list[Verdict]:
    """Computes the verdict of each table. The level is split evenly over the planned budgets of the data set, untrained
    ones included: an early look has no larger share.

    Args:
        tables: of each data set and budget.
        comparison: what is declared; None: the defaults.

    Raises:
        HeadstartError: there are too few test images for the metric.
    """
    declared = comparison or Comparison()
    num_tables = Counter(table.data for table in tables)
    num_budgets = [max(num_tables[table.data], table.num_planned_budgets) for table in tables]
    return [
        compute_verdict(table, declared.level / count, declared.margin, declared.metric, declared.contrast)
        for table, count in zip(tables, num_budgets, strict=True)
    ]


def compute_verdict(
    table: CorrectnessTable,
    alpha: float,
    margin: float = DEFAULT_MARGIN,
    metric: str = "accuracy",
    declared: ArmPair = DEFAULT_CONTRAST,
) -> Verdict:
    """Tests all pairs of a table; the chance of any false answer is at most ``alpha``.

    The declared contrast is tested first, at the share ``DECLARED_SHARE`` of ``alpha``. Where it is rejected, the other
    pairs are tested at ``alpha``, else at the remaining share. This is the closed test with weights (Bretz et al. 2009,
    Statist. Med. 28:586): the two answers are one family and cannot contradict each other.
    """
    contrasts = _compute_contrasts(table, metric)
    declared_pair = _find_declared_pair(table, declared)
    p_values = {pair: contrasts[pair].p_value for pair in combinations(table.correct, 2)}
    # Once two arms differ, at most all but one of the arms can still be equal.
    max_true = math.comb(max(len(table.correct) - 1, 0), 2)
    verdict = Verdict(table, alpha, margin, declared_pair, contrasts, {}, metric, declared)
    others = {pair: p for pair, p in p_values.items() if set(pair) != set(declared_pair or ())}
    rejected = {pair for pair, p in p_values.items() if pair not in others and p <= verdict.declared_alpha}
    if rejected or not declared_pair:
        rejected |= reject_step_down(others, alpha, max_true, has_prior_rejection=bool(rejected))
    else:
        rejected |= reject_step_down(others, alpha - verdict.declared_alpha, max(max_true - 1, 1))
    for first, second in sorted(rejected):
        better, worse = (first, second) if contrasts[first, second].mean > 0 else (second, first)
        verdict.beaten_by.setdefault(worse, []).append(better)
    return verdict


@dataclass(frozen=True)
class FrozenLoss:
    """The largest plausible loss of ``arm`` against its ``rival``, of 1, rounded up to tenths of a point."""

    arm: str
    rival: str
    loss: float


def frozen_loss_bound(verdict: Verdict) -> FrozenLoss | None:
    """Computes the largest plausible loss of the frozen arm against any other arm; None without a frozen arm.

    It is the largest of the upper limits: whichever arm is truly best, only its own limit can fail, so that the maximum
    needs no correction.
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
    contrasts = {}
    for first, second in combinations(table.correct, 2):
        difference = table.correct[first].astype(float) - table.correct[second]
        try:
            contrasts[first, second] = compute_contrast(difference, classes, table.folds)
        except ValueError as error:
            raise HeadstartError(f"{table.data}: {error}; give more test images, a few of each class") from error
    return contrasts | {(second, first): reverse_contrast(contrast) for (first, second), contrast in contrasts.items()}


def _find_declared_pair(table: CorrectnessTable, contrast: ArmPair) -> ArmPair | None:
    """Returns the arms of the declared contrast, where there is exactly one of each and none is excluded."""
    first, second = (table.find_arms(name) for name in contrast)
    if len(first) != 1 or len(second) != 1 or {*first, *second} - table.correct.keys():
        return None
    return first[0], second[0]


def _is_within_margin(contrast: Contrast, alpha: float, margin: float) -> bool:
    low, high = contrast_interval(contrast, alpha)
    return -margin < low and high < margin
