"""The sentences of a verdict, for the terminal and the page alike."""

from collections.abc import Sequence

import numpy as np

from headstart.compare.statistics import interval
from headstart.compare.verdict import LEVEL, Verdict

FROZEN = "frozen"  # the model whose loss is always said: it is the cheap one

FEW = 10  # test images of a class: its accuracy is then hardly known


def budget(labels_per_class: int | None) -> str:
    """``20``, or ``all``."""
    return "all" if labels_per_class is None else str(labels_per_class)


def where(verdict: Verdict) -> str:
    """``at 20 labels per class``, or ``with all labels``."""
    labels = verdict.outcomes.labels_per_class
    return "with all labels" if labels is None else f"at {labels} labels per class"


def helped(verdict: Verdict) -> str:
    """The first answer: whether pretraining helped."""
    return {True: "yes", False: "no, it hurt", None: "undecided"}[verdict.helped]


def unbeaten(verdict: Verdict) -> str:
    """The second answer: a winner, a tie, or undecided among those that nothing beat."""
    left = verdict.left
    if len(verdict.outcomes.correct) < 2:
        return f"no verdict: {f'only {left[0]} is' if left else 'no arm is'} fit to be compared"
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
    best = max(frozen, key=verdict.score)
    others = [arm for arm in correct if arm not in frozen]
    loss, rival = max((interval(verdict.contrasts[other, best], verdict.alpha)[1], other) for other in others)
    if loss <= 0:
        return f"{best} loses to no other arm"
    return f"{best} loses at most {points(loss)} (to {rival})"


def cautions(verdicts: Sequence[Verdict]) -> list[str]:
    """What a reader must know before trusting the answers, the level first."""
    if not verdicts:
        return []
    split = f", split over {len(verdicts)} budgets" if len(verdicts) > 1 else ""
    said = [f"Level: {100 * LEVEL:g} %{split}; docs/protocol.md shows how often that errs where the truth is known."]
    if any(len(verdict.outcomes.seeds) == 1 for verdict in verdicts):
        said.append("With one seed a verdict speaks for these trained networks only.")
    if (looks := max(verdict.outcomes.looks for verdict in verdicts)) > 1:
        said.append(
            f"Seeds were added {_times(looks - 1)} after results could be seen: {looks} looks, so that a false answer "
            f"has a chance of up to {100 * min(1, looks * LEVEL):g} % instead of {100 * LEVEL:g} %."
        )
    return said + [sentence for verdict in verdicts for sentence in _about(verdict)]


def _about(verdict: Verdict) -> list[str]:
    table = verdict.outcomes
    said = [f"refused {where(verdict)}: {arm}: {reason}" for arm, reason in table.refused.items()]
    said += [
        f"left out {where(verdict)}: {_seeds(seeds)} of {arm}, which other arms lack"
        for arm, seeds in table.left_out.items()
    ]
    said += [
        f"{where(verdict)}, {arm} took every test image for one class with {_seeds(seeds)}"
        for arm, seeds in table.constant.items()
    ]
    fewest = np.unique(table.labels, return_counts=True)[1].min(initial=FEW)
    if verdict.metric == "balanced_accuracy" and fewest < FEW:
        said.append(f"{where(verdict)}, the rarest class has {fewest} test images, and balanced accuracy leans on them")
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


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
