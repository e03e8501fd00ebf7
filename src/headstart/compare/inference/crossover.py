"""Finds the budgets between which the order of two arms changes, where both orders are significant."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from headstart.compare.inference.multiple_testing import ArmPair
from headstart.compare.inference.verdict import Verdict


@dataclass(frozen=True)
class Crossover:
    """A change of order of two arms.

    Args:
        data: name of the data set.
        before: the smaller budget with a significant order; None: all labels.
        after: the next budget with a significant order; None: all labels.
        first: the better arm at ``before``.
        then: the better arm at ``after``.
    """

    data: str
    before: int | None
    after: int | None
    first: str
    then: str


def find_crossovers(verdicts: Sequence[Verdict]) -> list[Crossover]:
    """Finds the changes of order of the declared arms, and of any two arms that are unbeaten at some budget.

    At both budgets one arm beats the other, in opposite directions: all changes together keep the level of the sweep.
    Budgets without a significant order lie in between. No budget is extrapolated.

    Args:
        verdicts: sorted by budget, as :func:`headstart.compare.inference.sweep_verdicts.compute_verdicts` returns them.
    """
    return [
        Crossover(data, before.table.labels_per_class, after.table.labels_per_class, first, then)
        for data, data_verdicts in group_by_data_set(verdicts).items()
        for pair in _candidate_pairs(data_verdicts)
        for (before, first), (after, then) in pairwise(_decided_verdicts(data_verdicts, pair))
        if first != then
    ]


def group_by_data_set(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Groups verdicts by the name of their data set."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[verdict.table.data].append(verdict)
    return groups


def _candidate_pairs(verdicts: list[Verdict]) -> list[ArmPair]:
    declared = [verdict.declared_pair for verdict in verdicts if verdict.declared_pair][:1]
    unbeaten = sorted({arm for verdict in verdicts for arm in verdict.unbeaten})
    return [*declared, *(pair for pair in combinations(unbeaten, 2) if not any(set(pair) == set(d) for d in declared))]


def _decided_verdicts(verdicts: list[Verdict], pair: ArmPair) -> list[tuple[Verdict, str]]:
    """Returns the verdicts in which one arm of the pair beats the other, with the better arm."""
    return [
        (verdict, better)
        for verdict in verdicts
        for better, worse in (pair, pair[::-1])
        if better in verdict.beaten_by.get(worse, [])
    ]
