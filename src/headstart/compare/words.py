"""The sentences of a verdict, for the terminal and the page alike."""

import math
from collections.abc import Sequence

import numpy as np

from headstart.compare.comparison import DECLARED
from headstart.compare.crossover import by_data, crossovers
from headstart.compare.planning import images_for_a_tie, needed
from headstart.compare.statistics import interval
from headstart.compare.verdict import Verdict

FROZEN = "frozen"  # the model whose loss is always said: it is the cheap one
FEW = 10  # test images of a class: its accuracy is then hardly known


def budget(labels_per_class: int | None) -> str:
    """``20``, or ``all``."""
    return "all" if labels_per_class is None else str(labels_per_class)


def where(verdict: Verdict) -> str:
    """``at 20 labels per class``, or ``with all labels``."""
    labels = verdict.outcomes.labels_per_class
    return "with all labels" if labels is None else f"at {labels} labels per class"


def question(verdict: Verdict) -> str:
    """What the declared contrast asks."""
    if verdict.declared is None or _of_pretraining(verdict):
        return "Did pretraining help?"
    first, second = verdict.declared
    return f"Is {first} better than {second}?"


def helped(verdict: Verdict) -> str:
    """The first answer: whether pretraining helped, or whatever else was asked."""
    worse = "no, it hurt" if _of_pretraining(verdict) else "no, it is worse"
    return {True: "yes", False: worse, None: "undecided"}[verdict.helped]


def _of_pretraining(verdict: Verdict) -> bool:
    return tuple(verdict.outcomes.models[arm] for arm in verdict.declared or ()) in ((), DECLARED)


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
    return f"{best} loses at most {points(math.ceil(1000 * loss) / 1000)} (to {rival})"


def cautions(verdicts: Sequence[Verdict]) -> list[str]:
    """What a reader must know before trusting the answers, the level first."""
    if not verdicts:
        return []
    level = 100 * sum(verdict.alpha for verdict in verdicts)
    split = f", split over {len(verdicts)} budgets" if len(verdicts) > 1 else ""
    said = [f"Level: {level:.3g} %{split}; docs/protocol.md shows how often that errs where the truth is known."]
    if any(len(verdict.outcomes.seeds) == 1 for verdict in verdicts):
        said.append("With one seed a verdict speaks for these trained networks only.")
    if (looks := max(verdict.outcomes.looks for verdict in verdicts)) > 1:
        said.append(
            f"Seeds were added {_times(looks - 1)} after results could be seen: {looks} looks, so that a false answer "
            f"has a chance of up to {min(100, looks * level):.3g} % instead of {level:.3g} %."
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
    """Where the order of arms changes, and what would settle what is open."""
    said = [sentence for found in by_data(verdicts).values() for sentence in _order(found)]
    for verdict in verdicts:
        if verdict.declared and verdict.helped is None:
            said.append(f"{' against '.join(verdict.declared)} {where(verdict)}: {_settling(verdict)}")
    open_ones = [verdict for verdict in verdicts if len(verdict.left) > 1 and not verdict.tie]
    few = [v for v in open_ones if v.outcomes.images < images_for_a_tie(v.alpha, v.margin)]
    if few:
        least, have = images_for_a_tie(few[0].alpha, few[0].margin), few[0].outcomes.images
        said.append(f"A tie within {points(few[0].margin)} takes at least {least} test images; here are {have}.")
        if few[0].outcomes.folds == 1:
            said.append("data.folds=5 tests every image once per seed, instead of one part of them.")
    return said


def _order(verdicts: Sequence[Verdict]) -> list[str]:
    """Where the order changes between measured budgets of a data set; whether it does for the declared arms."""
    found = crossovers(verdicts)
    said = [
        f"The order of {change.first} and {change.then} changes between {_span(change.before, change.after)}: "
        f"{change.first} is better at the smaller budget, {change.then} at the larger."
        for change in found
    ]
    declared = [verdict for verdict in verdicts if verdict.declared]
    if len(declared) > 1 and not any(
        {change.first, change.then} == set(declared[0].declared or ()) for change in found
    ):
        first, last = (verdict.outcomes.labels_per_class for verdict in (declared[0], declared[-1]))
        arms, where_ = named(declared[0].declared or ()), _span(first, last)
        if all(verdict.helped is None for verdict in declared):
            said.append(f"Whether the order of {arms} changes between {where_} is open.")
        else:
            said.append(f"No crossover of {arms} is seen between {where_}.")
    return said


def _span(low: int | None, high: int | None) -> str:
    return f"{low} labels per class and all" if high is None else f"{low} and {high} labels per class"


def _settling(verdict: Verdict) -> str:
    more = needed(verdict)
    if more is None:
        return "one seed says nothing of how trainings scatter; give more, such as seed=0,1,2,3,4"
    seeds, images = (_range(*figure) if figure[0] < math.inf else None for figure in (more.seeds, more.images))
    supposed = "if the difference is what it seems"
    if images and seeds:
        return f"{seeds} more seeds or {images} more test images would settle it, {supposed}"
    if seeds:
        return f"no number of test images can settle it, only more seeds: {seeds}, {supposed}"
    if images:
        return f"no number of seeds can settle it, only more test images: {images}, {supposed}"
    return "neither more seeds nor more test images alone would settle a difference as small as it seems"


def _range(low: float, high: float) -> str:
    """``500 to 900``, to two figures; ``at least 500`` where even a fair chance lies beyond what anybody collects."""
    shown = [f"{float(f'{max(figure, 1):.2g}'):,.0f}" for figure in (low, high) if figure < math.inf]
    return f"at least {shown[0]}" if len(shown) == 1 else " to ".join(dict.fromkeys(shown))


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
