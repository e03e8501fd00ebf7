"""Corrects p-values for multiple comparisons."""

ArmPair = tuple[str, str]


def reject_step_down(
    p_values: dict[ArmPair, float], alpha: float, max_true: int, has_prior_rejection: bool = False
) -> set[ArmPair]:
    """Returns the hypotheses that are rejected at the familywise level ``alpha``.

    Holm (1979, Scand. J. Statist. 6:65) with the count of hypotheses that can still be true once one is false by
    Shaffer (1986, J. Am. Statist. Assoc. 81:826).

    Args:
        p_values: of each hypothesis.
        alpha: chance that any true hypothesis is rejected.
        max_true: number of hypotheses that can be true together, if one of the family is false.
        has_prior_rejection: whether a hypothesis of the family, which is not among these, is rejected already.
    """
    rejected: set[ArmPair] = set()
    for rank, (pair, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        remaining = len(p_values) - rank
        if p_value > alpha / (min(remaining, max_true) if rejected or has_prior_rejection else remaining):
            break
        rejected.add(pair)
    return rejected
