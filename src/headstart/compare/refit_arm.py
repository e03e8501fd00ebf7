"""Selects the arm that `headstart refit` trains on all images: the best arm of a finished sweep with a verdict."""

from pathlib import Path

from headstart.compare.best_arm import BestArm, select_best_arm
from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.inference.analysis import SweepAnalysis
from headstart.compare.report import text
from headstart.errors import HeadstartError
from headstart.file_names import quote_for_shell
from headstart.reporting.formats import pluralize


def select_refit_arm(sweep: str | Path, analysis: SweepAnalysis) -> BestArm:
    """Selects the best arm of a sweep, see :func:`select_best_arm`; its verdict is there.

    Args:
        sweep: its directory, for messages.
        analysis: of the sweep.

    Raises:
        HeadstartError: runs are missing, there are debug runs alone or several data sets, or there is no verdict.
    """
    runs = analysis.runs
    if runs.debug and not runs.finished:
        raise HeadstartError(f"{sweep}: holds debug runs alone, which count in no verdict; train without debug=")
    for state in find_unfinished_sweeps(runs):
        missing = (
            f"{state.missing:,} of {pluralize(state.asked or 0, 'run')} {'is' if state.missing == 1 else 'are'} missing"
            if state.missing
            else f"{pluralize(state.begun, 'run has begun', 'runs have begun')} and not ended"
        )
        raise HeadstartError(f"{sweep}: {missing}; before headstart refit, give {_describe_command(analysis)}")
    arm = select_best_arm(sweep, analysis)
    if arm.verdict is None:
        raise HeadstartError(f"{sweep}: no verdict at {arm.budget}: its runs are of one arm; compare two at least")
    if reason := text.missing_verdict_reason(arm.verdict):
        raise HeadstartError(f"{sweep}: no verdict at {arm.budget}: {reason} (headstart report has the details)")
    return arm


def find_refit_command(sweep: str | Path, analysis: SweepAnalysis) -> str | None:
    """Returns the command that trains the best arm on all images; None where it would be refused."""
    try:
        select_refit_arm(sweep, analysis)
    except HeadstartError:
        return None
    return f"headstart refit {quote_for_shell(str(sweep))}"


def _describe_command(analysis: SweepAnalysis) -> str:
    """What continues the sweep: its last command, which ``sweep.json`` names."""
    commands = [command for sweep_commands in analysis.runs.commands.values() for command in sweep_commands]
    last = max(commands, key=lambda command: command.started, default=None)
    return "the sweep's command again" + (f": {last.command}" if last else "")
