"""Overrides as people type them: what Hydra's grammar would reject or reread is quoted for it."""

import os
import re
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

PATH_KEYS = {"root", "weights", "dir", "subdir", "save_dir"}  # the last word of keys that name a place
NON_PATH_VALUES = {"embedded", "hub", "none", "null"}  # what such a key takes besides a path
OPEN_KEY_PREFIXES = ("backbone.options.",)  # free keyword arguments, empty by default: a new key needs no "+"


def quote_overrides(argv: list[str]) -> list[str]:
    """The command with every value such that Hydra reads what was typed; overrides first, flags after.

    Hydra's own syntax stays as it is: lists, dicts, sweeps, functions, quoted values, ``+``, ``++``, ``~``.
    A key that names a place (``data.root``, ``backbone.weights``, ``hydra.run.dir``, …) takes its text
    literally, but for a leading ``~`` (the home folder) and for commas between places that exist.
    """
    flags, overrides = split_flags(argv)
    return [*map(_quote_override, overrides), *flags]


def split_flags(argv: list[str]) -> tuple[list[str], list[str]]:
    """Flags with their values, and overrides; argparse does not read them interleaved."""
    takes_value = {s for a in get_args_parser()._actions if a.nargs is None for s in a.option_strings}
    flags: list[str] = []
    overrides: list[str] = []
    value_follows = False
    for word in argv:
        is_topic = "=" not in word and flags[-1:] in (
            ["-i"],
            ["--info"],
        )  # a flag whose value may be left out
        is_flag = word.startswith("-") or value_follows or is_topic
        (flags if is_flag else overrides).append(word)
        value_follows = word in takes_value and not value_follows
    return flags, overrides


def override_key(key: str) -> str:
    """The key alone: ``++backbone.options.x`` -> ``backbone.options.x``."""
    return key.lstrip("+~").partition("@")[0]


def _quote_override(override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals or key.startswith("~"):
        return override
    if key.startswith(OPEN_KEY_PREFIXES):
        key = f"++{key}"
    if override_key(key).rpartition(".")[2] in PATH_KEYS:
        return f"{key}={_quote_paths(value)}"
    return f"{key}={value if _try_parse(value) else _quote_text(value)}"


def _quote_paths(value: str) -> str:
    """One place, or a sweep over places that all exist."""
    parts = value.split(",")
    if len(parts) > 1 and not _path_exists(value) and all(_is_path(part) for part in parts):
        return ",".join(_quote_path(part) for part in parts)
    return _quote_path(value)


def _is_path(value: str) -> bool:
    return value in NON_PATH_VALUES or _path_exists(value) or _is_quoted(value)


def _quote_path(value: str) -> str:
    if not _path_exists(value) and (value in ("", "null") or _is_quoted(value)):
        return value
    home = value if Path(value).exists() else _expand_tilde(value)
    if home == "???" and _path_exists(value):  # which would be a missing value
        return "./???"
    if "${" in home and _path_exists(value):  # a folder of that name, and no interpolation
        return _quote_text(re.sub(r"(\\*)\$\{", r"\1\1\\${", home))
    return home if (same := _try_parse(home)) and same.value() == home else _quote_text(home)


def _path_exists(value: str) -> bool:
    try:
        return bool(value) and (Path(value).exists() or Path(_expand_tilde(value)).exists())
    except (OSError, ValueError):  # no name that a file system takes, so no place
        return False


def _expand_tilde(value: str) -> str:
    return os.path.expanduser(value)  # noqa: PTH111  Path's tidies the text, and raises for an unknown ~user


def _is_quoted(value: str) -> bool:
    parsed = _try_parse(value)
    return parsed is not None and isinstance(parsed._value, QuotedString)


def _quote_text(value: str) -> str:
    return QuotedString(value, Quote.single).with_quotes()


def _try_parse(value: str) -> Override | None:
    """What Hydra reads in a value; None where it rejects it."""
    try:
        return OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return None
