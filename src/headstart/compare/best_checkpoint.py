"""Selects the checkpoint of a sweep's best arm."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from headstart.compare.best_arm import select_best_arm
from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.refit_arm import find_refit_command
from headstart.compare.report import text
from headstart.runs.checkpoint import resolve_checkpoint


@dataclass(frozen=True)
class BestCheckpoint:
    """A checkpoint of the best arm.

    Args:
        path: of the checkpoint.
        reason: for its selection, in one line.
        refit_command: command that trains the arm on all images; None where it would be refused.
    """

    path: Path
    reason: str
    refit_command: str | None = None


def find_best_checkpoint(sweep: str | Path) -> BestCheckpoint:
    """Selects an arm that is unbeaten at the largest budget, and of its runs the best on validation images.

    See :func:`headstart.compare.best_arm.select_best_arm` and ``BestArm.select_run``.

    Raises:
        HeadstartError: the sweep does not exist, holds several data sets, or has no arm to select.
    """
    analysis = analyze_sweep(sweep)
    arm = select_best_arm(sweep, analysis)
    run, run_reason = arm.select_run()
    accuracy = mean(run.result.metrics["test/accuracy"] for run in arm.runs)
    excluded = arm.verdict.table.exclusions if arm.verdict else {}
    notes = "".join(f"; {other} is refused as evidence there: {reason}" for other, reason in excluded.items())
    notes += "".join(f". {text.describe_unfinished_sweep(state)}" for state in find_unfinished_sweeps(analysis.runs))
    return BestCheckpoint(
        resolve_checkpoint(run.directory),
        f"{arm.name} at {arm.budget}: {arm.reason}; {accuracy:.1%} of the test images right over all its runs; "
        f"seed {run.result.seed}, {run_reason}{notes}",
        find_refit_command(sweep, analysis),
    )
