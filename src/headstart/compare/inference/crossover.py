"""Between which budgets the order of two arms changes: measured ones alone, and only where both orders are sure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from headstart.compare.inference.verdict import ArmPair, Verdict


@dataclass(frozen=True)
class Crossover:
    """A change of order.

    Args:
        data: the data set's name.
        before, after: the neighbouring budgets at which the order is sure; None: all labels.
        first: the arm that is better at ``before``.
        then: the arm that is better at ``after``.
    """

    data: str
    before: int | None
    after: int | None
    first: str
    then: str


def find_crossovers(verdicts: Sequence[Verdict]) -> list[Crossover]:
    """Every change of order of the declared arms, and of any two arms that nothing beat at some budget.

    At both budgets the one arm has beaten the other, in opposite directions: so all changes together are within the
    sweep's level. Budgets at which the order is open lie in between, and nothing is said beyond those measured.

    Args:
        verdicts: from small budgets to large, as ``verdict.verdicts`` gives them; those of a data set are
            followed.
    """
    return [
        Crossover(data, before.table.labels_per_class, after.table.labels_per_class, first, then)
        for data, found in group_by_data_set(verdicts).items()
        for pair in _candidate_pairs(found)
        for (before, first), (after, then) in pairwise(_decided_verdicts(found, pair))
        if first != then
    ]


def group_by_data_set(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """The verdicts of each data set."""
    found: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        found[verdict.table.data].append(verdict)
    return found


def _candidate_pairs(verdicts: list[Verdict]) -> list[ArmPair]:
    declared = [verdict.declared_pair for verdict in verdicts if verdict.declared_pair]
    unbeaten = sorted({arm for verdict in verdicts for arm in verdict.unbeaten})
    return [*declared[:1], *(p for p in combinations(unbeaten, 2) if not any(set(p) == set(d) for d in declared[:1]))]


def _decided_verdicts(verdicts: list[Verdict], pair: ArmPair) -> list[tuple[Verdict, str]]:
    """The verdicts in which one arm of the pair has beaten the other, and which has."""
    return [
        (verdict, better)
        for verdict in verdicts
        for better, worse in (pair, pair[::-1])
        if better in verdict.beaten_by.get(worse, [])
    ]
