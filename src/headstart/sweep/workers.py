"""A plan carried out: the runs of a sweep, several at once where there are cores, and what the end says. Torch-free."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from headstart.config import command_line
from headstart.config.identity import identify_run, opened
from headstart.data.audit.kinds import KINDS
from headstart.file_names import quote_for_shell
from headstart.process import FULL, INTERRUPTED, TERMINATED, disk_is_full, one_line, prepare_process
from headstart.reporting.console import harmless
from headstart.runs import run_directory
from headstart.sweep.estimate import shares
from headstart.sweep.planner import How, Plan, planned
from headstart.training.run_metadata import described

if TYPE_CHECKING:
    from headstart.compare.inference.analysis import Judged
    from headstart.data.image_source import Source

ENDED = (INTERRUPTED, TERMINATED, FULL)  # codes after which nothing more is tried

Run = Callable[..., dict[str, Any]]


def carry_out(run: Run, argv: list[str]) -> int:
    """Plans what the (quoted) command asks for, lets Hydra do it, and says how it ended; the exit code."""
    plan = planned(argv)
    if plan.directory is None:
        return command_line.launch(partial(_alone, run), plan.argv)
    if plan.left:
        _audited(plan)
    code = _trained(run, plan) if plan.left else 0
    return _ended(plan, code)


def _audited(plan: Plan) -> None:
    """Looks at the sweep's images before anything trains, anew where they changed; the report tells what was found."""
    assert plan.directory is not None
    before = {(audit.get("name"), audit.get("digest")): audit for audit in run_directory.audits(plan.directory)}
    told = []
    for cfg in plan.looked_at:
        source = opened(cfg)
        _print_remarks(source)
        if known := before.get((source.name, source.digest)):
            told.append(known)
            continue
        if (found := source.audit()) is None:
            continue
        told.append(found | {"digest": source.digest})
        if counts := ", ".join(f"{KINDS[kind]} ({count:,})" for kind, count in found["counts"].items()):
            command = f"headstart audit {quote_for_shell(cfg.data.root)}"
            print(f"the images: {counts}; {harmless(command)} names them", file=sys.stderr)
    if told and told != [*before.values()]:
        plan.directory.mkdir(parents=True, exist_ok=True)
        run_directory.write_json(plan.directory / run_directory.AUDIT, told)


def _print_remarks(source: "Source") -> None:
    """Says what is passed over in a folder of images, and how its layout is taken."""
    for remark in source.remarks:
        print(harmless(remark), file=sys.stderr)


def _alone(run: Run, cfg: DictConfig) -> None:
    _print_remarks(opened(cfg))
    directory = Path(HydraConfig.get().runtime.output_dir)
    run_directory.forget_failure(directory)
    before = "done before, nothing trained: " if run_directory.finished(directory, identify_run(cfg)) else ""
    result = run(cfg, How(seeds=(cfg.seed,)))
    print(f"{before}accuracy {result['metrics']['test/accuracy']:.1%} on the test images; run: {directory}")


# -- several at once ----------------------------------------------------------------------------------


def _trained(run: Run, plan: Plan) -> int:
    """Trains what the sweep still lacks. One core does a small network as fast as two, so each run has one where
    memory allows: this process and its helpers go through the same list, and each takes what no other holds."""
    at_once, threads = shares()
    helpers = [
        multiprocessing.get_context("spawn").Process(target=_help, args=(run, plan, at_once, threads))
        for _ in range(min(at_once, plan.left) - 1)
    ]
    try:
        for helper in helpers:
            helper.start()
        codes = [_pass(run, plan, at_once, threads)]
        for helper in helpers if codes[0] not in ENDED else ():
            helper.join()
    finally:
        for helper in helpers:
            helper.kill()
    if codes[0] in ENDED:
        return codes[0]
    if any(run_directory.result(directory) is None for directory in plan.runs):
        # Another command holds these, or a helper was killed: whoever comes last waits, and does what is left.
        codes.append(_pass(run, plan, 1, threads, wait=True))
        if codes[-1] in ENDED:
            return codes[-1]
    failed = any((run_directory.result(directory) or {}).get("status") == "failed" for directory in plan.runs)
    return max(*codes, int(failed))


def _help(run: Run, plan: Plan, at_once: int, threads: int) -> None:
    """A helper's life: a pass over the sweep, which ends with the process that began it however that ends."""
    prepare_process()
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C for all
    # The sweep goes on without a helper, and all that it writes is whole or not there: it ends without a word.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(TERMINATED))
    parent: BaseProcess = multiprocessing.parent_process()  # type: ignore[assignment]

    def orphaned() -> None:
        parent.join()
        os._exit(TERMINATED)

    threading.Thread(target=orphaned, daemon=True).start()
    if not torch.accelerator.is_available():  # a GPU is shared badly
        _pass(run, plan, at_once, threads)


def _pass(run: Run, plan: Plan, at_once: int, threads: int, wait: bool = False) -> int:
    """Hydra goes through the sweep; the exit code."""
    took: list[float] = []
    full: list[Exception] = []

    def numbered(cfg: DictConfig) -> None:
        directory, number = Path(HydraConfig.get().runtime.output_dir), HydraConfig.get().job.num + 1
        if full:  # the others would fail alike
            return
        if run_directory.result(
            directory, identify_run(cfg)
        ):  # finished, or failed: this command does not try that again
            return
        left = sum(took) / len(took) * (plan.total - number) / at_once if took else None
        began = time.monotonic()
        how = How(f"[{number}/{plan.total}] ", left, threads, wait, plan.seeds, plan.budgets, plan.arms)
        try:
            run(cfg, how)
        except run_directory.BusyError:
            if wait:
                raise
            return
        except Exception as error:
            if disk_is_full(error):
                full.append(error)
                if multiprocessing.parent_process():  # which will meet it as well, and say so once for all
                    return
                raise
            if directory.is_dir() and not run_directory.result(directory):  # it failed before it could say so itself
                told = {"status": "failed", "error": one_line(error), **described(cfg, how)}
                run_directory.write_json(directory / run_directory.RESULT, told)
            raise
        took.append(time.monotonic() - began)

    code = command_line.launch(numbered, plan.argv)
    return FULL if full else code


def _ended(plan: Plan, code: int) -> int:
    """Prints the sweep's table, which names what failed, and writes its report; the exit code."""
    directory = plan.directory
    assert directory is not None
    if code in (0, 1) and any(run_directory.results(directory)):
        from headstart.compare.inference.analysis import judged
        from headstart.compare.report.terminal import show

        told = judged(directory)
        show(told)
        print(f"sweep: {directory}")
        code = max(code, command_line.told(command_line.PROGRAM, lambda: _reported(directory, told)))
    return code


def _reported(directory: Path, told: "Judged") -> int:
    from headstart.compare.report.content import write

    print(f"report: {write(directory, told)}")
    return 0
