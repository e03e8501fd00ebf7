"""The exception for errors that a user can mend, and questions about the causes of any exception."""

import errno
from collections.abc import Iterator, Sequence

MAX_LISTED = 20  # items that a message names; it counts the rest
NOT_WRITABLE_ERRNOS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR}


class HeadstartError(Exception):
    """An error whose message is one line for the user: what is wrong, where, and what to do.

    Example:
        >>> raise HeadstartError("data.root=cats: there is no such folder; give another path")
        Traceback (most recent call last):
        headstart.errors.HeadstartError: data.root=cats: there is no such folder; give another path
    """


class DivergedError(HeadstartError):
    """The training loss is NaN or infinite."""


def hint_at_text(value: object) -> str:
    """Hint for a value that is the text of a number; empty for any other value."""
    try:
        is_number = isinstance(value, str) and float(value) is not None
    except ValueError:
        is_number = False
    return "; it is text here: write ${oc.decode:${oc.env:NAME}} for a variable's value" if is_number else ""


def first_line(error: BaseException) -> str:
    """First line of an exception's message, or the name of its class where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def join_with_limit(items: Sequence[str]) -> str:
    """Joins the first twenty items by commas and counts the rest."""
    more = f" and {len(items) - MAX_LISTED:,} more" if len(items) > MAX_LISTED else ""
    return ", ".join(items[:MAX_LISTED]) + more


def find_headstart_error(error: BaseException) -> HeadstartError | None:
    """Finds the HeadstartError among an exception and its causes; None where there is none."""
    return next((cause for cause in iterate_causes(error) if isinstance(cause, HeadstartError)), None)


def is_disk_full(error: BaseException) -> bool:
    """Whether a full disk or an exhausted quota caused the exception."""
    return any(is_out_of_space(cause) for cause in iterate_causes(error))


def is_out_of_space(error: BaseException) -> bool:
    """Whether the exception itself is the operating system's error for a full disk or an exhausted quota."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def iterate_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields the exception and its causes, those that OmegaConf hides by ``from None`` included."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
