"""Locks a run directory while a process trains in it. Torch-free."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from headstart.errors import HeadstartError
from headstart.files import write_text
from headstart.runs import run_directory
from headstart.runs.result import read_result


class BusyError(HeadstartError):
    """Another process trains the run."""


@contextmanager
def lock_run_directory(directory: Path, identity: str, wait: bool = False) -> Iterator[None]:
    """Makes the run directory and locks it for this process while the block runs.

    Args:
        directory: the run directory.
        identity: of the run.
        wait: whether to wait for another process that trains the run.

    Raises:
        BusyError: another process trains the run, and ``wait`` is false.
        HeadstartError: the directory holds another run or foreign files, or it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_foreign_files(directory)
        lock = FileLock(directory / run_directory.LOCK_FILE, is_singleton=True)
        lock.acquire(blocking=wait)
    except Timeout:
        raise BusyError(f"{directory}: another process is training this run; wait for it, or end it") from None
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise HeadstartError(f"{directory}: runs cannot be written here ({error.strerror})") from error
    try:
        _write_identity(directory, identity)
        yield
    finally:
        lock.release()


@contextmanager
def try_lock(directory: Path, wait: bool = False) -> Iterator[bool]:
    """Locks a run directory for this process; :func:`lock_run_directory` of the same thread may lock it again.

    Args:
        directory: the run directory; made where it does not exist.
        wait: whether to wait for another process that trains the run.

    Yields:
        False where another process trains the run; also true where the directory cannot be locked, so that training
        reports why.
    """
    lock = None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / run_directory.LOCK_FILE, is_singleton=True)
        lock.acquire(blocking=wait)
    except Timeout:
        yield False
        return
    except OSError:
        lock = None
    try:
        yield True
    finally:
        if lock:
            lock.release()


def _refuse_foreign_files(directory: Path) -> None:
    """Raises HeadstartError where a run would overwrite files that no run wrote."""
    if (directory / run_directory.IDENTITY_FILE).exists():
        return
    for name in run_directory.WRITTEN_NAMES:
        if (directory / name).exists():
            raise HeadstartError(f"{directory} holds a {name} of another origin; give another directory, or none")


def _write_identity(directory: Path, identity: str) -> None:
    path = directory / run_directory.IDENTITY_FILE
    present = path.read_text(encoding="utf-8").strip() if path.exists() else identity
    # A run that failed before it wrote a result or a checkpoint leaves its directory to the next run.
    is_begun = read_result(directory) or any((directory / run_directory.CHECKPOINT_FOLDER).glob("*.ckpt"))
    if present != identity and is_begun:
        raise HeadstartError(
            f"{directory} holds another run ({present[:8]}, not {identity[:8]}); give another directory, or none"
        )
    write_text(path, identity + "\n")
    (directory / run_directory.CHECKPOINT_FOLDER).mkdir(exist_ok=True)
