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
    Asked,
    arguments,
    asked,
    composed,
    conf_dir,
    further_choices,
    varied,
)
from headstart.config.overrides import parted, quoted
from headstart.process import complain, told, wants_trace

__all__ = ["PROGRAM", "Asked", "asked", "conf_dir", "launch", "quoted", "told", "varied"]

PROGRAM = "headstart-train"


def launch(job: Callable[[DictConfig], object], argv: list[str]) -> int:
    """Lets Hydra answer the command: runs ``job`` once, or once for each run of a sweep, or shows things.

    Returns:
        The exit code: 0, 1 after any failure (told in one line), 130 for Ctrl-C.
    """
    return told(PROGRAM, lambda: _launched(job, quoted(argv)))


def _launched(job: Callable[[DictConfig], object], argv: list[str]) -> int:
    args = arguments(argv)
    flags, overrides = parted(argv)
    if args.help:
        print(helped(further_choices(args)))
        return 0
    if args.cfg:
        # Hydra shows one run; of a sweep that is the first.
        overrides, flags = composed(args).overrides, [f for f in flags if f not in ("-m", "--multirun")]
    else:
        asked(argv)
    failed, trace = [], wants_trace()

    @functools.wraps(job)
    def answered(cfg: DictConfig) -> object:
        try:
            return job(cfg)
        except Exception as error:  # Hydra would end the sweep here, and print more than a line
            complain(PROGRAM, error, trace)
            failed.append(error)
            return None

    _hydra(answered, [*overrides, *flags])
    return 1 if failed else 0


def helped(extra: Path | None) -> str:
    """The text of ``--help``. Hydra takes as long to list the groups as a whole start otherwise does."""
    text = (conf_dir() / "hydra" / "help" / "headstart.yaml").read_text(encoding="utf-8")
    template = yaml.safe_load(text)["template"]
    choices: dict[str, set[str]] = {}
    for folder in filter(None, (conf_dir(), extra)):
        for path in folder.rglob("*.yaml"):
            group = path.parent.relative_to(folder).as_posix()
            if group != "." and not group.startswith("hydra"):
                choices.setdefault(group, set()).add(path.stem)
    groups = "".join(f"{group}: {', '.join(sorted(names))}\n" for group, names in sorted(choices.items()))
    return Template(template).substitute(APP_CONFIG_GROUPS=groups).rstrip()


def _hydra(job: Callable[[DictConfig], object], argv: list[str]) -> None:
    before, sys.argv = sys.argv, [sys.argv[0], *argv]
    trace = wants_trace()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra raises what it would print and exit with
    try:
        hydra.main(str(conf_dir()), CONFIG_NAME, VERSION_BASE)(job)()
    except SystemExit as end:
        if end.code or type(end) is not SystemExit:  # Lightning's answer to SIGTERM has no code
            raise
    finally:
        sys.argv = before
        if not trace:
            del os.environ["HYDRA_FULL_ERROR"]
