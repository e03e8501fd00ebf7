"""Describes what limits the trust in a verdict, for the terminal and the page."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from headstart.compare.collect.sweep_runs import LoadedRun
from headstart.compare.declaration import DEFAULT_CONTRAST
from headstart.compare.inference.analysis import SweepAnalysis, find_conflicting_declarations
from headstart.compare.inference.crossover import group_by_data_set
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report.text import PROTOCOL_REFERENCE, merge_by_budget
from headstart.errors import join_with_limit
from headstart.file_names import encode_name
from headstart.reporting.formats import join_with_and, pluralize

MIN_IMAGES_OF_A_CLASS = 10  # the accuracy on a class with fewer test images is hardly known


def collect_caveats(analysis: SweepAnalysis, has_level: bool = True) -> list[str]:
    """Collects sentences about the declarations, the verdicts, and the runs that do not count.

    Args:
        analysis: of one or more sweeps.
        has_level: whether the chance of a false answer is among them, which holds for every comparison.
    """
    runs = analysis.runs
    return [
        *describe_conflicting_declarations(find_conflicting_declarations(runs)),
        *(describe_level(analysis.verdicts) if has_level else []),
        *describe_verdict_caveats(analysis.verdicts, has_retrained_runs=bool(runs.superseded)),
        *describe_superseded_runs(runs.superseded),
        *describe_debug_runs(runs.debug),
        *describe_unreadable_results(runs.unreadable),
    ]


def describe_conflicting_declarations(declarations: Mapping[str, Sequence[Any]]) -> list[str]:
    """Describes the keys of ``compare`` that runs declared differently."""
    if not declarations:
        return []
    keys = [f"compare.{key}: {' or '.join(map(_format_value, values))}" for key, values in declarations.items()]
    return [
        f"These runs declared different comparisons ({'; '.join(keys)}). The verdicts follow the declaration of the "
        "first run to train: a later one could depend on its result."
    ]


def familywise_levels(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Computes the chance of any false answer: on a data set, over all verdicts, and over all looks at them."""
    data_set_levels = [
        sum(verdict.level for verdict in data_set_verdicts)
        for data_set_verdicts in group_by_data_set(verdicts).values()
    ]
    overall_level = sum(data_set_levels)
    return {
        "level_of_each": max(data_set_levels, default=0.0),
        "level_of_all": overall_level,
        "false_at_most": min(1.0, _max_looks(verdicts) * overall_level),
    }


def _max_looks(verdicts: Sequence[Verdict]) -> int:
    return max((verdict.table.num_looks for verdict in verdicts), default=1)


def describe_level(verdicts: Sequence[Verdict]) -> list[str]:
    """Describes the chance of a false answer over all verdicts."""
    if not verdicts:
        return []
    levels = familywise_levels(verdicts)
    level = _format_level(levels["level_of_all"])
    if len(group_by_data_set(verdicts)) > 1:
        level = f"{_format_level(levels['level_of_each'])} for each data set, {level} for all together"
    elif len(verdicts) > 1:
        level += f", split over {len(verdicts)} budgets"
    return [
        f"Level: {level}: the chance that any arm is called worse than one that it equals. "
        f"{PROTOCOL_REFERENCE} has measured error rates."
    ]


def _format_level(chance: float) -> str:
    return f"{100 * chance:.3g} %"


def describe_verdict_caveats(verdicts: Sequence[Verdict], has_retrained_runs: bool = False) -> list[str]:
    """Describes what limits the trust in each verdict.

    Args:
        verdicts: of all data sets and budgets.
        has_retrained_runs: whether later runs replaced some runs.
    """
    if not verdicts:
        return []
    sentences = []
    if any(len(verdict.table.seeds) == 1 for verdict in verdicts):
        sentences.append("With one seed a verdict is about these trained networks only.")
    levels = familywise_levels(verdicts)
    if (looks := _max_looks(verdicts)) > 1:
        reason = (
            "Seeds, images or folds were changed, or runs trained anew," if has_retrained_runs else "Seeds were added"
        )
        times = {1: "once", 2: "twice"}.get(looks - 1, f"{looks - 1} times")
        sentences.append(
            f"{reason} {times} after results could be seen: {looks} looks, so that a false answer has a chance of up "
            f"to {_format_level(levels['false_at_most'])} instead of {_format_level(levels['level_of_all'])}."
        )
    if (metric := verdicts[0].metric) != "accuracy":
        sentences.append(f"The verdicts use {metric.replace('_', ' ')}; the table shows plain accuracy.")
    return sentences + merge_by_budget(verdicts, _describe_table_caveats)


def _describe_table_caveats(verdict: Verdict) -> list[str]:
    table = verdict.table
    clauses = [f"{arm} is refused as evidence: {reason}" for arm, reason in table.exclusions.items()]
    clauses += [
        f"left out: {_format_seeds(seeds)} of {arm}, which other arms lack"
        for arm, seeds in table.unshared_seeds.items()
    ]
    clauses += [
        f"{arm} predicts one class for all test images with {_format_seeds(seeds)}"
        for arm, seeds in table.constant_seeds.items()
    ]
    if table.correct and table.tested_share < 1:
        clauses.append(f"the seeds tested {table.tested_share:.0%} of the images so far; five seeds test all")
    fewest = np.unique(table.labels, return_counts=True)[1].min(initial=MIN_IMAGES_OF_A_CLASS)
    if verdict.metric == "balanced_accuracy" and fewest < MIN_IMAGES_OF_A_CLASS:
        clauses.append(f"the rarest class has {fewest} test images, and balanced accuracy depends on them")
    return clauses + _describe_missing_contrast(verdict)


def _describe_missing_contrast(verdict: Verdict) -> list[str]:
    """Describes why the declared contrast has no answer, where no excluded arm is the reason."""
    arms = {name: verdict.table.find_arms(name) for name in verdict.declared_contrast}
    if verdict.table.lacks_arms:
        return []  # it will have one
    if verdict.declared_contrast == DEFAULT_CONTRAST and not any(arms.values()):
        return []  # the default contrast, which nobody asked for
    no_answer = f"{' against '.join(arms)} has no answer"
    return [f"{no_answer}: there is no run of {name}" for name, named_arms in arms.items() if not named_arms] + [
        f"{no_answer}: {join_with_and(named_arms)} are arms of {name}; compare.contrast may name one"
        for name, named_arms in arms.items()
        if len(named_arms) > 1
    ]


def describe_superseded_runs(superseded: Sequence[LoadedRun]) -> list[str]:
    """Describes the runs that later runs replace."""
    if not superseded:
        return []
    count = pluralize(len(superseded), "run is superseded", "runs are superseded")
    return [
        f"{count} and not counted: images, weights or the version changed, and the same command trained anew, or the "
        "last command lets each seed test one fold alone. That is a further look, since the older results could be "
        f"seen (such as {superseded[0].name})."
    ]


def describe_debug_runs(debug: Sequence[LoadedRun]) -> list[str]:
    """Describes the runs with debug settings, by setting."""
    names: dict[str, list[str]] = defaultdict(list)
    for run in debug:
        names[str(run.result.debug)].append(run.name)
    return [
        f"{pluralize(len(debug_runs), 'debug run is', 'debug runs are')} not counted ({reason}): "
        f"{join_with_limit(debug_runs)}."
        for reason, debug_runs in names.items()
    ]


def describe_unreadable_results(directories: Sequence[Path]) -> list[str]:
    """Describes the runs whose ``result.json`` is not whole."""
    if not directories:
        return []
    names = join_with_limit([encode_name(directory.name) for directory in directories])
    return [
        f"Unreadable, not a whole result.json: {names}. These runs do not count, not even as failures; remove them, "
        "and the same command trains them again."
    ]


def _format_seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _format_value(value: Any) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)
