"""Describes a verdict in words, for the terminal and the page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headstart.compare.collect.missing_runs import UnfinishedSweep
from headstart.compare.declaration import DEFAULT_CONTRAST
from headstart.compare.inference.crossover import find_crossovers, group_by_data_set
from headstart.compare.inference.verdict import Verdict, frozen_loss_bound
from headstart.reporting.finding_kinds import FINDING_KINDS
from headstart.reporting.formats import format_percent, format_points, format_signed_points, join_with_and, pluralize

PROTOCOL_REFERENCE = "“How a comparison is made, and what its answer means” (docs/protocol.md of Headstart)"
MODEL_DESCRIPTIONS = {
    "finetune": "a pretrained network that goes on training on these images",
    "frozen": "a pretrained network as it is; only a new last layer is trained",
    "scratch_backbone": "the network of the pretrained arms, trained from random weights",
    "scratch_cnn": "a small network, trained from random weights",
    "distilled": "a pretrained network that goes on training and also learns from a larger one",
    "partial_transfer": "the first stages of a pretrained network, the others from random weights",
}


def format_budget(labels_per_class: int | None) -> str:
    """``20``, or ``all``."""
    return "all" if labels_per_class is None else str(labels_per_class)


def format_budgets(*verdicts: Verdict) -> str:
    """``at 20 labels per class``, ``at 5 and 10 labels per class and with all labels``."""
    budgets = {verdict.table.labels_per_class: None for verdict in verdicts}
    limited = [format_budget(labels) for labels in budgets if labels is not None]
    at_limited = [f"at {join_with_and(limited)} labels per class"] if limited else []
    return " and ".join([*at_limited, *(["with all labels"] if None in budgets else [])])


def format_metric_suffix(metric: str) -> str:
    """``of balanced accuracy``, to follow a number of points; empty for plain accuracy, which readers expect."""
    return "" if metric == "accuracy" else f" of {metric.replace('_', ' ')}"


def format_difference(values: Mapping[str, Any], metric: str) -> str:
    """``+4.4 points (+1.3 to +7.5)``.

    Args:
        values: ``difference``, ``low`` and ``high``, of 1.
        metric: of the verdict.
    """
    difference, low, high = (format_signed_points(values[key]) for key in ("difference", "low", "high"))
    return f"{difference} points{format_metric_suffix(metric)} ({low} to {high})"


def format_accuracy(mean: float, low: float, high: float, metric: str) -> str:
    """``93.4 % correct (91.2 to 95.1)``; all of 1."""
    unit = "correct" if metric == "accuracy" else metric.replace("_", " ")
    return f"{format_percent(mean)} % {unit} ({format_percent(low)} to {format_percent(high)})"


def describe_table_row(folds: int, has_repeated_seeds: bool, is_excluded: bool) -> list[str]:
    """Lists the notes of an arm's row in the table."""
    notes = ["refused"] if is_excluded else []
    notes += [f"{folds} folds"] if folds > 1 else []
    return notes + (["several runs of one seed"] if has_repeated_seeds else [])


def declared_question(verdict: Verdict) -> str | None:
    """Returns the question of the declared contrast; None where an arm of it is missing or ambiguous."""
    if not all(len(verdict.table.find_arms(name)) == 1 for name in verdict.declared_contrast):
        return None
    if is_about_pretraining(verdict):
        return "Did pretraining help?"
    first, second = declared_arms(verdict)
    return f"Is {first} better than {second}?"


def declared_arms(verdict: Verdict) -> list[str]:
    """Returns the arms of the declared contrast, excluded ones included."""
    return [arm for name in verdict.declared_contrast for arm in verdict.table.find_arms(name)]


def describe_declared_answer(verdict: Verdict) -> str:
    """Answers the declared question."""
    if verdict.declared_pair is None:
        excluded = [arm for arm in declared_arms(verdict) if arm in verdict.table.exclusions]
        verb = "was" if len(excluded) == 1 else "were"
        return f"no answer: {join_with_and(excluded)} {verb} refused" if excluded else "no answer"
    if verdict.is_first_better is None:
        return "the same within the margin" if verdict.is_within_margin else describe_open_answer(verdict)
    worse = "no, it hurt" if is_about_pretraining(verdict) else "no, it is worse"
    return ("yes" if verdict.is_first_better else worse) + (
        ", by less than the margin" if verdict.is_within_margin else ""
    )


def describe_open_answer(verdict: Verdict) -> str:
    """``not clear yet``; where more seeds are unlikely to make it clear, ``not clear``."""
    return "not clear" if verdict.stopped_for_futility else "not clear yet"


def is_about_pretraining(verdict: Verdict) -> bool:
    """Whether the declared contrast is that of one network from two starts."""
    return tuple(verdict.table.models[arm] for arm in declared_arms(verdict)) == DEFAULT_CONTRAST


def unbeaten_question(metric: str) -> str:
    by_metric = "" if metric == "accuracy" else f" by {metric.replace('_', ' ')}"
    return f"Which approaches are still in the running{by_metric}?"


def describe_unbeaten(verdict: Verdict) -> str:
    """Names the arms that are unbeaten, and those that are beaten."""
    if reason := missing_verdict_reason(verdict):
        return f"no verdict: {reason}"
    unbeaten = verdict.unbeaten
    if len(unbeaten) == 1:
        lead = ", though by less than the margin" if verdict.has_small_lead else ""
        return f"only {unbeaten[0]}{lead}"
    if verdict.is_tie:
        margin = f"{format_points(verdict.margin)}{format_metric_suffix(verdict.metric)}"
        return f"{join_with_and(unbeaten)}, equal within {margin}{_describe_beaten(verdict)}"
    return f"{join_with_and(unbeaten)}{_describe_beaten(verdict)}"


def _describe_beaten(verdict: Verdict) -> str:
    arms = [
        f"{arm} ({pluralize(verdict.dropped[arm], 'seed')})" if arm in verdict.dropped else arm
        for arm in sorted(verdict.beaten_by)
    ]
    return f"; beaten: {', '.join(arms)}" if arms else ""


def describe_dropped(verdict: Verdict) -> str:
    """Describes when each arm stopped training: ``Stopped: scratch_cnn after 3 seeds.``; empty where none did."""
    arms = [f"{arm} after {pluralize(seeds, 'seed')}" for arm, seeds in sorted(verdict.dropped.items())]
    return f"Stopped: {join_with_and(arms)}." if arms else ""


def missing_verdict_reason(verdict: Verdict) -> str | None:
    """Returns why no arm can be called unbeaten; None where one can."""
    table = verdict.table
    if table.error or len(table.correct) > 1:
        return table.error
    if not table.seeds and verdict.next_look:
        seeds = pluralize(verdict.next_look.seeds, "seed")
        return f"the first look is after {seeds} of each arm; the same command goes on"
    if not table.seeds and len(table.models.keys() - table.exclusions.keys()) > 1:
        return "its arms share no seed; train the missing seeds"
    return f"{f'only {verdict.unbeaten[0]} is' if verdict.unbeaten else 'no arm is'} fit to be compared"


def describe_frozen_loss(verdict: Verdict) -> str | None:
    """Describes the largest plausible loss of the frozen arm; None without a frozen arm."""
    bound = frozen_loss_bound(verdict)
    if bound is None:
        return None
    confidence = f"with {100 * (1 - verdict.alpha):.3g} % confidence"
    if bound.loss <= 0:
        return f"{bound.arm} loses to no other arm, {confidence}"
    loss = f"{format_points(bound.loss)}{format_metric_suffix(verdict.metric)}"
    return f"{bound.arm} loses at most {loss} (to {bound.rival}), {confidence}"


def describe_next_step(minutes: int, arms: Sequence[str], is_least: bool = False) -> str:
    """``about 13 minutes, to decide between finetune and frozen``; ``more than`` where an arm's time is not known."""
    duration = f"{'more than' if is_least else 'about'} {pluralize(minutes, 'minute')}"
    return duration + (f", to decide between {join_with_and(arms)}" if arms else "")


def describe_crossovers(verdicts: Sequence[Verdict]) -> list[str]:
    """Describes where the order of two arms changes between budgets."""
    crossovers, has_several = find_crossovers(verdicts), len(group_by_data_set(verdicts)) > 1
    return [
        f"{f'{change.data}: ' if has_several else ''}The order of {change.first} and {change.then} changes between "
        f"{_format_budget_range(change.before, change.after)}: {change.first} is better at the smaller budget, "
        f"{change.then} at the larger."
        for change in crossovers
    ]


def _format_budget_range(low: int | None, high: int | None) -> str:
    return f"{low} labels per class and all" if high is None else f"{low} and {high} labels per class"


def describe_unfinished_sweep(sweep: UnfinishedSweep) -> str:
    """Describes the missing and the incomplete runs of a sweep."""
    begun = pluralize(sweep.begun, "run has begun", "runs have begun")
    if not sweep.missing:
        return f"Not finished: {begun} and not ended; the same command continues."
    also = f", and {begun}" if sweep.begun else ""
    verb = "is" if sweep.missing == 1 else "are"
    return (
        f"Not finished: {sweep.missing:,} of {sweep.asked:,} runs {verb} missing{also}. "
        "The answers are those of the present runs; the same command continues with the others."
    )


def merge_by_budget(verdicts: Sequence[Verdict], describe: Callable[[Verdict], list[str]]) -> list[str]:
    """Describes verdicts in sentences; one sentence names all budgets of a data set with the same description."""
    alike: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        for description in describe(verdict):
            alike.setdefault((verdict.table.data, description), []).append(verdict)
    has_several = len(group_by_data_set(verdicts)) > 1
    sentences = []
    for (data, description), alike_budgets in alike.items():
        budgets = format_budgets(*alike_budgets)
        place = f"{data}, {budgets}" if has_several else budgets[:1].upper() + budgets[1:]
        sentences.append(f"{place}, {description}.")
    return sentences


def describe_model(arm: str) -> str:
    """Describes the model of an arm; empty for a model of a user's."""
    return MODEL_DESCRIPTIONS.get(arm.partition(" ")[0], "")


def finding_label(kind: str) -> str:
    """Describes a kind of finding of the audit."""
    return FINDING_KINDS.get(kind, kind.replace("_", " "))
