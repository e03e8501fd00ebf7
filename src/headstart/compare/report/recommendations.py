"""What to do next: where the order of arms changes, and what would settle what is open. In sentences."""

import math
from collections.abc import Sequence

from headstart.compare.inference.crossover import by_data, crossovers
from headstart.compare.inference.power import images_for_a_tie, needed
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report.text import named, of_metric, once, points


def next_steps(verdicts: Sequence[Verdict]) -> list[str]:
    """Where the order of arms changes, and what would settle what is open."""
    curves = by_data(verdicts)
    said = [
        f"{data}: {sentence}" if len(curves) > 1 else sentence
        for data, found in curves.items()
        for sentence in _order(found)
    ]
    said += once(verdicts, _settling)
    too_few = once(verdicts, _tie_out_of_reach)
    if too_few and all(verdict.outcomes.folds == 1 for verdict in verdicts):
        own = "Unless the data bring a test part of their own"
        too_few.append(f"{own}, data.folds=5 tests every image once per seed, instead of one part of them.")
    return said + too_few


def _tie_out_of_reach(verdict: Verdict) -> list[str]:
    least = images_for_a_tie(verdict.alpha, verdict.margin)
    if len(verdict.left) < 2 or verdict.tie or verdict.outcomes.images >= least:
        return []
    margin = f"{points(verdict.margin)}{of_metric(verdict.metric)}"
    return [f"a tie within {margin} takes at least {least} test images; here are {verdict.outcomes.images}"]


def _order(verdicts: Sequence[Verdict]) -> list[str]:
    """Where the order changes between measured budgets of the same test images; whether it does for the declared
    arms."""
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
        if all(verdict.helped is None and not verdict.close for verdict in declared):
            said.append(f"Whether the order of {arms} changes between {where_} is open.")
        else:
            said.append(f"No crossover of {arms} is seen between {where_}.")
    return said


def _span(low: int | None, high: int | None) -> str:
    return f"{low} labels per class and all" if high is None else f"{low} and {high} labels per class"


def _settling(verdict: Verdict) -> list[str]:
    """What would answer the declared contrast, where it is open."""
    if verdict.declared is None or verdict.helped is not None or verdict.close:
        return []
    return [f"{' against '.join(verdict.declared)}: {_what_it_takes(verdict)}"]


def _what_it_takes(verdict: Verdict) -> str:
    more = needed(verdict)
    if more is None:
        return "one seed says nothing of how trainings scatter; give more, such as seed=0,1,2,3,4"
    seeds, images = (_range(*figure) if figure[0] < math.inf else None for figure in (more.seeds, more.images))
    even, good = (f"{100 * chance:.0f} %" for chance in more.chances)
    supposed = "if the difference is what it seems"
    if not images and not seeds:
        most = f"{more.most_seeds:,} seeds nor {more.most_images:,.0f} test images in all"
        return f"neither {most} give an answer with a chance of {even}, {supposed}"
    ways = [f"{seeds} more seed{'s' if seeds != '1' else ''}"] * bool(seeds)
    ways += [f"{images} more test images"] * bool(images)
    said = f"{' or '.join(ways)} give an answer with a chance of {even} to {good}, {supposed}"
    if images and seeds:
        return said
    other, limit = ("test images", more.most_images) if seeds else ("seeds", more.most_seeds)
    return f"{said}; more {other} alone do not, up to {limit:,.0f} in all"


def _range(low: float, high: float) -> str:
    """``500 to 900``; ``at least 500`` where even a fair chance lies beyond what anybody collects."""
    shown = [f"{figure:,.0f}" for figure in (low, high) if figure < math.inf]
    return f"at least {shown[0]}" if len(shown) == 1 else " to ".join(dict.fromkeys(shown))
