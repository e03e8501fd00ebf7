"""Answers ``--help`` and ``--version``. Imports no Hydra, which takes several times as long."""

from pathlib import Path
from string import Template

from headstart.config.command_line import CommandLine
from headstart.config.shipped import DERIVED_GROUPS, conf_dir, read_shipped_yaml
from headstart.version import __version__


def print_help_or_version(line: CommandLine) -> bool:
    """Prints what ``--help`` or ``--version`` asks for; returns whether one of them was given."""
    if "--help" in line.values:
        print(format_help(line.config_dir))
        return True
    if "--version" in line.values:
        print(f"headstart {__version__}")
        return True
    return False


def format_help(config_dir: Path | None) -> str:
    """The text of ``--help``; lists the groups and choices of the folders themselves."""
    template = read_shipped_yaml("hydra", "help", "headstart")["template"]
    choices: dict[str, set[str]] = {}
    for folder in filter(None, (conf_dir(), config_dir)):
        for path in folder.rglob("*.yaml"):
            group = path.parent.relative_to(folder).as_posix()
            if group not in (".", *DERIVED_GROUPS) and not group.startswith("hydra"):
                choices.setdefault(group, set()).add(path.stem)
    groups = "".join(f"{group}: {', '.join(sorted(names))}\n" for group, names in sorted(choices.items()))
    return Template(template).substitute(APP_CONFIG_GROUPS=groups).rstrip()
