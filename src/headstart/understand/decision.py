"""Verdicts on claims: compares estimates and their 95 % intervals with margins."""

from collections.abc import Sequence

from headstart.understand.claims import ClaimVerdict
from headstart.understand.statistics import Estimate


def decide(
    estimates: Estimate | Sequence[Estimate], margin: float = 0.0, failure_margin: float | None = None
) -> ClaimVerdict:
    """The verdict on the claim that all estimates exceed a margin.

    A claim that a value is below the margin is the same claim about ``-estimate`` and ``-margin``.

    Args:
        estimates: one or several. One without an interval is never sure; ``Estimate.as_exact`` makes it so.
        margin: the claim holds where each interval lies above it.
        failure_margin: the claim fails where each interval lies at it or below; None: the same as ``margin``.

    Returns:
        "holds", "fails", "depends" where intervals cross a margin or estimates disagree, "not measured" without any.

    Example:
        >>> decide(Estimate(0.04, 0.01, 0.07)), decide(Estimate(0.04, 0.01, 0.07), margin=0.02)
        ('holds', 'depends')
    """
    estimates = [estimates] if isinstance(estimates, Estimate) else estimates
    if not estimates:
        return "not measured"
    failure_margin = margin if failure_margin is None else failure_margin
    return decide_by(
        holds=all(estimate.low > margin for estimate in estimates),
        fails=all(estimate.high <= failure_margin for estimate in estimates),
    )


def decide_cases(cases: Sequence[bool]) -> ClaimVerdict:
    """The verdict on exact cases: holds if all are true, depends if some, fails if none, not measured without any."""
    if not cases:
        return "not measured"
    return decide_by(holds=all(cases), fails=not any(cases))


def decide_by(*, holds: bool, fails: bool) -> ClaimVerdict:
    """The verdict of a claim's own two conditions: fails before holds; depends where neither is met."""
    return "fails" if fails else "holds" if holds else "depends"
