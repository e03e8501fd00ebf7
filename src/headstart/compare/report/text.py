"""Describes a verdict in words, for the terminal and the page."""

from collections.abc import Callable, Sequence

from headstart.compare.collect.missing_runs import UnfinishedSweep
from headstart.compare.declaration import DEFAULT_CONTRAST
from headstart.compare.inference.crossover import group_by_data_set
from headstart.compare.inference.verdict import Verdict, frozen_loss_bound
from headstart.reporting.finding_kinds import FINDING_KINDS
from headstart.reporting.formats import format_points, join_with_and, pluralize

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


def describe_table_row(folds: int, has_repeated_seeds: bool, is_excluded: bool) -> list[str]:
    """Lists the notes of an arm's row in the table."""
    notes = ["refused"] if is_excluded else []
    notes += [f"{folds} folds"] if folds > 1 else []
    return notes + (["several runs of one seed"] if has_repeated_seeds else [])


def declared_question(verdict: Verdict) -> str | None:
    """Returns the question of the declared contrast; None where an arm of it is missing or ambiguous."""
    if not all(len(verdict.table.find_arms(name)) == 1 for name in verdict.declared_contrast):
        return None
    if _is_about_pretraining(verdict):
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
        return "the same within the margin" if verdict.is_within_margin else "undecided"
    worse = "no, it hurt" if _is_about_pretraining(verdict) else "no, it is worse"
    return ("yes" if verdict.is_first_better else worse) + (
        ", by less than the margin" if verdict.is_within_margin else ""
    )


def _is_about_pretraining(verdict: Verdict) -> bool:
    return tuple(verdict.table.models[arm] for arm in declared_arms(verdict)) == DEFAULT_CONTRAST


def unbeaten_question(metric: str) -> str:
    return "Which arms did nothing beat" + ("?" if metric == "accuracy" else f" by {metric.replace('_', ' ')}?")


def describe_unbeaten(verdict: Verdict) -> str:
    """Names the winner, the tie, or the undecided arms."""
    unbeaten = verdict.unbeaten
    if reason := missing_verdict_reason(verdict):
        return f"no verdict: {reason}"
    if len(unbeaten) == 1:
        return f"{unbeaten[0]} wins" + (", by less than the margin" if verdict.has_small_lead else "")
    if verdict.is_tie:
        margin = f"{format_points(verdict.margin)}{format_metric_suffix(verdict.metric)}"
        return f"a tie of {join_with_and(unbeaten)}: within {margin}"
    undecided = f"undecided {between_or_among(unbeaten)} {join_with_and(unbeaten)}"
    beats_all = all(set(unbeaten) <= set(winners) for winners in verdict.beaten_by.values())
    if verdict.beaten_by and beats_all:
        return f"{undecided}; each beats {join_with_and(sorted(verdict.beaten_by))}"
    beaten = f"; beaten: {', '.join(sorted(verdict.beaten_by))}" if verdict.beaten_by else ""
    return undecided + beaten


def between_or_among(arms: Sequence[str]) -> str:
    """``between`` two arms, ``among`` more."""
    return "between" if len(arms) == 2 else "among"


def missing_verdict_reason(verdict: Verdict) -> str | None:
    """Returns why no arm can be called unbeaten; None where one can."""
    table = verdict.table
    if table.error or len(table.correct) > 1:
        return table.error
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


def describe_frozen_losses(verdicts: Sequence[Verdict]) -> list[str]:
    """Describes the largest plausible loss of the frozen arm at each budget."""
    return merge_by_budget(verdicts, lambda verdict: [loss] if (loss := describe_frozen_loss(verdict)) else [])


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
