"""A plan carried out: the runs of a sweep, several at once where there are cores, and what the end says. Torch-free."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from headstart.config import command_line
from headstart.config.identity import identify_run, load_source
from headstart.errors import is_disk_full
from headstart.file_names import quote_for_shell
from headstart.files import write_json
from headstart.process import (
    EXIT_DISK_FULL,
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    format_error,
    prepare_process,
)
from headstart.reporting.console import escape_control_characters
from headstart.reporting.finding_kinds import FINDING_KINDS
from headstart.runs import run_directory
from headstart.runs.lock import BusyError
from headstart.runs.result import (
    RunResult,
    delete_failed_result,
    iter_results,
    read_finished_result,
    read_result,
    write_result,
)
from headstart.sweep.estimate import workers_and_threads
from headstart.sweep.planner import SweepPlan, plan_sweep
from headstart.training.context import RunContext
from headstart.training.run_metadata import describe_run

if TYPE_CHECKING:
    from headstart.compare.inference.analysis import SweepAnalysis
    from headstart.data.image_source import ImageSource

STOP_CODES = (EXIT_INTERRUPTED, EXIT_TERMINATED, EXIT_DISK_FULL)  # codes after which nothing more is tried

TrainFunction = Callable[..., RunResult]


def run_sweep(train: TrainFunction, argv: list[str]) -> int:
    """Plans what the (quoted) command asks for, lets Hydra do it, and says how it ended; the exit code."""
    plan = plan_sweep(argv)
    if plan.directory is None:
        return command_line.launch_hydra(partial(_run_single, train), plan.argv)
    if plan.num_pending:
        _audit_sources(plan)
    code = _train_pending(train, plan) if plan.num_pending else 0
    return _finish_sweep(plan, code)


def _audit_sources(plan: SweepPlan) -> None:
    """Looks at the sweep's images before anything trains, anew where they changed; the report tells what was found."""
    assert plan.directory is not None
    before = {(audit.get("name"), audit.get("digest")): audit for audit in run_directory.read_audits(plan.directory)}
    told = []
    for cfg in plan.audit_configs:
        source = load_source(cfg)
        _print_remarks(source)
        if known := before.get((source.name, source.digest)):
            told.append(known)
            continue
        if (found := source.audit()) is None:
            continue
        told.append(found | {"digest": source.digest})
        if counts := ", ".join(f"{FINDING_KINDS[kind]} ({count:,})" for kind, count in found["counts"].items()):
            command = f"headstart audit {quote_for_shell(cfg.data.root)}"
            print(f"the images: {counts}; {escape_control_characters(command)} names them", file=sys.stderr)
    if told and told != [*before.values()]:
        plan.directory.mkdir(parents=True, exist_ok=True)
        write_json(plan.directory / run_directory.AUDIT_FILE, told)


def _print_remarks(source: "ImageSource") -> None:
    """Says what is passed over in a folder of images, and how its layout is taken."""
    for remark in source.remarks:
        print(escape_control_characters(remark), file=sys.stderr)


def _run_single(train: TrainFunction, cfg: DictConfig) -> None:
    _print_remarks(load_source(cfg))
    directory = Path(HydraConfig.get().runtime.output_dir)
    delete_failed_result(directory)
    before = "done before, nothing trained: " if read_finished_result(directory, identify_run(cfg)) else ""
    result = train(cfg, RunContext(directory, requested_seeds=(cfg.seed,)))
    print(f"{before}accuracy {result.metrics['test/accuracy']:.1%} on the test images; run: {directory}")


# -- several at once ----------------------------------------------------------------------------------


def _train_pending(train: TrainFunction, plan: SweepPlan) -> int:
    """Trains what the sweep still lacks. One core does a small network as fast as two, so each run has one where
    memory allows: this process and its helpers go through the same list, and each takes what no other holds."""
    at_once, threads = workers_and_threads()
    helpers = [
        multiprocessing.get_context("spawn").Process(target=_run_worker, args=(train, plan, at_once, threads))
        for _ in range(min(at_once, plan.num_pending) - 1)
    ]
    try:
        for helper in helpers:
            helper.start()
        codes = [_run_pending(train, plan, at_once, threads)]
        for helper in helpers if codes[0] not in STOP_CODES else ():
            helper.join()
    finally:
        for helper in helpers:
            helper.kill()
    if codes[0] in STOP_CODES:
        return codes[0]
    if any(read_result(directory) is None for directory in plan.run_directories):
        # Another command holds these, or a helper was killed: whoever comes last waits, and does what is left.
        codes.append(_run_pending(train, plan, 1, threads, wait_for_lock=True))
        if codes[-1] in STOP_CODES:
            return codes[-1]
    results = map(read_result, plan.run_directories)
    failed = any(result.is_failed for result in results if result)
    return max(*codes, int(failed))


def _run_worker(train: TrainFunction, plan: SweepPlan, at_once: int, threads: int) -> None:
    """A helper's life: a pass over the sweep, which ends with the process that began it however that ends."""
    prepare_process()
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C for all
    # The sweep goes on without a helper, and all that it writes is whole or not there: it ends without a word.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(EXIT_TERMINATED))
    parent: BaseProcess = multiprocessing.parent_process()  # type: ignore[assignment]

    def orphaned() -> None:
        parent.join()
        os._exit(EXIT_TERMINATED)

    threading.Thread(target=orphaned, daemon=True).start()
    if not torch.accelerator.is_available():  # a GPU is shared badly
        _run_pending(train, plan, at_once, threads)


def _run_pending(train: TrainFunction, plan: SweepPlan, at_once: int, threads: int, wait_for_lock: bool = False) -> int:
    """Hydra goes through the sweep; the exit code."""
    took: list[float] = []
    full: list[Exception] = []

    def numbered(cfg: DictConfig) -> None:
        directory, number = Path(HydraConfig.get().runtime.output_dir), HydraConfig.get().job.num + 1
        if full:  # the others would fail alike
            return
        if read_result(directory, identify_run(cfg)):  # finished, or failed: this command does not try that again
            return
        left = sum(took) / len(took) * (plan.num_runs - number) / at_once if took else None
        began = time.monotonic()
        how = RunContext(
            directory,
            wait_for_lock,
            f"[{number}/{plan.num_runs}] ",
            left,
            threads,
            plan.seeds,
            plan.num_budgets,
            plan.num_arms,
        )
        try:
            train(cfg, how)
        except BusyError:
            if wait_for_lock:
                raise
            return
        except Exception as error:
            if is_disk_full(error):
                full.append(error)
                if multiprocessing.parent_process():  # which will meet it as well, and say so once for all
                    return
                raise
            if directory.is_dir() and not read_result(directory):  # it failed before it could say so itself
                write_result(directory, replace(describe_run(cfg, how), error=format_error(error)))
            raise
        took.append(time.monotonic() - began)

    code = command_line.launch_hydra(numbered, plan.argv)
    return EXIT_DISK_FULL if full else code


def _finish_sweep(plan: SweepPlan, code: int) -> int:
    """Prints the sweep's table, which names what failed, and writes its report; the exit code."""
    directory = plan.directory
    assert directory is not None
    if code in (0, 1) and any(iter_results(directory)):
        from headstart.compare.inference.analysis import analyze_sweep
        from headstart.compare.report.terminal import print_analysis

        told = analyze_sweep(directory)
        print_analysis(told)
        print(f"sweep: {directory}")
        code = max(code, command_line.run_command(command_line.TRAIN_PROGRAM, lambda: _write_report(directory, told)))
    return code


def _write_report(directory: Path, analysis: "SweepAnalysis") -> int:
    from headstart.compare.report.content import write_report

    print(f"report: {write_report(directory, analysis)}")
    return 0
