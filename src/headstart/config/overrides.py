"""Quotes override values that Hydra's grammar would reject or read as another type. Torch-free."""

import os
import re
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from headstart.backbones.packaged_weights import PACKAGED_WEIGHTS
from headstart.config.command_line import split_flags

PATH_KEYS = {"root", "weights", "dir", "subdir", "save_dir"}  # last words of keys that take a path
PATTERN_KEYS = {"data.group"}  # keys that take a regular expression
NON_PATH_VALUES = {"embedded", "hub", "none", "null", *PACKAGED_WEIGHTS}  # values of such keys that are no path
OPEN_KEY_PREFIXES = ("backbone.options.",)  # free keyword arguments: a new key needs no "+"


def quote_overrides(argv: list[str]) -> list[str]:
    """Quotes values so that Hydra reads them as typed; puts overrides first and flags last.

    Hydra's own syntax stays: lists, dicts, sweeps, functions, quoted values, ``+``, ``++``, ``~``.
    Keys that take a path (``data.root``, ``backbone.weights``, ``hydra.run.dir``, …) take the text literally,
    except for a leading ``~`` (the home folder) and for commas between paths that exist. Those that take a regular
    expression (``data.group``) take the text literally, except for ``null`` and for quoted values.
    """
    flags, overrides = split_flags(argv)
    return [*map(_quote_override, overrides), *flags]


def override_key(override: str) -> str:
    """The key of an override: ``++backbone.options.x=1`` -> ``backbone.options.x``."""
    return override.partition("=")[0].lstrip("+~").partition("@")[0]


def _quote_override(override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals or key.startswith("~"):
        return override
    if key.startswith(OPEN_KEY_PREFIXES):
        key = f"++{key}"
    if override_key(key).rpartition(".")[2] in PATH_KEYS:
        return f"{key}={_quote_paths(value)}"
    if override_key(key) in PATTERN_KEYS:
        return f"{key}={value if value in ('', 'null') or _is_quoted(value) else _quote_text(value)}"
    return f"{key}={value if _try_parse(value) else _quote_text(value)}"


def _quote_paths(value: str) -> str:
    """Quotes one path, or each path of a sweep over paths that all exist."""
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
    if home == "???" and _path_exists(value):  # Hydra reads ??? as a missing value
        return "./???"
    if "${" in home and _path_exists(value):  # the name of a folder, no interpolation
        return _quote_text(re.sub(r"(\\*)\$\{", r"\1\1\\${", home))
    return home if (same := _try_parse(home)) and same.value() == home else _quote_text(home)


def _path_exists(value: str) -> bool:
    try:
        return bool(value) and (Path(value).exists() or Path(_expand_tilde(value)).exists())
    except (OSError, ValueError):  # not a name that the file system takes
        return False


def _expand_tilde(value: str) -> str:
    return os.path.expanduser(value)  # noqa: PTH111  Path's tidies the text, and raises for an unknown ~user


def _is_quoted(value: str) -> bool:
    return value[:1] in ("'", '"') and _try_parse(value) is not None


def _quote_text(value: str) -> str:
    return QuotedString(value, Quote.single).with_quotes()


def _try_parse(value: str) -> Override | None:
    """Parses a value as Hydra does; None where Hydra rejects it."""
    try:
        return OverridesParser.create().parse_override(f"key={value}")
    except HydraException:
        return None
