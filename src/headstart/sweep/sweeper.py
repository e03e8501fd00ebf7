"""Runs a sweep: plan, audit of the images, launcher, then table and report. Torch-free."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from headstart.config.command_line import TRAIN_PROGRAM
from headstart.config.compose import compose_command
from headstart.config.data_module import load_source
from headstart.file_names import quote_for_shell
from headstart.files import write_json
from headstart.process import TimeLimitReached, limit_time, run_command
from headstart.reporting.console import escape_control_characters
from headstart.reporting.finding_kinds import FINDING_KINDS
from headstart.runs import run_directory
from headstart.runs.result import delete_failed_result, iter_results, read_result
from headstart.runs.sweep_file import append_sweep_command
from headstart.sweep.announce import print_plan, print_remarks
from headstart.sweep.failures import write_failure
from headstart.sweep.plan import SweepPlan
from headstart.sweep.planner import plan_sweep
from headstart.sweep.rounds import iterate_rounds

if TYPE_CHECKING:
    from headstart.compare.inference.analysis import SweepAnalysis


def run_sweep(hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> Sequence[JobReturn]:
    """Plans and trains a sweep, then prints its table and writes its report.

    Args:
        hydra_context: of Hydra.
        task_function: trains one run.
        config: the configuration of the sweep, with the overrides of the command.

    Raises:
        HeadstartError: the command is wrong.
        SystemExit: a run or the report failed.
    """
    overrides = [*config.hydra.overrides.hydra, *config.hydra.overrides.task]
    command = compose_command(["-m", *overrides, "--config-name", config.hydra.job.config_name])
    assert command is not None
    plan = plan_sweep(command)
    print_plan(plan)
    if plan.num_pending:
        audit_sources(plan)
    append_sweep_command(plan.directory, plan.command)
    for run, _ in plan.pending:
        delete_failed_result(plan.directory / run.directory)  # it is trained again
    with read_write(config), open_dict(config):
        config.hydra.sweep.dir = str(plan.directory)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=hydra_context, task_function=task_function, config=config
    )
    launcher.stop_at = plan.stop_at  # type: ignore[attr-defined]  # LocalLauncher shows it as time left
    returns: list[JobReturn] = []
    try:
        with limit_time(plan.stop_at):
            for jobs in iterate_rounds(plan):
                round_returns = launcher.launch([overrides for _, overrides in jobs], initial_job_idx=len(returns))
                for (run, _), job in zip(jobs, round_returns, strict=True):
                    if job.status == JobStatus.FAILED:
                        write_failure(plan.directory, run.directory, job._return_value)
                returns += round_returns
                if plan.stop_at and time.time() >= plan.stop_at:  # on Windows, where no timer rings
                    raise TimeLimitReached
    except TimeLimitReached:
        print(f"compare.minutes={plan.minutes:g}: time is up; {_describe_next_command(plan)}", file=sys.stderr)
    if code := finish_sweep(plan):
        raise SystemExit(code)
    return returns


def _describe_next_command(plan: SweepPlan) -> str:
    """What the same command does next: it goes on where a run has come to an end or to a resume point in this time."""
    directories = [plan.directory / run.directory for run in plan.command.runs]
    files = [
        path
        for directory in directories
        for path in (directory / run_directory.RESULT_FILE, run_directory.last_checkpoint_path(directory))
    ]
    if any(path.is_file() and path.stat().st_mtime >= plan.started for path in files):
        return "the same command goes on"
    return "no training came as far as a resume point in this time; what is finished stays, give more minutes"


def audit_sources(plan: SweepPlan) -> None:
    """Audits the images of a sweep and writes ``audit.json``; images that did not change are not audited again."""
    previous = {(audit.get("name"), audit.get("digest")): audit for audit in run_directory.read_audits(plan.directory)}
    audits = []
    for config in plan.audit_configs:
        source = load_source(config)
        print_remarks(source)
        if audit := previous.get((source.name, source.digest)):
            audits.append(audit)
            continue
        if (audit := source.audit()) is None:
            continue
        audits.append(audit | {"digest": source.digest})
        if counts := ", ".join(f"{FINDING_KINDS[kind]} ({count:,})" for kind, count in audit["counts"].items()):
            command = f"headstart audit {quote_for_shell(config.data.root)}"
            print(f"the images: {counts}; {escape_control_characters(command)} names them", file=sys.stderr)
    if audits and audits != [*previous.values()]:
        plan.directory.mkdir(parents=True, exist_ok=True)
        write_json(plan.directory / run_directory.AUDIT_FILE, audits)


def finish_sweep(plan: SweepPlan) -> int:
    """Prints the table of the sweep, which names the failed runs, writes its report, and prints what follows.

    Returns:
        The exit code: 0, or 1 where a run or the report failed.
    """
    results = [read_result(plan.directory / run.directory) for run in plan.command.runs]
    may_lack_runs = bool(plan.command.looks or plan.minutes)
    code = int(any(not may_lack_runs if result is None else result.is_failed for result in results))
    if any(iter_results(plan.directory)):
        from headstart.compare.inference.analysis import analyze_sweep
        from headstart.compare.report.terminal import print_analysis, print_conclusions

        analysis = analyze_sweep(plan.directory)
        print_analysis(analysis)
        print(f"sweep: {plan.directory}")
        code = max(code, run_command(TRAIN_PROGRAM, lambda: _write_report(plan.directory, analysis)))
        print_conclusions(analysis, plan.directory)
    return code


def _write_report(directory: Path, analysis: "SweepAnalysis") -> int:
    from headstart.compare.report.content import write_report

    print(f"report: {write_report(directory, analysis)}")
    return 0
