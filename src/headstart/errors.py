"""The one exception that a person is meant to read."""

from collections.abc import Sequence

MAX_LISTED = 20  # things that one line names before it only counts


class HeadstartError(Exception):
    """One line: what is wrong, with which thing, and the mend."""


class DivergedError(HeadstartError):
    """A training's loss became no finite number."""


def hint_at_text(value: object) -> str:
    """What to add to a message where a number was wanted and ``value`` is the text of one; else empty."""
    try:
        is_number = isinstance(value, str) and float(value) is not None
    except ValueError:
        is_number = False
    return "; it is text here: write ${oc.decode:${oc.env:NAME}} for a variable's value" if is_number else ""


def join_with_limit(items: Sequence[str]) -> str:
    """The first twenty, and how many more there are."""
    more = f" and {len(items) - MAX_LISTED:,} more" if len(items) > MAX_LISTED else ""
    return ", ".join(items[:MAX_LISTED]) + more
