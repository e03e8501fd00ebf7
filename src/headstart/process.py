"""Every failure is one line: what is wrong, with which thing, and the mend."""

import errno
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from headstart.errors import HeadstartError

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143  # the shell's codes for a program ended by Ctrl-C, and by SIGTERM
EXIT_DISK_FULL = 74  # of sysexits.h, for trouble of input or output: the disk is full

# A run that has no resume point yet, as in its first seconds, is trained from its beginning.
RESUME_HINT = "; the same command keeps finished runs, and starts others at their last resume point or anew"

NOT_WRITABLE_ERRNOS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR}


def prepare_process() -> None:
    """Makes a console command independent of its terminal's encoding, of closed streams and of a notebook's settings.

    Only the console commands and the processes that they start call this: ``import headstart`` changes nothing.
    """
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal cannot show is spelt out, such as \u732b
            stream.reconfigure(errors="backslashreplace")
    # A notebook exports the name of its own backend, which need not be installed here. Charts are drawn as SVG.
    os.environ["MPLBACKEND"] = "agg"
    # Where its folder cannot be written or its list of fonts is new, it says so: nothing that a reader needs.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)


def _open_standard_streams() -> None:
    """Opens the null device where a standard stream is closed: its number would go to the next file that is opened."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


class TerminationExit(SystemExit):
    """What SIGTERM raises within :func:`terminable`, of the kind that Lightning raises in a training."""


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Within it SIGTERM raises :class:`Terminated`, so that what is finished can be kept, as at Ctrl-C."""

    def raises(*_: object) -> NoReturn:
        raise TerminationExit

    before = signal.getsignal(signal.SIGTERM)
    if before != signal.SIG_IGN:  # what a person has the process ignore stays ignored
        signal.signal(signal.SIGTERM, raises)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_command(program: str, command: Callable[[], int], resume_hint: str = RESUME_HINT) -> int:
    """Does the work; whatever it raises is told in one line. The exit code.

    ``HYDRA_FULL_ERROR=1`` shows the trace as well.
    """
    trace = is_trace_enabled()
    try:
        code = command()
        sys.stdout.flush()  # at the program's end a failure would have no line of its own
        return code
    except (KeyboardInterrupt, SystemExit) as end:
        # Lightning turns Ctrl-C into an exit with code 1, and SIGTERM into an exit of its own kind.
        terminated = isinstance(end, SystemExit) and type(end) is not SystemExit
        if isinstance(end.__context__, BrokenPipeError):  # what rich makes of a reader that has seen enough
            return 0
        if isinstance(end, SystemExit) and not terminated and not isinstance(end.__context__, KeyboardInterrupt):
            raise
        print(f"\n{program}: interrupted{resume_hint}", file=sys.stderr)
        return EXIT_TERMINATED if terminated else EXIT_INTERRUPTED
    except BrokenPipeError:  # a reader such as `head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        print_error(program, error, trace)
        return 1


def print_error(program: str, error: Exception, with_trace: bool) -> None:
    if with_trace:
        traceback.print_exception(error)
    from headstart.reporting.console import escape_control_characters

    print(f"{program}: {escape_control_characters(format_error(error))}", file=sys.stderr)


def is_trace_enabled() -> bool:
    return os.environ.get("HYDRA_FULL_ERROR") == "1"


def format_error(error: BaseException) -> str:
    """What a person needs to know of an exception, out of whatever other libraries wrapped it in."""
    for cause in _iterate_causes(error):
        if isinstance(cause, HeadstartError):
            return _join_lines(str(cause))
        if isinstance(cause, OSError) and _is_out_of_space(cause):
            where = f" ({cause.filename})" if cause.filename else ""
            return f"the disk is full{where}; make room, then give the same command again"
        if type(cause).__name__ == "OutOfMemoryError" or isinstance(cause, MemoryError):
            return "out of memory; a smaller data.batch_size or data.image_size needs less"
    origin = _root_cause(error)
    if isinstance(origin, OSError) and origin.strerror and origin.filename:
        mend = "; work in another folder, or name one by hydra.run.dir= or hydra.sweep.dir="
        return f"{origin.filename}: {origin.strerror}{mend if origin.errno in NOT_WRITABLE_ERRNOS else ''}"
    if type(origin).__module__.startswith(("hydra.", "omegaconf.")):
        return _join_lines(str(origin)) or type(origin).__name__
    keys = [line.removeprefix("full_key: ") for line in str(error).splitlines() if line.startswith("full_key: ")]
    place = f"{keys[0]}: " if keys else ""
    return f"{place}{type(origin).__name__}: {_join_lines(str(origin))}; HYDRA_FULL_ERROR=1 shows where"


def find_headstart_error(error: BaseException) -> HeadstartError | None:
    """The line that was meant for a person, out of whatever other libraries wrapped it in."""
    return next((cause for cause in _iterate_causes(error) if isinstance(cause, HeadstartError)), None)


def is_disk_full(error: BaseException) -> bool:
    return any(isinstance(cause, OSError) and _is_out_of_space(cause) for cause in _iterate_causes(error))


def _is_out_of_space(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _iterate_causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what led to it; also what OmegaConf hides, since a HeadstartError may be behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _root_cause(error: BaseException) -> BaseException:
    """What the libraries between have wrapped. What merely came before an exception says less than it does."""
    return error if error.__cause__ is None else _root_cause(error.__cause__)


def _join_lines(text: str) -> str:
    return " ".join(text.split())
