"""The one exception that a person is meant to read."""

from collections.abc import Sequence

NAMED = 20  # things that one line names before it only counts


class HeadstartError(Exception):
    """One line: what is wrong, with which thing, and the mend."""


class DivergedError(HeadstartError):
    """A training's loss became no finite number."""


def named(things: Sequence[str]) -> str:
    """The first twenty, and how many more there are."""
    more = f" and {len(things) - NAMED:,} more" if len(things) > NAMED else ""
    return ", ".join(things[:NAMED]) + more
