"""What the terminal shows: tables whose columns line up, plain where the output is a file or a pipe, and durations."""

import os
import re
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

MIN_TABLE_WIDTH = 20  # characters; a table in fewer would show nothing
UNLIMITED_WIDTH = 100_000  # characters: a file has no edge to wrap a line at
# Names come from others: what moves the cursor, starts an escape, ends a line or turns the direction of the rest.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], right_aligned: Iterable[str] = ()) -> None:
    """Prints the rows under their headers.

    Args:
        headers: the columns' names.
        rows: a text for each column, shown as it is, but for what would command the terminal.
        numbers: the names of the columns that are flush right.
    """
    console = Console()
    if not console.is_terminal or console.width < MIN_TABLE_WIDTH:  # COLUMNS=0: nobody knows the width
        console = Console(width=UNLIMITED_WIDTH, color_system=None)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for header in headers:
        table.add_column(header, justify="right" if header in right_aligned else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(escape_control_characters(cell)) for cell in row))
    console.print(table, soft_wrap=False)


def print_path(path: str | os.PathLike[str]) -> None:
    """Prints the path for another program to take: its very bytes, whatever the terminal can show."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    sys.stdout.buffer.flush()


def escape_control_characters(text: str) -> str:
    """The text with control characters, escapes and marks of direction spelt out, such as ``\\x1b``.

    A byte of a path that is not UTF-8 is spelt as ``names.encode_name`` spells it.
    """
    return CONTROL_CHARACTERS.sub(lambda found: _escape_character(found[0]), text)


def _escape_character(character: str) -> str:
    byte = ord(character) - 0xDC00  # where Python keeps the bytes of a name that it cannot decode
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode()


def format_duration(seconds: float) -> str:
    """``45 s``, ``3 min`` or ``2 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
