"""A file is written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from headstart.errors import HeadstartError


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Gives the place to write a file at; it becomes ``path`` once the block ends well, and goes if it does not.

    A link stays, and what it leads to is replaced. The file has the mode that the umask gives.

    Raises:
        HeadstartError: ``path`` is a device, a pipe or a folder, or there is no folder for it.
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
        with suppress(OSError):  # the first failure is the one to tell
            scratch.unlink()
        raise
