"""Formats numbers, durations and lists for pages and the terminal."""

import math
import re
from collections.abc import Sequence
from typing import Any

MISSING = "–"
SI_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def format_percent(share: float | None) -> str:
    """Formats a share of 1 in per cent with one decimal and no sign."""
    return MISSING if share is None else f"{round(100 * share, 1) + 0.0:.1f}".replace("-", "−")


def format_signed_points(difference: float | None) -> str:
    """Formats a difference of two shares in percentage points with its sign: ``+1.5``."""
    return MISSING if difference is None else f"{round(100 * difference, 1) + 0.0:+.1f}".replace("-", "−")


def format_points(difference: float) -> str:
    """Formats a difference of two shares with its unit: ``1 point``, ``1.5 points``."""
    number = f"{100 * difference:.1f}".removesuffix(".0")
    return f"{number} point{'s' if number != '1' else ''}"


def format_count(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.0f}"


def format_decimal(value: float | None, digits: int = 1) -> str:
    return MISSING if value is None else f"{value:,.{digits}f}"


def format_si(value: float | None) -> str:
    """Formats a number with three digits and a prefix: ``22.2 M``."""
    if value is None:
        return MISSING
    value = float(f"{value:.3g}")
    scale, prefix = next(((s, p) for s, p in SI_PREFIXES if value >= s), (1, ""))
    number = value / scale
    digits = 0 if number >= 100 or scale == 1 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {prefix}".strip()


def format_duration(seconds: float) -> str:
    """Formats a time: ``45 s``, ``3 min`` or ``2 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def join_units(text: str) -> str:
    """Keeps each per cent sign, and the s of seconds, on the line of its number, by a no-break space."""
    return re.sub(r"(?<=\d) (?=%|s\b)", "\N{NO-BREAK SPACE}", text)


def join_with_and(items: Sequence[str]) -> str:
    """Joins texts to a list in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def pluralize(count: int, noun: str, plural: str | None = None) -> str:
    """Counts things: ``1 run``, ``2 runs``."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def to_json_value(value: Any) -> Any:
    """Converts NumPy numbers to Python's, tuples to lists, and NaN and infinity to None, also within containers."""
    if isinstance(value, dict):
        return {str(key): to_json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
