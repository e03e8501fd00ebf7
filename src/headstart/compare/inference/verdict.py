"""Computes the verdict of each budget: the answer to the declared contrast, and the unbeaten arms."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from headstart import metrics
from headstart.compare.declaration import DEFAULT_CONTRAST, DEFAULT_MARGIN
from headstart.compare.inference.contrast import Contrast, compute_contrast, contrast_interval
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.moderation import moderate_contrasts
from headstart.compare.inference.multiple_testing import ArmPair, reject_step_down
from headstart.errors import HeadstartError
from headstart.runs.sweep_file import Look

FROZEN_MODEL = "frozen"  # the cheap model, whose loss of accuracy is always reported


@dataclass(frozen=True)
class Verdict:
    """The verdict of one budget.

    Args:
        table: the compared predictions.
        alpha: the budget's share of the sweep's level; with looks, the last look's share of that.
        margin: difference in accuracy, of 1, below which arms count as equal.
        declared_pair: the two arms of the declared contrast; None where an arm is missing or ambiguous.
        contrasts: of each ordered pair, first less second.
        levels: of each ordered pair, the level at which it is decided: its 1 - level interval excludes zero exactly
            where one arm beats the other.
        beaten_by: by beaten arm, the arms that beat it.
        metric: ``accuracy``, or ``balanced_accuracy``: the mean over classes of the accuracy on each.
        declared_contrast: models or names of arms as declared, present or not.
        looks: the looks that were taken; empty where none was planned.
        dropped: by arm that stopped training, the number of its seeds at the look that decided so.
        next_look: None where none is planned or the sweep is over.
    """

    table: CorrectnessTable
    alpha: float
    margin: float
    declared_pair: ArmPair | None
    contrasts: dict[ArmPair, Contrast]
    levels: dict[ArmPair, float] = field(default_factory=dict)
    beaten_by: dict[str, list[str]] = field(default_factory=dict)
    metric: str = "accuracy"
    declared_contrast: ArmPair = DEFAULT_CONTRAST
    looks: tuple[Look, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    next_look: Look | None = None

    @property
    def level(self) -> float:
        """The budget's share of the sweep's level, over all looks."""
        return self.alpha / self.looks[-1].share if self.looks else self.alpha

    def interval(self, pair: ArmPair) -> tuple[float, float]:
        """The interval of a pair's difference, first less second, at the level at which the pair is decided."""
        return contrast_interval(self.contrasts[pair], self.levels[pair])

    def score(self, arm: str) -> float:
        """Computes the arm's mean accuracy by the metric, of 1."""
        correct, labels = self.table.correct[arm], self.table.labels
        right = np.bincount(labels, np.nansum(correct, axis=0))
        images = np.bincount(labels, (~np.isnan(correct)).sum(axis=0))
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
        return tied or is_within_margin(
            self.contrasts[self.declared_pair], self.levels[self.declared_pair], self.margin
        )

    @property
    def is_tie(self) -> bool:
        """Whether all unbeaten arms are equal within the margin: two one-sided tests for each pair (Schuirmann 1987),
        all of which must reject, so that none needs a correction (Berger 1982)."""
        pairs = list(combinations(self.unbeaten, 2))
        return bool(pairs) and all(
            is_within_margin(self.contrasts[pair], 2 * self.alpha, self.margin) for pair in pairs
        )

    @property
    def open_pairs(self) -> list[ArmPair]:
        """The declared contrast where it is open, and the most accurate unbeaten arm with each other unbeaten one."""
        pairs = []
        if self.declared_pair and self.is_first_better is None and not self.is_within_margin:
            pairs.append(self.declared_pair)
        if len(self.unbeaten) > 1 and not self.is_tie:
            best, *others = self.unbeaten
            pairs += [(best, other) for other in others if {best, other} not in map(set, pairs)]
        return pairs

    @property
    def stopped_for_futility(self) -> bool:
        """Whether the sweep ended before its last look, since more seeds are unlikely to decide what is open."""
        ended = bool(self.looks) and self.next_look is None and self.looks[-1] != self.table.schedule[-1]
        return ended and bool(self.open_pairs)

    @property
    def has_small_lead(self) -> bool:
        """Whether the one unbeaten arm leads some other arm by less than the margin."""
        if len(self.unbeaten) != 1:
            return False
        rivals = [arm for arm in self.table.correct if arm != self.unbeaten[0]]
        return any(self.interval((self.unbeaten[0], rival))[1] < self.margin for rival in rivals)


def compute_verdict(
    table: CorrectnessTable,
    alpha: float,
    margin: float = DEFAULT_MARGIN,
    metric: str = "accuracy",
    declared: ArmPair = DEFAULT_CONTRAST,
    earlier: Verdict | None = None,
) -> Verdict:
    """Tests all pairs of a table in one step-down procedure; the chance of any false answer is at most ``alpha``.

    The declared contrast is one of the pairs, so that the two answers are one family and cannot contradict each other.

    Args:
        table: the compared predictions.
        alpha: chance of a false answer.
        margin: difference, of 1, below which arms count as equal.
        metric: ``accuracy`` or ``balanced_accuracy``.
        declared: models or arms of the declared contrast.
        earlier: the verdict of an earlier look at the same arms, whose findings stand.
    """
    pairs = list(combinations(table.correct, 2))
    contrasts = moderate_contrasts(_compute_contrasts(table, pairs, metric))
    decided = {
        (first, second)
        for first, second in pairs
        if earlier and (first in earlier.beaten_by.get(second, []) or second in earlier.beaten_by.get(first, []))
    }
    # Once two arms differ, at most all but one of the arms can still be equal.
    max_true = math.comb(max(len(table.correct) - 1, 0), 2)
    p_values = {pair: contrasts[pair].p_value for pair in pairs if pair not in decided}
    outcome = reject_step_down(p_values, alpha, max_true, has_prior_rejection=bool(decided))
    levels = dict(outcome.levels)
    beaten_by = find_standing_findings(earlier, table.correct) if earlier else {}
    for pair in decided:  # as they were at the look that decided them
        assert earlier is not None
        contrasts[pair], levels[pair] = earlier.contrasts[pair], earlier.levels[pair]
    for first, second in sorted(outcome.rejected):
        better, worse = (first, second) if contrasts[first, second].mean > 0 else (second, first)
        beaten_by.setdefault(worse, []).append(better)
    return Verdict(
        table,
        alpha,
        margin,
        _find_declared_pair(table, declared),
        contrasts | {pair[::-1]: contrast.reverse() for pair, contrast in contrasts.items()},
        levels | {pair[::-1]: level for pair, level in levels.items()},
        beaten_by,
        metric,
        declared,
    )


def find_standing_findings(earlier: Verdict, arms: Collection[str]) -> dict[str, list[str]]:
    """By beaten arm, the arms that beat it at an earlier look, among the arms that are still evidence."""
    standing = {
        worse: [arm for arm in better if arm in arms] for worse, better in earlier.beaten_by.items() if worse in arms
    }
    return {worse: better for worse, better in standing.items() if better}


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


def _compute_contrasts(table: CorrectnessTable, pairs: list[ArmPair], metric: str) -> dict[ArmPair, Contrast]:
    classes = table.labels if metric == "balanced_accuracy" else None
    differences = {pair: table.difference(pair) for pair in pairs}
    try:
        return {
            pair: compute_contrast(rows, classes, table.folds_in(rows), table.groups)
            for pair, rows in differences.items()
        }
    except ValueError as error:
        raise HeadstartError(f"{table.data}: {error}; give more test images of each class, or more groups") from error


def _find_declared_pair(table: CorrectnessTable, contrast: ArmPair) -> ArmPair | None:
    """Returns the arms of the declared contrast, where there is exactly one of each and none is excluded."""
    first, second = (table.find_arms(name) for name in contrast)
    if len(first) != 1 or len(second) != 1 or {*first, *second} - table.correct.keys():
        return None
    return first[0], second[0]


def is_within_margin(contrast: Contrast, alpha: float, margin: float) -> bool:
    """Whether the 1 - ``alpha`` interval of a difference lies within the margin, of 1."""
    low, high = contrast_interval(contrast, alpha)
    return -margin < low and high < margin
