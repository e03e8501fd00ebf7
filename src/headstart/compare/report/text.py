"""The sentences of a verdict, for the terminal and the page alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from headstart.compare.collect.missing_runs import UnfinishedSweep
from headstart.compare.declaration import DEFAULT_CONTRAST
from headstart.compare.inference.crossover import group_by_data_set
from headstart.compare.inference.verdict import Verdict, frozen_loss_bound
from headstart.reporting.finding_kinds import FINDING_KINDS

PROTOCOL_REFERENCE = "“How a comparison is made, and what its answer means” (docs/protocol.md of Headstart)"
ERROR_RATE_REFERENCE = f"{PROTOCOL_REFERENCE} shows how often that errs where the truth is known."
MODEL_DESCRIPTIONS = {  # of the models, for whoever meets their names
    "finetune": "a pretrained network that goes on training on these images",
    "frozen": "a pretrained network as it is; only a new last layer is trained",
    "scratch_backbone": "the network of the pretrained arms, trained from random weights",
    "scratch_cnn": "a small network, trained from random weights",
    "distilled": "a pretrained network that goes on training and learns from a larger one, too",
    "partial_transfer": "the first stages of a pretrained network, the others from random weights",
}
MIN_IMAGES_OF_A_CLASS = 10  # test images of a class: its accuracy is then hardly known


def format_budget(labels_per_class: int | None) -> str:
    """``20``, or ``all``."""
    return "all" if labels_per_class is None else str(labels_per_class)


def format_budgets(*verdicts: Verdict) -> str:
    """``at 20 labels per class``, ``at 5 and 10 labels per class and with all labels``."""
    budgets = {v.table.labels_per_class: None for v in verdicts}
    some = [format_budget(k) for k in budgets if k is not None]
    at = [f"at {join_with_and(some)} labels per class"] if some else []
    return " and ".join([*at, *(["with all labels"] if None in budgets else [])])


def format_metric_suffix(metric: str) -> str:
    """What points are of, to follow them: nothing where they are of plain accuracy, which is what anybody expects."""
    return "" if metric == "accuracy" else f" of {metric.replace('_', ' ')}"


def describe_table_row(folds: int, has_repeated_seeds: bool, is_excluded: bool) -> list[str]:
    """What must stand beside an arm's row: that it is no evidence, or what its runs are."""
    said = ["refused"] if is_excluded else []
    said += [f"{folds} folds"] if folds > 1 else []
    return said + (["several runs of one seed"] if has_repeated_seeds else [])


def declared_question(verdict: Verdict) -> str | None:
    """What the declared contrast asks; None where its arms are not there."""
    if not all(len(verdict.table.find_arms(name)) == 1 for name in verdict.declared_contrast):
        return None
    if _is_about_pretraining(verdict):
        return "Did pretraining help?"
    first, second = declared_arms(verdict)
    return f"Is {first} better than {second}?"


def declared_arms(verdict: Verdict) -> list[str]:
    """The arms of the declared contrast, refused ones among them."""
    return [arm for name in verdict.declared_contrast for arm in verdict.table.find_arms(name)]


def describe_declared_answer(verdict: Verdict) -> str:
    """The first answer: whether pretraining helped, or whatever else was asked."""
    if verdict.declared_pair is None:
        refused = [arm for arm in declared_arms(verdict) if arm in verdict.table.exclusions]
        were = "was" if len(refused) == 1 else "were"
        return f"no answer: {join_with_and(refused)} {were} refused" if refused else "no answer"
    if verdict.is_first_better is None:
        return "the same within the margin" if verdict.is_within_margin else "undecided"
    worse = "no, it hurt" if _is_about_pretraining(verdict) else "no, it is worse"
    return ("yes" if verdict.is_first_better else worse) + (
        ", by less than the margin" if verdict.is_within_margin else ""
    )


def _is_about_pretraining(verdict: Verdict) -> bool:
    return tuple(verdict.table.models[arm] for arm in declared_arms(verdict)) == DEFAULT_CONTRAST


def unbeaten_question(metric: str) -> str:
    """The second question."""
    return "Which arms did nothing beat" + ("?" if metric == "accuracy" else f" by {metric.replace('_', ' ')}?")


def describe_unbeaten(verdict: Verdict) -> str:
    """The second answer: a winner, a tie, or undecided among those that nothing beat."""
    left = verdict.unbeaten
    if reason := missing_verdict_reason(verdict):
        return f"no verdict: {reason}"
    if len(left) == 1:
        return f"{left[0]} wins" + (", by less than the margin" if verdict.has_small_lead else "")
    if verdict.is_tie:
        return f"a tie of {join_with_and(left)}: within {format_points(verdict.margin)}{format_metric_suffix(verdict.metric)}"
    undecided = f"undecided {between_or_among(left)} {join_with_and(left)}"
    beats_all = all(set(left) <= set(winners) for winners in verdict.beaten_by.values())
    if verdict.beaten_by and beats_all:
        return f"{undecided}; each beats {' and '.join(sorted(verdict.beaten_by))}"
    beaten = f"; beaten: {', '.join(sorted(verdict.beaten_by))}" if verdict.beaten_by else ""
    return undecided + beaten


def between_or_among(arms: Sequence[str]) -> str:
    """``between`` two, ``among`` more."""
    return "between" if len(arms) == 2 else "among"


def missing_verdict_reason(verdict: Verdict) -> str | None:
    """Why there is no second answer; None where there is one."""
    table = verdict.table
    if table.error or len(table.correct) > 1:
        return table.error
    if not table.seeds and len(table.models.keys() - table.exclusions.keys()) > 1:
        return "its arms share no seed; train the seeds that are missing"
    return f"{f'only {verdict.unbeaten[0]} is' if verdict.unbeaten else 'no arm is'} fit to be compared"


def describe_frozen_loss(verdict: Verdict) -> str | None:
    """What the frozen backbone costs at most against any other arm; None where there is no frozen arm."""
    found = frozen_loss_bound(verdict)
    if found is None:
        return None
    sure = f"with {100 * (1 - verdict.alpha):.3g} % confidence"
    if found.loss <= 0:
        return f"{found.arm} loses to no other arm, {sure}"
    most = f"{format_points(found.loss)}{format_metric_suffix(verdict.metric)}"
    return f"{found.arm} loses at most {most} (to {found.rival}), {sure}"


def describe_frozen_losses(verdicts: Sequence[Verdict]) -> list[str]:
    """What the frozen backbone costs, budget by budget."""
    return merge_by_budget(verdicts, lambda verdict: [loss] if (loss := describe_frozen_loss(verdict)) else [])


def describe_unfinished_sweep(state: UnfinishedSweep) -> str:
    """What is missing of a sweep."""
    begun = _pluralize(state.begun, "run", "has", "have")
    if not state.missing:
        return f"Not finished: {begun} begun and not come to an end; the same command goes on."
    also = f", and {begun} begun" if state.begun else ""
    are = "is" if state.missing == 1 else "are"
    return (
        f"Not finished: {state.missing:,} of {state.asked:,} runs {are} missing{also}. The answers are those of the "
        "runs that are there; the same command goes on with the others."
    )


def describe_conflicting_declarations(declared: Mapping[str, Sequence[Any]]) -> list[str]:
    """That runs were declared to answer different questions."""
    told = [f"compare.{key}: {' or '.join(map(_format_config_value, values))}" for key, values in declared.items()]
    return [
        f"These runs declared different comparisons ({'; '.join(told)}). They are judged by what the first to train "
        "had declared, since whoever declared the others could know its result."
    ] * bool(told)


def familywise_levels(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """The chance of any false answer: of a data set, of all verdicts together, and of as many looks as there were."""
    of_each = [sum(verdict.alpha for verdict in its) for its in group_by_data_set(verdicts).values()]
    of_all = sum(of_each)
    return {
        "level_of_each": max(of_each, default=0.0),
        "level_of_all": of_all,
        "false_at_most": min(1.0, _max_looks(verdicts) * of_all),
    }


def _max_looks(verdicts: Sequence[Verdict]) -> int:
    return max((verdict.table.num_looks for verdict in verdicts), default=1)


def describe_verdict_caveats(verdicts: Sequence[Verdict], has_retrained_runs: bool = False) -> list[str]:
    """What a reader must know of the verdicts before trusting them, the level first.

    Args:
        verdicts: all of them.
        anew: whether the place of some runs was taken by later ones.
    """
    if not verdicts:
        return []
    chances = familywise_levels(verdicts)
    each, whole, more = (f"{100 * chance:.3g} %" for chance in chances.values())
    several = len(group_by_data_set(verdicts)) > 1
    split = f", split over {len(verdicts)} budgets" if len(verdicts) > 1 else ""
    level_ = f"{each} for each data set, {whole} for all together" if several else f"{whole}{split}"
    said = [
        f"Level: {level_}: any arm is called worse than one that it equals with at most this chance. {ERROR_RATE_REFERENCE}"
    ]
    if any(len(verdict.table.seeds) == 1 for verdict in verdicts):
        said.append("With one seed a verdict speaks for these trained networks only.")
    if (looks := _max_looks(verdicts)) > 1:
        added = "Seeds or images were added, or runs trained anew," if has_retrained_runs else "Seeds were added"
        said.append(
            f"{added} {_format_times(looks - 1)} after results could be seen: {looks} looks, so that a false answer "
            f"has a chance of up to {more} instead of {whole}."
        )
    if (metric := verdicts[0].metric) != "accuracy":
        said.append(f"The verdicts go by {metric.replace('_', ' ')}; the table shows plain accuracy.")
    return said + merge_by_budget(verdicts, _describe_table_caveats)


def _describe_table_caveats(verdict: Verdict) -> list[str]:
    table = verdict.table
    said = [f"{arm} is refused as evidence: {reason}" for arm, reason in table.exclusions.items()]
    said += [
        f"left out: {_format_seeds(seeds)} of {arm}, which other arms lack"
        for arm, seeds in table.unshared_seeds.items()
    ]
    said += [
        f"{arm} took every test image for one class with {_format_seeds(seeds)}"
        for arm, seeds in table.constant_seeds.items()
    ]
    fewest = np.unique(table.labels, return_counts=True)[1].min(initial=MIN_IMAGES_OF_A_CLASS)
    if verdict.metric == "balanced_accuracy" and fewest < MIN_IMAGES_OF_A_CLASS:
        said.append(f"the rarest class has {fewest} test images, and balanced accuracy leans on them")
    return said + _describe_missing_contrast(verdict)


def _describe_missing_contrast(verdict: Verdict) -> list[str]:
    """Why the declared contrast has no answer, where that is no arm's fault."""
    arms = {name: verdict.table.find_arms(name) for name in verdict.declared_contrast}
    if verdict.declared_contrast == DEFAULT_CONTRAST and not any(arms.values()):
        return []  # nobody asked
    no_answer = f"{' against '.join(arms)} has no answer"
    return [f"{no_answer}: no run of {name} is here" for name, its in arms.items() if not its] + [
        f"{no_answer}: {join_with_and(its)} are arms of {name}; compare.contrast may name one"
        for name, its in arms.items()
        if len(its) > 1
    ]


def merge_by_budget(verdicts: Sequence[Verdict], describe: Callable[[Verdict], list[str]]) -> list[str]:
    """What is told of verdicts, as sentences: what holds at several budgets of a data set once, with all of them."""
    same: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        for words in describe(verdict):
            same.setdefault((verdict.table.data, words), []).append(verdict)
    several = len(group_by_data_set(verdicts)) > 1
    places = {
        key: f"{key[0]}, {format_budgets(*its)}" if several else _capitalize(format_budgets(*its))
        for key, its in same.items()
    }
    return [f"{places[data, words]}, {words}." for data, words in same]


def describe_model(arm: str) -> str:
    """What an arm is, by its name; nothing where its model has no meaning here."""
    return MODEL_DESCRIPTIONS.get(arm.partition(" ")[0], "")


def finding_label(kind: str) -> str:
    """What an audit found, in plain words."""
    return FINDING_KINDS.get(kind, kind.replace("_", " "))


def join_with_and(arms: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(arms[:-1]), arms[-1]] if len(arms) > 1 else arms)


def format_points(difference: float) -> str:
    """A difference in accuracy, in points."""
    figure = f"{100 * difference:.1f}".removesuffix(".0")
    return f"{figure} point{'s' if figure != '1' else ''}"


def _format_seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _pluralize(n: int, thing: str, one: str, more: str) -> str:
    """``1 run has``, ``2 runs have``."""
    return f"{n:,} {thing} {one}" if n == 1 else f"{n:,} {thing}s {more}"


def _format_config_value(value: Any) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _format_times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
