"""The entry point's manners: what is typed works as typed, and every answer fits on a line. Torch-free."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template

import hydra
import yaml
from omegaconf import DictConfig

from headstart.config.compose import (
    CONFIG_NAME,
    VERSION_BASE,
    ComposedCommand,
    compose_command,
    compose_first_run,
    compose_with,
    conf_dir,
    parse_arguments,
    resolve_config_dir,
)
from headstart.config.overrides import quote_overrides, split_flags
from headstart.process import is_trace_enabled, print_error, run_command

__all__ = [
    "TRAIN_PROGRAM",
    "ComposedCommand",
    "compose_command",
    "compose_with",
    "conf_dir",
    "launch_hydra",
    "quote_overrides",
    "run_command",
]

TRAIN_PROGRAM = "headstart-train"


def launch_hydra(task_function: Callable[[DictConfig], object], argv: list[str]) -> int:
    """Lets Hydra answer the command: runs ``job`` once, or once for each run of a sweep, or shows things.

    Returns:
        The exit code: 0, 1 after any failure (told in one line), 130 for Ctrl-C.
    """
    return run_command(TRAIN_PROGRAM, lambda: _run_hydra_command(task_function, quote_overrides(argv)))


def _run_hydra_command(task_function: Callable[[DictConfig], object], argv: list[str]) -> int:
    args = parse_arguments(argv)
    flags, overrides = split_flags(argv)
    if args.help:
        print(format_help(resolve_config_dir(args)))
        return 0
    if args.cfg:
        # Hydra shows one run; of a sweep that is the first.
        overrides, flags = compose_first_run(args).overrides, [f for f in flags if f not in ("-m", "--multirun")]
    else:
        compose_command(argv)
    failed, trace = [], is_trace_enabled()

    @functools.wraps(task_function)
    def answered(cfg: DictConfig) -> object:
        try:
            return task_function(cfg)
        except Exception as error:  # Hydra would end the sweep here, and print more than a line
            print_error(TRAIN_PROGRAM, error, trace)
            failed.append(error)
            return None

    _call_hydra(answered, [*overrides, *flags])
    return 1 if failed else 0


def format_help(config_dir: Path | None) -> str:
    """The text of ``--help``. Hydra takes as long to list the groups as a whole start otherwise does."""
    text = (conf_dir() / "hydra" / "help" / "headstart.yaml").read_text(encoding="utf-8")
    template = yaml.safe_load(text)["template"]
    choices: dict[str, set[str]] = {}
    for folder in filter(None, (conf_dir(), config_dir)):
        for path in folder.rglob("*.yaml"):
            group = path.parent.relative_to(folder).as_posix()
            if group != "." and not group.startswith("hydra"):
                choices.setdefault(group, set()).add(path.stem)
    groups = "".join(f"{group}: {', '.join(sorted(names))}\n" for group, names in sorted(choices.items()))
    return Template(template).substitute(APP_CONFIG_GROUPS=groups).rstrip()


def _call_hydra(task_function: Callable[[DictConfig], object], argv: list[str]) -> None:
    before, sys.argv = sys.argv, [sys.argv[0], *argv]
    trace = is_trace_enabled()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises what it would print and exit with
    try:
        hydra.main(str(conf_dir()), CONFIG_NAME, VERSION_BASE)(task_function)()
    except SystemExit as end:
        if end.code or type(end) is not SystemExit:  # Lightning's answer to SIGTERM has no code
            raise
    finally:
        sys.argv = before
        if not trace:
            del os.environ["HYDRA_FULL_ERROR"]
