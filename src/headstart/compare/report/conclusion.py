"""Concludes each verdict in a sentence: what to use, how good it is, what it costs, or what would decide."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.compare.best_arm import choose_unbeaten_arm
from headstart.compare.collect.sweep_runs import LoadedRun
from headstart.compare.declaration import DEFAULT_CONTRAST, LARGE_DIFFERENCE
from headstart.compare.evaluation.arm_accuracy import estimate_accuracy
from headstart.compare.inference.analysis import SweepAnalysis
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text
from headstart.compare.report.answers import contrast_to_dict
from headstart.compare.report.recommendations import NextStep, recommend_next_step
from headstart.compare.summary_table import summarize_arms
from headstart.reporting.formats import format_percent, format_points, join_with_and

LEAST_SAVING = 0.1  # of the seconds of a training, that are worth a word


@dataclass(frozen=True)
class Conclusion:
    """What a verdict means for a user.

    Args:
        data: name of the data set.
        labels_per_class: budget; None: all labels.
        text: in a sentence; where the verdict is open, in a few.
        brief: the same in a few words.
        arm: to use, or the best so far; None without a verdict.
        is_clear: whether it is a winner or one of tied arms.
        next_step: what would decide an open verdict; None where nothing in reach does.

    Example:
        >>> conclude_verdict(verdict, {"frozen": 9.5, "finetune": 49.4}).text  # doctest: +SKIP
        'Use finetune: 93.4 % correct (91.2 to 95.1), +4.4 points (+1.3 to +7.5) over frozen; a training takes 49.4 s.'
    """

    data: str
    labels_per_class: int | None
    text: str
    brief: str
    arm: str | None = None
    is_clear: bool = False
    next_step: NextStep | None = None


def conclude_verdicts(analysis: SweepAnalysis) -> list[Conclusion]:
    """Concludes each verdict of an analysis, sorted by data set and budget."""
    return [
        conclude_verdict(verdict, analysis, mean_seconds(verdict, analysis.runs.finished))
        for verdict in analysis.verdicts
    ]


def mean_seconds(verdict: Verdict, runs: list[LoadedRun]) -> dict[str, float]:
    """Averages the seconds of a training of each arm at the budget of a verdict."""
    table = verdict.table
    budget_runs = [
        run for run in runs if (run.data_set, run.result.labels_per_class) == (table.data, table.labels_per_class)
    ]
    rows: list[dict[str, Any]] = summarize_arms(budget_runs).to_dict("records")  # type: ignore[assignment]
    return {row["arm"]: row["seconds"] for row in rows if math.isfinite(row["seconds"])}


def conclude_verdict(verdict: Verdict, analysis: SweepAnalysis, seconds: Mapping[str, float]) -> Conclusion:
    """Concludes one verdict.

    Args:
        verdict: of a data set and budget.
        analysis: that it is part of.
        seconds: of a training, by arm.
    """
    place = verdict.table.data, verdict.table.labels_per_class
    if reason := text.missing_verdict_reason(verdict):
        next_step = recommend_next_step(verdict, analysis.runs) if verdict.next_look else None
        return Conclusion(*place, f"No verdict: {reason}.", f"no verdict: {reason}", next_step=next_step)
    arm = choose_unbeaten_arm(verdict, {arm: seconds.get(arm, math.inf) for arm in verdict.unbeaten})
    accuracy = _format_accuracy(verdict, arm, analysis)
    if len(verdict.unbeaten) == 1 or verdict.is_tie:
        leads = _describe_leads(verdict, arm, _find_scratch_arms(verdict, analysis.runs.finished))
        sentence = f"Use {arm}: {accuracy}{leads}{_describe_cost(arm, seconds)}."
        is_asked = verdict.declared_contrast != DEFAULT_CONTRAST
        next_step = recommend_next_step(verdict, analysis.runs) if is_asked else None
        return Conclusion(*place, sentence, f"use {arm}, {accuracy}", arm, is_clear=True, next_step=next_step)
    sentences = [
        f"{_describe_openness(verdict)}. {_describe_candidates(verdict, arm, analysis, seconds)}.",
        *([f"{gain}."] if (gain := _describe_declared_gain(verdict)) else []),
    ]
    brief = f"no clear winner{'; best' if verdict.stopped_for_futility else ' yet; best so far'}: {arm}, {accuracy}"
    return Conclusion(*place, " ".join(sentences), brief, arm, next_step=recommend_next_step(verdict, analysis.runs))


def select_next_step(conclusions: Sequence[Conclusion]) -> NextStep | None:
    """Selects the step of the largest budget, or where that has none and is open, the one of the next smaller budget: a
    command serves all budgets of its sweep."""
    if conclusions and conclusions[-1].is_clear:
        return conclusions[-1].next_step
    return next((step for conclusion in conclusions[::-1] if (step := conclusion.next_step)), None)


def _format_accuracy(verdict: Verdict, arm: str, analysis: SweepAnalysis) -> str:
    accuracy = estimate_accuracy(verdict, arm, analysis.comparison.level)
    return text.format_accuracy(accuracy.mean, accuracy.low, accuracy.high, verdict.metric)


def _describe_leads(verdict: Verdict, arm: str, scratch_arms: list[str]) -> str:
    """Describes how far an arm leads the next one, or is equal to it, and how far it leads the best scratch arm."""
    rivals = sorted((rival for rival in verdict.table.correct if rival != arm), key=lambda rival: -verdict.score(rival))
    scratch = next((rival for rival in rivals if rival in scratch_arms and rival in verdict.beaten_by), None)
    if verdict.is_tie:
        equals = join_with_and([rival for rival in verdict.unbeaten if rival != arm])
        first = f"as good as {equals} within {format_points(verdict.margin)} and the fastest to train"
    else:
        first = f"{_format_lead(verdict, arm, rivals[0])}{', the next best' if len(rivals) > 1 else ''}"
        scratch = scratch if scratch != rivals[0] else None
    return f", {first}" + (f", and {_format_lead(verdict, arm, scratch)}" if scratch else "")


def _format_lead(verdict: Verdict, arm: str, rival: str) -> str:
    return f"{text.format_difference(contrast_to_dict(verdict, (arm, rival)), verdict.metric)} over {rival}"


def _find_scratch_arms(verdict: Verdict, runs: list[LoadedRun]) -> list[str]:
    """Finds the compared arms that start from random weights."""
    pretrained = {run.arm for run in runs if run.data_set == verdict.table.data and run.result.starts}
    return [arm for arm in verdict.table.correct if arm not in pretrained]


def _describe_openness(verdict: Verdict) -> str:
    if not verdict.stopped_for_futility:
        return "No clear winner yet"
    return f"No clear winner: more trainings are unlikely to tell {join_with_and(verdict.unbeaten)} apart"


def _describe_candidates(verdict: Verdict, best: str, analysis: SweepAnalysis, seconds: Mapping[str, float]) -> str:
    """Describes the most accurate and the cheapest of the unbeaten arms, where that saves something."""
    cheapest = min(verdict.unbeaten, key=lambda arm: seconds.get(arm, math.inf))
    accuracy, word = (
        _format_accuracy(verdict, best, analysis),
        "Best" if verdict.stopped_for_futility else "Best so far",
    )
    if cheapest != best and best in seconds and seconds[cheapest] > (1 - LEAST_SAVING) * seconds[best]:
        return f"{word}: {best}, {accuracy}{_describe_cost(best, seconds)}"
    if cheapest == best:
        return f"{word} and cheapest: {best}, {accuracy}{_describe_cost(best, seconds)}"
    score = f"{format_percent(verdict.score(cheapest))} %"
    cost = f" (a training takes {seconds[cheapest]:,.1f} s, not {seconds[best]:,.1f} s)" if best in seconds else ""
    return f"{word}: {best}, {accuracy}. Cheapest: {cheapest}, {score}{cost}"


def _describe_cost(arm: str, seconds: Mapping[str, float]) -> str:
    return f"; a training takes {seconds[arm]:,.1f} s" if arm in seconds else ""


def _describe_declared_gain(verdict: Verdict) -> str | None:
    """Describes what the first arm of the declared contrast gains; None without a contrast."""
    if verdict.declared_pair is None:
        return None
    first, second = verdict.declared_pair
    values = contrast_to_dict(verdict, verdict.declared_pair)
    difference = text.format_difference(values, verdict.metric)
    is_pretraining = text.is_about_pretraining(verdict)
    if verdict.is_first_better is None and values["high"] > LARGE_DIFFERENCE:
        question = "Whether pretraining helps" if is_pretraining else f"Whether {first} is better than {second}"
        return f"{question} is not clear: {difference}"
    if verdict.is_first_better is None:
        gain = f"{format_points(max(values['high'], 0.0))}{text.format_metric_suffix(verdict.metric)}"
        return (
            f"Pretraining gains at most {gain} here"
            if is_pretraining
            else f"{first} gains at most {gain} over {second}"
        )
    if is_pretraining:
        return f"Pretraining {'helps' if verdict.is_first_better else 'hurts'}: {difference}"
    return f"{first} is {'better' if verdict.is_first_better else 'worse'} than {second}: {difference}"
