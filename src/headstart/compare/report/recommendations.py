"""What to do next: where the order of arms changes, and what would settle what is open. In sentences."""

import math
from collections.abc import Sequence

from headstart.compare.inference.crossover import find_crossovers, group_by_data_set
from headstart.compare.inference.power import min_images_for_tie, required_sample_size
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report.text import format_metric_suffix, format_points, join_with_and, merge_by_budget


def recommend_next_steps(verdicts: Sequence[Verdict]) -> list[str]:
    """Where the order of arms changes, and what would settle what is open."""
    curves = group_by_data_set(verdicts)
    said = [
        f"{data}: {sentence}" if len(curves) > 1 else sentence
        for data, found in curves.items()
        for sentence in _describe_crossovers(found)
    ]
    said += merge_by_budget(verdicts, _describe_required_sample)
    too_few = merge_by_budget(verdicts, _explain_tie_out_of_reach)
    if too_few and all(verdict.table.folds == 1 for verdict in verdicts):
        own = "Unless the data bring a test part of their own"
        too_few.append(f"{own}, data.folds=5 tests every image once per seed, instead of one part of them.")
    return said + too_few


def _explain_tie_out_of_reach(verdict: Verdict) -> list[str]:
    least = min_images_for_tie(verdict.alpha, verdict.margin)
    if len(verdict.unbeaten) < 2 or verdict.is_tie or verdict.table.num_images >= least:
        return []
    margin = f"{format_points(verdict.margin)}{format_metric_suffix(verdict.metric)}"
    return [f"a tie within {margin} takes at least {least} test images; here are {verdict.table.num_images}"]


def _describe_crossovers(verdicts: Sequence[Verdict]) -> list[str]:
    """Where the order changes between measured budgets of the same test images; whether it does for the declared
    arms."""
    found = find_crossovers(verdicts)
    said = [
        f"The order of {change.first} and {change.then} changes between {_format_budget_range(change.before, change.after)}: "
        f"{change.first} is better at the smaller budget, {change.then} at the larger."
        for change in found
    ]
    declared = [verdict for verdict in verdicts if verdict.declared_pair]
    if len(declared) > 1 and not any(
        {change.first, change.then} == set(declared[0].declared_pair or ()) for change in found
    ):
        first, last = (verdict.table.labels_per_class for verdict in (declared[0], declared[-1]))
        arms, where_ = join_with_and(declared[0].declared_pair or ()), _format_budget_range(first, last)
        if all(verdict.is_first_better is None and not verdict.is_within_margin for verdict in declared):
            said.append(f"Whether the order of {arms} changes between {where_} is open.")
        else:
            said.append(f"No crossover of {arms} is seen between {where_}.")
    return said


def _format_budget_range(low: int | None, high: int | None) -> str:
    return f"{low} labels per class and all" if high is None else f"{low} and {high} labels per class"


def _describe_required_sample(verdict: Verdict) -> list[str]:
    """What would answer the declared contrast, where it is open."""
    if verdict.declared_pair is None or verdict.is_first_better is not None or verdict.is_within_margin:
        return []
    return [f"{' against '.join(verdict.declared_pair)}: {_format_required_sample(verdict)}"]


def _format_required_sample(verdict: Verdict) -> str:
    more = required_sample_size(verdict)
    if more is None:
        return "one seed says nothing of how trainings scatter; give more, such as seed=0,1,2,3,4"
    seeds, images = (_format_range(*figure) if figure[0] < math.inf else None for figure in (more.seeds, more.images))
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


def _format_range(low: float, high: float) -> str:
    """``500 to 900``; ``at least 500`` where even a fair chance lies beyond what anybody collects."""
    shown = [f"{figure:,.0f}" for figure in (low, high) if figure < math.inf]
    return f"at least {shown[0]}" if len(shown) == 1 else " to ".join(dict.fromkeys(shown))
