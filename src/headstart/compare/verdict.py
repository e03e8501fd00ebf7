"""What the runs of a sweep say: whether pretraining helped, and which arms nothing beat."""

from dataclasses import dataclass, field
from itertools import combinations, permutations

from headstart.compare.outcomes import Outcomes
from headstart.compare.statistics import Contrast, contrast, holm, interval

LEVEL = 0.05  # of a sweep: the chance of a false answer to the declared contrast at any of its budgets
MARGIN = 0.01  # arms that differ by less are as good as each other
DECLARED = ("finetune", "scratch_backbone")  # one architecture, another start: did pretraining help?

Pair = tuple[str, str]


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
    """

    outcomes: Outcomes
    alpha: float
    margin: float
    declared: Pair | None
    contrasts: dict[Pair, Contrast]
    beaten: dict[str, list[str]] = field(default_factory=dict)

    @property
    def left(self) -> list[str]:
        """The arms that nothing beat, the most accurate first."""
        arms = [arm for arm in self.outcomes.correct if arm not in self.beaten]
        return sorted(arms, key=lambda arm: -self.outcomes.correct[arm].mean())

    @property
    def helped(self) -> bool | None:
        """Whether the first arm of the declared contrast is better; None: undecided."""
        if self.declared is None:
            return None
        first, second = self.declared
        return True if first in self.beaten.get(second, []) else False if second in self.beaten.get(first, []) else None

    @property
    def tie(self) -> bool:
        """Whether all arms that are left are equal within the margin: two one-sided tests for each pair
        (Schuirmann 1987), all of which must pass, so that none needs a correction (Berger 1982)."""
        pairs = list(combinations(self.left, 2))
        return bool(pairs) and all(_within(self.contrasts[pair], 2 * self.alpha, self.margin) for pair in pairs)

    @property
    def lead_is_small(self) -> bool:
        """Whether the one arm that is left leads some other by less than the margin."""
        first, *others = self.left
        rivals = [arm for arm in self.outcomes.correct if arm != first] if not others else []
        return any(interval(self.contrasts[first, rival], self.alpha)[1] < self.margin for rival in rivals)


def verdicts(tables: list[Outcomes], level: float = LEVEL, margin: float = MARGIN) -> list[Verdict]:
    """The verdict of each table; ``level`` is split evenly over them."""
    return [verdict(table, level / len(tables), margin) for table in tables]


def verdict(table: Outcomes, alpha: float, margin: float = MARGIN) -> Verdict:
    """Tests the declared contrast at ``alpha`` and the other pairs by Holm's procedure at ``alpha``.

    An arm that the declared contrast finds worse is beaten in the second answer as well: otherwise the two
    would contradict each other.
    """
    contrasts = {
        (one, other): contrast(table.correct[one].astype(float) - table.correct[other])
        for one, other in permutations(table.correct, 2)
    }
    declared = _declared(table)
    tests = {pair: contrasts[pair].p_value for pair in combinations(table.correct, 2)}
    first = {pair: p for pair, p in tests.items() if declared and set(pair) == set(declared)}
    fallen = {pair for pair, p in first.items() if p <= alpha}
    fallen |= holm({pair: p for pair, p in tests.items() if pair not in first}, alpha)
    beaten: dict[str, list[str]] = {}
    for one, other in sorted(fallen):
        better, worse = (one, other) if contrasts[one, other].mean > 0 else (other, one)
        beaten.setdefault(worse, []).append(better)
    return Verdict(table, alpha, margin, declared, contrasts, beaten)


def _declared(table: Outcomes) -> Pair | None:
    """The arms of the declared contrast, where there is just one of each of its models."""
    found = [[arm for arm, model in table.models.items() if model == wanted] for wanted in DECLARED]
    return (found[0][0], found[1][0]) if all(len(arms) == 1 for arms in found) else None


def _within(found: Contrast, alpha: float, margin: float) -> bool:
    low, high = interval(found, alpha)
    return -margin < low and high < margin
