"""Selects the arm that a sweep recommends: one that is unbeaten at the largest budget."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from headstart.compare.collect.sweep_runs import LoadedRun
from headstart.compare.inference.analysis import SweepAnalysis
from headstart.compare.inference.eligibility import find_plan
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text
from headstart.errors import HeadstartError
from headstart.reporting.formats import join_with_and


@dataclass(frozen=True)
class BestArm:
    """The recommended arm of a sweep.

    Args:
        name: of the arm.
        labels_per_class: the largest budget; None: all labels.
        reason: for its selection.
        runs: its finished runs at that budget.
        verdict: of that budget; None where there is no other arm.

    Example:
        >>> select_best_arm("runs/compare-digits-1a2b3c4d", analysis).name  # doctest: +SKIP
        'finetune'
    """

    name: str
    labels_per_class: int | None
    reason: str
    runs: tuple[LoadedRun, ...]
    verdict: Verdict | None

    @property
    def budget(self) -> str:
        """``all labels``, or ``20 labels per class``."""
        return _format_budget(self.labels_per_class)

    def select_run(self) -> tuple[LoadedRun, str]:
        """Selects the run that is best on validation images, or the one of the lowest seed. No test image chooses.

        Returns:
            The run and the reason for its selection.
        """
        accuracies = [(run.result.metrics.get("val/accuracy"), -run.result.seed, run) for run in self.runs]
        validated = [(accuracy, seed, run) for accuracy, seed, run in accuracies if accuracy is not None]
        if validated:
            accuracy, _, run = max(validated, key=lambda entry: entry[:2])
            return run, f"the best on validation images ({accuracy:.1%})"
        lowest = min(self.runs, key=lambda run: run.result.seed)
        return lowest, "the lowest, since there are no validation images at this budget"


def select_best_arm(sweep: str | Path, analysis: SweepAnalysis) -> BestArm:
    """Selects an arm that is unbeaten at the largest budget.

    Of tied arms the cheapest to train is selected, of undecided arms the most accurate so far.

    Args:
        sweep: its directory, for messages.
        analysis: of the sweep.

    Raises:
        HeadstartError: the sweep holds several data sets, or has no arm to select.
    """
    finished = analysis.runs.finished
    if len(data := sorted({run.data_set for run in finished})) > 1:
        raise HeadstartError(f"{sweep}: holds runs of {join_with_and(data)}; name a sweep of one data set")
    if not finished:
        raise HeadstartError(f"{sweep}: no run has come to its end; give its command again")
    largest = max((run.result.labels_per_class for run in finished), key=lambda labels: labels or math.inf)
    arms: dict[str, list[LoadedRun]] = defaultdict(list)
    for run in finished:
        if run.result.labels_per_class == largest:
            arms[run.arm].append(run)
    verdict = next((verdict for verdict in analysis.verdicts if verdict.table.labels_per_class == largest), None)
    name, reason = _select_name(arms, analysis, verdict, _format_budget(largest))
    return BestArm(name, largest, reason, tuple(arms[name]), verdict)


def _format_budget(labels_per_class: int | None) -> str:
    return "all labels" if labels_per_class is None else f"{labels_per_class} labels per class"


def _select_name(
    arms: dict[str, list[LoadedRun]], analysis: SweepAnalysis, verdict: Verdict | None, budget: str
) -> tuple[str, str]:
    """Returns the name of the arm and the reason for its selection."""
    excluded = verdict.table.exclusions if verdict else {}
    plan = find_plan(analysis.runs.commands, next(iter(arms.values()))[0].result)
    waits = bool(plan.looks) and len(plan.arms) > 1
    if len(arms) == 1 and not waits and not arms.keys() & excluded.keys():
        return next(iter(arms)), "no other arm there is fit to be compared" if excluded else "the only arm there"
    if verdict is None:
        reason = analysis.error or f"of {join_with_and(list(arms))} alone a run has ended; the same command goes on"
        raise HeadstartError(f"no verdict at {budget}: {reason}")
    unbeaten = [arm for arm in verdict.unbeaten if arm in arms]
    if verdict.table.error or not unbeaten:
        reasons = f" ({'; '.join(excluded.values())})" if excluded else ""
        raise HeadstartError(f"no verdict at {budget}: {text.missing_verdict_reason(verdict)}{reasons}")
    seconds = {arm: mean(run.result.cost.get("seconds", math.inf) for run in arms[arm]) for arm in unbeaten}
    best = choose_unbeaten_arm(verdict, seconds)
    others = join_with_and([arm for arm in unbeaten if arm != best])
    if not others:
        is_alone = len(verdict.table.correct) == 1
        reason = "no other arm is fit to be compared" if is_alone else "all others are beaten"
        return best, f"unbeaten, and {reason}"
    if verdict.is_tie:
        return best, f"a tie with {others}, and it trains fastest"
    return best, f"no clear lead over {others}, and most accurate so far, which may be luck"


def choose_unbeaten_arm(verdict: Verdict, seconds: Mapping[str, float]) -> str:
    """Chooses the cheapest of tied arms, else the most accurate of the unbeaten ones.

    Where few images or seeds leave much open, the cheapest arm could be far behind.

    Args:
        verdict: with an unbeaten arm.
        seconds: of a training, by arm.
    """
    return min(verdict.unbeaten, key=lambda arm: seconds[arm]) if verdict.is_tie else verdict.unbeaten[0]
