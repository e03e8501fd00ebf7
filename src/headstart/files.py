"""Writes files as a whole or not at all."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from headstart.errors import HeadstartError


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yields a temporary path to write; renames it to ``path`` at the end, or deletes it where the block fails.

    A symbolic link stays, and the file that it leads to is replaced. The file has the mode that the umask gives.

    Raises:
        HeadstartError: ``path`` is a device, a pipe or a folder, or its folder does not exist.
    """
    target = path.resolve() if path.is_symlink() else path
    if target.exists() and not target.is_file():
        raise HeadstartError(f"{path}: this is no file that can be replaced; name another")
    if not target.parent.is_dir():
        raise HeadstartError(f"{path}: there is no folder {target.parent}; make it, or name another")
    scratch = target.with_name(target.name + ".part")
    try:
        yield scratch
        scratch.replace(target)
    except BaseException:
        with suppress(OSError):  # the error of the block matters more
            scratch.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text file as a whole, in UTF-8 and with the line ends of ``text``."""
    with write_atomically(path) as scratch:
        # A message may quote a path that is not UTF-8; no result is lost for it.
        scratch.write_bytes(text.encode(errors="backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file as a whole."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def copy_atomically(source: Path, target: Path) -> None:
    """Copies a file as a whole."""
    with write_atomically(target) as scratch:
        shutil.copyfile(source, scratch)
