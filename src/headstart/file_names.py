"""Names of files, folders and classes as data: how each is written down, and how a person types one."""

import os
import re
import shlex
from pathlib import Path

ESCAPED_BYTE_PATTERN = re.compile(rb"\\x(5c|[89a-f][0-9a-f])")
BACKSLASH_BEFORE_ESCAPE = re.compile(rb"\\(?=x(?:5c|[89a-f][0-9a-f]))")


def encode_name(name: str | os.PathLike[str]) -> str:
    r"""The name of a file as text for JSON, Parquet, CSV and pages; no two names have the same text.

    A name in UTF-8 is its own text. Each byte that is not UTF-8 is written ``\xNN``. Where a name holds the text
    of such an escape itself, the backslash is written ``\x5c``. :func:`decode_name` gives the name back.

    Args:
        name: as Python's file functions give it, in whatever locale.
    """
    return BACKSLASH_BEFORE_ESCAPE.sub(rb"\\x5c", _to_bytes(name)).decode(errors="backslashreplace")


def decode_name(text: str) -> str:
    """The name of a file, as Python's file functions take it, that :func:`encode_name` wrote as ``text``."""
    return os.fsdecode(ESCAPED_BYTE_PATTERN.sub(lambda match: bytes([int(match[1], 16)]), text.encode()))


def expand_home(path: str | os.PathLike[str]) -> Path:
    """The path, a leading ``~`` replaced by the home folder unless a file or folder of that very name is there."""
    if os.path.lexists(path):
        return Path(path)
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises for an unknown user


def quote_for_shell(word: str) -> str:
    r"""The word as a shell takes it, UTF-8 throughout; where its bytes are not UTF-8, as ``$'caf\xe9'``."""
    raw = _to_bytes(word)
    try:
        return shlex.quote(raw.decode())
    except UnicodeDecodeError:
        return "$'" + raw.replace(b"\\", rb"\\").replace(b"'", rb"\'").decode(errors="backslashreplace") + "'"


def _to_bytes(name: str | os.PathLike[str]) -> bytes:
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:  # text of a configuration, beyond the encoding of a locale that is not UTF-8
        return os.fspath(name).encode(errors="surrogateescape")
