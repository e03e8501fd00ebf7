"""Corrects p-values for multiple comparisons."""

from dataclasses import dataclass

ArmPair = tuple[str, str]


@dataclass(frozen=True)
class StepDown:
    """The outcome of a step-down test.

    Args:
        rejected: the rejected hypotheses.
        levels: by hypothesis, the level of the step at which it was rejected, or at which the procedure stopped: its
            p-value is at most this level exactly where it is rejected.
    """

    rejected: frozenset[ArmPair]
    levels: dict[ArmPair, float]


def reject_step_down(
    p_values: dict[ArmPair, float], alpha: float, max_true: int, has_prior_rejection: bool = False
) -> StepDown:
    """Tests hypotheses at the familywise level ``alpha``.

    Holm (1979, Scand. J. Statist. 6:65) with the count of hypotheses that can still be true once one is false by
    Shaffer (1986, J. Am. Statist. Assoc. 81:826).

    Args:
        p_values: of each hypothesis.
        alpha: chance that any true hypothesis is rejected.
        max_true: number of hypotheses that can be true together, if one of the family is false.
        has_prior_rejection: whether a hypothesis of the family, which is not among these, is rejected already.
    """
    levels: dict[ArmPair, float] = {}
    ordered = sorted(p_values, key=lambda pair: p_values[pair])
    for rank, pair in enumerate(ordered):
        remaining = len(ordered) - rank
        level = alpha / (min(remaining, max_true) if levels or has_prior_rejection else remaining)
        if p_values[pair] > level:
            return StepDown(frozenset(levels), levels | dict.fromkeys(ordered[rank:], level))
        levels[pair] = level
    return StepDown(frozenset(levels), levels)
