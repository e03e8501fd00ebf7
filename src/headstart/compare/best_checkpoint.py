"""Selects the checkpoint of a sweep's best arm."""

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.collect.sweep_runs import LoadedRun
from headstart.compare.inference.analysis import SweepAnalysis, analyze_sweep
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text
from headstart.errors import HeadstartError
from headstart.reporting.formats import join_with_and
from headstart.runs.checkpoint import resolve_checkpoint


@dataclass(frozen=True)
class BestCheckpoint:
    """A checkpoint and the reason for its selection, in one line."""

    path: Path
    reason: str


def find_best_checkpoint(sweep: str | Path) -> BestCheckpoint:
    """Selects an arm that is unbeaten at the largest budget, and of its runs the best on validation images.

    Of tied arms the cheapest to train is selected, of undecided arms the most accurate so far. Without validation
    images the run with the lowest seed is selected. No test image chooses between runs.

    Raises:
        HeadstartError: the sweep does not exist, holds several data sets, or has no arm to select.
    """
    analysis = analyze_sweep(sweep)
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
    budget = "all labels" if largest is None else f"{largest} labels per class"
    arm, arm_reason = _select_arm(arms, analysis, verdict, budget)
    run, run_reason = _select_run(arms[arm])
    accuracy = mean(run.result.metrics["test/accuracy"] for run in arms[arm])
    excluded = verdict.table.exclusions if verdict else {}
    notes = "".join(f"; {other} is refused as evidence there: {reason}" for other, reason in excluded.items())
    notes += "".join(f". {text.describe_unfinished_sweep(state)}" for state in find_unfinished_sweeps(analysis.runs))
    return BestCheckpoint(
        resolve_checkpoint(run.directory),
        f"{arm} at {budget}: {arm_reason}; {accuracy:.1%} of the test images right over all its runs; "
        f"seed {run.result.seed}, {run_reason}{notes}",
    )


def _select_arm(
    arms: dict[str, list[LoadedRun]], analysis: SweepAnalysis, verdict: Verdict | None, budget: str
) -> tuple[str, str]:
    """Returns the arm and the reason for its selection."""
    excluded = verdict.table.exclusions if verdict else {}
    if len(arms) == 1 and not arms.keys() & excluded.keys():
        return next(iter(arms)), "no other arm there is fit to be compared" if excluded else "the only arm there"
    if verdict is None:
        raise HeadstartError(f"no verdict at {budget}: {analysis.error}")
    unbeaten = [arm for arm in verdict.unbeaten if arm in arms]
    if verdict.table.error or not unbeaten:
        reasons = f" ({'; '.join(excluded.values())})" if excluded else ""
        raise HeadstartError(f"no verdict at {budget}: {text.missing_verdict_reason(verdict)}{reasons}")
    if len(unbeaten) == 1:
        is_alone = len(verdict.table.correct) == 1
        reason = "no other arm is fit to be compared" if is_alone else "all others are beaten"
        return unbeaten[0], f"unbeaten, and {reason}"
    if verdict.is_tie:
        best = min(unbeaten, key=lambda arm: mean(run.result.cost["seconds"] for run in arms[arm]))
        others = join_with_and([arm for arm in unbeaten if arm != best])
        return best, f"a tie with {others}, and it trains fastest"
    # The cheapest arm could be far behind, where few images or seeds leave much open.
    best, *rest = unbeaten
    return best, f"undecided against {join_with_and(rest)}, and most accurate so far, which may be luck"


def _select_run(runs: list[LoadedRun]) -> tuple[LoadedRun, str]:
    """Returns the run and the reason for its selection."""
    accuracies = [(run.result.metrics.get("val/accuracy"), -run.result.seed, run) for run in runs]
    validated = [(accuracy, seed, run) for accuracy, seed, run in accuracies if accuracy is not None]
    if validated:
        accuracy, _, run = max(validated, key=lambda entry: entry[:2])
        return run, f"the best on validation images ({accuracy:.1%})"
    return min(runs, key=lambda run: run.result.seed), "the lowest, since there are no validation images at this budget"
