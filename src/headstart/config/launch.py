"""Runs Hydra on a command line: quotes overrides, prints errors in one line. Torch-free."""

import functools
import multiprocessing
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.auto_settings import resolve_auto_settings
from headstart.config.command_line import TRAIN_PROGRAM, CommandLine, parse_command_line
from headstart.config.compose import ComposedCommand, compose_command, compose_first_run, replace_values
from headstart.config.data_module import clear_source_cache
from headstart.config.help import print_help_or_version
from headstart.config.overrides import quote_overrides
from headstart.errors import HeadstartError, is_disk_full
from headstart.process import EXIT_DISK_FULL, HYDRA_RAISES, format_error, is_trace_enabled, print_error


def launch_hydra(
    task: Callable[[], Any], argv: list[str], check: Callable[[ComposedCommand], None] | None = None
) -> int:
    """Lets Hydra answer a command line: run the task once, run a sweep, or show something.

    Args:
        task: a function that ``hydra.main`` decorates.
        argv: the command line as typed, without the program.
        check: checks the composed command before Hydra runs it.

    Returns:
        The exit code.

    Raises:
        HeadstartError: the command line is wrong.
    """
    argv = quote_overrides(argv)
    line = parse_command_line(argv)
    if print_help_or_version(line):
        return 0
    clear_source_cache()
    if "--cfg" in line.values:
        argv = _list_shown_words(line)
    elif command := compose_command(argv):
        if not command.multirun:  # the runs of a sweep may differ in it, see plan_sweep
            command = resolve_auto_settings(command)
            argv = [*replace_values(line.overrides, command.auto_overrides), *line.flags]
        if check:
            check(command)
    call_hydra(task, argv)
    return 0


def _list_shown_words(line: CommandLine) -> list[str]:
    """The command line with which Hydra shows the configuration of one run; of a sweep that is the first."""
    command = compose_first_run(line)
    with suppress(HeadstartError):  # without its images, auto stays
        command = resolve_auto_settings(command)
    flags = [word for word in line.flags if word not in ("-m", "--multirun")]
    return [*replace_values(command.overrides, command.auto_overrides), *flags]


def call_hydra(task: Callable[[], Any], argv: list[str]) -> None:
    """Calls a function that ``hydra.main`` decorates with a command line; Hydra raises errors instead of printing."""
    previous, sys.argv = sys.argv, [sys.argv[0], *argv]
    marks = {} if is_trace_enabled() else {"HYDRA_FULL_ERROR": "1", HYDRA_RAISES: "1"}
    os.environ.update(marks)
    try:
        task()
    except SystemExit as end:
        if end.code or type(end) is not SystemExit:  # Lightning's SystemExit for SIGTERM has no code
            raise
    finally:
        sys.argv = previous
        for name in marks:
            os.environ.pop(name, None)


def print_one_line_errors(task: Callable[[DictConfig], Any]) -> Callable[[DictConfig], Any]:
    """Decorates a task function of Hydra: prints an exception in one line instead of Hydra's report.

    A single run ends with exit code 1. In a sweep the error goes back to the sweeper, and the other runs go on;
    a full disk ends the sweep.
    """

    @functools.wraps(task)
    def run_task(cfg: DictConfig) -> Any:
        try:
            return task(cfg)
        except Exception as error:
            if not HydraConfig.initialized():
                raise
            if is_disk_full(error) and is_sweep_job():
                if not multiprocessing.parent_process():  # the parent of a worker meets the full disk as well
                    print_error(TRAIN_PROGRAM, error, is_trace_enabled())
                raise SystemExit(EXIT_DISK_FULL) from None
            print_error(TRAIN_PROGRAM, error, is_trace_enabled())
            if is_sweep_job():
                raise HeadstartError(format_error(error)) from None  # an exception that a launcher can pickle
            raise SystemExit(1) from None

    return run_task


def is_sweep_job() -> bool:
    """Whether the task function runs as a job of a sweep."""
    return not OmegaConf.is_missing(HydraConfig.get().job, "num")
