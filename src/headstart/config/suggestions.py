"""Near matches of a mistyped word for error messages. Torch-free."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggest_closest(word: str, options: Iterable[str], prefix: str = "", cutoff: float = 0.6) -> str:
    """``"; did you mean 'model'?"`` for the option that is closest to a word; empty where none is close.

    Args:
        word: as typed.
        options: the words that exist.
        prefix: stands before each option, such as ``model.``.
        cutoff: smallest similarity, between 0 and 1.
    """
    return format_suggestions(
        [f"{prefix}{name}" for name in get_close_matches(word, list(options), n=1, cutoff=cutoff)]
    )


def format_suggestions(candidates: list[str]) -> str:
    """``"; did you mean 'a' or 'b'?"``; empty without a candidate."""
    return f"; did you mean {' or '.join(repr(name) for name in candidates)}?" if candidates else ""
