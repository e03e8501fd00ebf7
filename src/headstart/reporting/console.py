"""Prints tables and paths to the terminal; plain text where the output is a file or a pipe."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Literal

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

MIN_TABLE_WIDTH = 20  # characters; a narrower terminal does not know its width
COLUMN_GAP = 2  # characters between columns
UNLIMITED_WIDTH = 100_000  # characters; a file has no edge
# Names are a user's: these move the cursor, start an escape sequence, end a line or turn the writing direction.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    right_aligned: Iterable[str] = (),
    file: IO[str] | None = None,
) -> None:
    """Prints rows below their headers.

    Args:
        headers: names of the columns.
        rows: a text for each column; control characters are escaped.
        right_aligned: names of the columns to align at the right.
        file: where to print; None: standard output.
    """
    console, right_aligned = Console(file=file), set(right_aligned)
    if not console.is_terminal or console.width < MIN_TABLE_WIDTH:  # COLUMNS=0: the width is unknown
        console = Console(file=file, width=UNLIMITED_WIDTH, color_system=None)
    cells = [[escape_control_characters(cell) for cell in row] for row in rows]
    # A name or a figure is never broken: a column is as wide as its longest word, one of figures as its longest cell.
    widths = [
        _longest_text((header, *column), separator=None if header in right_aligned else " ")
        for header, *column in zip(headers, *cells, strict=True)
    ]
    if console.width < (min_width := sum(widths) + COLUMN_GAP * len(widths)):
        console.width = min_width
    table = Table(box=None, pad_edge=False, padding=(0, COLUMN_GAP, 0, 0), header_style="bold")
    for header, width in zip(headers, widths, strict=True):
        alignment: Literal["left", "right"] = "right" if header in right_aligned else "left"
        table.add_column(header, justify=alignment, overflow="fold", min_width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    console.print(table, soft_wrap=False)


def _longest_text(texts: Iterable[str], separator: str | None) -> int:
    """Width of the longest text, or of the longest of its parts, in columns of the terminal."""
    return max(
        (cell_len(part) for text in texts for part in (text.split(separator) if separator else [text])), default=0
    )


def print_path(path: str | os.PathLike[str]) -> None:
    """Prints a path as bytes, for another program to read, whatever the encoding of the terminal."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    sys.stdout.buffer.flush()


def escape_control_characters(text: str) -> str:
    """Spells control characters, escapes and direction marks out, such as ``\\x1b``.

    A byte of a path that is not UTF-8 is spelled as :func:`headstart.file_names.encode_name` spells it.
    """
    return CONTROL_CHARACTERS.sub(lambda match: _escape_character(match[0]), text)


def _escape_character(character: str) -> str:
    byte = ord(character) - 0xDC00  # Python keeps bytes that it cannot decode as these surrogates
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode()
