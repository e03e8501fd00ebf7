"""The sentences of a verdict, for the terminal and the page alike."""

from collections.abc import Sequence

from headstart.compare.statistics import interval
from headstart.compare.verdict import LEVEL, Verdict

FROZEN = "frozen"  # the model whose loss is always said: it is the cheap one


def budget(labels_per_class: int | None) -> str:
    """``20``, or ``all``."""
    return "all" if labels_per_class is None else str(labels_per_class)


def helped(verdict: Verdict) -> str:
    """The first answer: whether pretraining helped."""
    return {True: "yes", False: "no, it hurt", None: "undecided"}[verdict.helped]


def unbeaten(verdict: Verdict) -> str:
    """The second answer: a winner, a tie, or undecided among those that nothing beat."""
    left = verdict.left
    if len(left) == 1:
        return f"{left[0]} wins" + (", by less than the margin" if verdict.lead_is_small else "")
    if verdict.tie:
        return f"a tie of {named(left)}: within {points(verdict.margin)}"
    beats_all = all(set(left) <= set(winners) for winners in verdict.beaten.values())
    if verdict.beaten and beats_all:
        return f"undecided between {named(left)}; each beats {' and '.join(sorted(verdict.beaten))}"
    beaten = f"; beaten: {', '.join(sorted(verdict.beaten))}" if verdict.beaten else ""
    return f"undecided among {named(left)}{beaten}"


def frozen_loss(verdict: Verdict) -> str | None:
    """What the frozen backbone costs at most against any other arm; None where there is no frozen arm.

    The largest of the upper limits: whichever arm is truly best, the chance that its own limit falls short is
    one interval's, so that looking at all of them asks for no correction.
    """
    correct = verdict.outcomes.correct
    frozen = [arm for arm in correct if verdict.outcomes.models[arm] == FROZEN]
    if not frozen or len(frozen) == len(correct):
        return None
    best = max(frozen, key=lambda arm: correct[arm].mean())
    others = [arm for arm in correct if arm not in frozen]
    loss, rival = max((interval(verdict.contrasts[other, best], verdict.alpha)[1], other) for other in others)
    if loss <= 0:
        return f"{best} loses to no other arm"
    return f"{best} loses at most {points(loss)} (to {rival})"


def cautions(verdicts: Sequence[Verdict]) -> list[str]:
    """What a reader must know before trusting the answers, the level first."""
    if not verdicts:
        return []
    where = f", split over {len(verdicts)} budgets" if len(verdicts) > 1 else ""
    said = [f"Level: {100 * LEVEL:g} %{where}; docs/protocol.md shows how often that errs where the truth is known."]
    if any(len(verdict.outcomes.seeds) == 1 for verdict in verdicts):
        said.append("With one seed a verdict speaks for these trained networks only.")
    for verdict in verdicts:
        for arm, seeds in verdict.outcomes.left_out.items():
            some = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
            said.append(f"left out {_at(verdict)}: {some} of {arm}, which other arms lack")
    return said


def next_steps(verdicts: Sequence[Verdict]) -> list[str]:
    """What would settle what is open."""
    return []


def named(arms: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(arms[:-1]), arms[-1]] if len(arms) > 1 else arms)


def points(difference: float) -> str:
    """A difference in accuracy, in points."""
    figure = f"{100 * difference:.1f}".removesuffix(".0")
    return f"{figure} point{'s' if figure != '1' else ''}"


def _at(verdict: Verdict) -> str:
    return f"at {budget(verdict.outcomes.labels_per_class)} labels per class"
