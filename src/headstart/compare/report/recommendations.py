"""Recommends next steps: what would decide an open verdict, and where the order of arms changes."""

import math
from collections.abc import Sequence

from headstart.compare.inference.crossover import find_crossovers, group_by_data_set
from headstart.compare.inference.power import min_images_for_tie, required_sample_size
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report.text import format_metric_suffix, merge_by_budget
from headstart.reporting.formats import format_points, join_with_and


def recommend_next_steps(verdicts: Sequence[Verdict]) -> list[str]:
    """Describes in sentences where the order of arms changes, and what would decide an open verdict."""
    data_sets = group_by_data_set(verdicts)
    sentences = [
        f"{data}: {sentence}" if len(data_sets) > 1 else sentence
        for data, data_verdicts in data_sets.items()
        for sentence in _describe_crossovers(data_verdicts)
    ]
    sentences += merge_by_budget(verdicts, _describe_required_sample)
    too_few = merge_by_budget(verdicts, _explain_tie_out_of_reach)
    if too_few and all(verdict.table.folds == 1 for verdict in verdicts):
        too_few.append(
            "data.folds=5 tests each image once per seed, instead of a part of them; data with a test part of their "
            "own have no folds."
        )
    return sentences + too_few


def _explain_tie_out_of_reach(verdict: Verdict) -> list[str]:
    min_images = min_images_for_tie(verdict.alpha, verdict.margin)
    if len(verdict.unbeaten) < 2 or verdict.is_tie or verdict.table.num_images >= min_images:
        return []
    margin = f"{format_points(verdict.margin)}{format_metric_suffix(verdict.metric)}"
    return [f"a tie within {margin} takes at least {min_images} test images; here are {verdict.table.num_images}"]


def _describe_crossovers(verdicts: list[Verdict]) -> list[str]:
    """Describes where the order of arms changes between budgets, and whether that of the declared arms does."""
    crossovers = find_crossovers(verdicts)
    sentences = [
        f"The order of {change.first} and {change.then} changes between "
        f"{_format_budget_range(change.before, change.after)}: {change.first} is better at the smaller budget, "
        f"{change.then} at the larger."
        for change in crossovers
    ]
    declared = [verdict for verdict in verdicts if verdict.declared_pair]
    if len(declared) > 1 and not any(
        {change.first, change.then} == set(declared[0].declared_pair or ()) for change in crossovers
    ):
        first, last = (verdict.table.labels_per_class for verdict in (declared[0], declared[-1]))
        arms, budgets = join_with_and(declared[0].declared_pair or ()), _format_budget_range(first, last)
        if all(verdict.is_first_better is None and not verdict.is_within_margin for verdict in declared):
            sentences.append(f"Whether the order of {arms} changes between {budgets} is open.")
        else:
            sentences.append(f"No crossover of {arms} is seen between {budgets}.")
    return sentences


def _format_budget_range(low: int | None, high: int | None) -> str:
    return f"{low} labels per class and all" if high is None else f"{low} and {high} labels per class"


def _describe_required_sample(verdict: Verdict) -> list[str]:
    """Describes the sample that would decide the declared contrast, where it is open."""
    if verdict.declared_pair is None or verdict.is_first_better is not None or verdict.is_within_margin:
        return []
    return [f"{' against '.join(verdict.declared_pair)}: {_format_required_sample(verdict)}"]


def _format_required_sample(verdict: Verdict) -> str:
    sample = required_sample_size(verdict)
    if sample is None:
        return "one seed does not show the spread between trainings; give more, such as seed=0,1,2,3,4"
    seeds, images = (
        _format_range(*numbers) if numbers[0] < math.inf else None for numbers in (sample.seeds, sample.images)
    )
    low_chance, high_chance = (f"{100 * chance:.0f} %" for chance in sample.chances)
    assumption = "if the true difference is the observed one"
    if not images and not seeds:
        limits = f"{sample.most_seeds:,} seeds nor {sample.most_images:,.0f} test images in all"
        return f"neither {limits} give an answer with a chance of {low_chance}, {assumption}"
    options = [f"{seeds} more seed{'s' if seeds != '1' else ''}"] if seeds else []
    options += [f"{images} more test images"] if images else []
    answer = f"{' or '.join(options)} give an answer with a chance of {low_chance} to {high_chance}, {assumption}"
    if images and seeds:
        return answer
    other, limit = ("test images", sample.most_images) if seeds else ("seeds", sample.most_seeds)
    return f"{answer}; more {other} alone do not, up to {limit:,.0f} in all"


def _format_range(low: float, high: float) -> str:
    """``500 to 900``; ``at least 500`` where the larger number is out of reach."""
    numbers = [f"{number:,.0f}" for number in (low, high) if number < math.inf]
    return f"at least {numbers[0]}" if len(numbers) == 1 else " to ".join(dict.fromkeys(numbers))
