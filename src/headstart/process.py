"""Process-level set-up of the console commands: streams, signals, exit codes and one-line errors."""

import io
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from headstart.errors import NOT_WRITABLE_ERRNOS, HeadstartError, is_out_of_space, iterate_causes
from headstart.memory import keep_freed_memory

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143  # the shell's exit codes after SIGINT and SIGTERM
EXIT_DISK_FULL = 74  # EX_IOERR of sysexits.h

# Set beside HYDRA_FULL_ERROR=1 where Hydra shall raise errors without a traceback being printed.
HYDRA_RAISES = "HEADSTART_HYDRA_RAISES"

# A run without a resume point, as in its first seconds, starts anew.
RESUME_HINT = "; the same command keeps finished runs, and starts others at their last resume point or anew"


def prepare_process() -> None:
    """Makes a console command independent of the terminal's encoding, closed streams and a notebook's settings.

    The process also keeps the memory that training frees. Console commands and their worker processes
    call it; ``import headstart`` changes nothing.
    """
    _open_standard_streams()
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # characters outside of the encoding become escapes such as \u732b
            stream.reconfigure(errors="backslashreplace")
    # A notebook exports its own backend, which may not be installed here.
    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it reports new font lists and unwritable caches
    logging.getLogger("hydra").addHandler(logging.NullHandler())  # it logs a missing class that raises, too


def _open_standard_streams() -> None:
    """Opens the null device for each closed standard stream; otherwise the next file would get its descriptor."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


class TerminationExit(SystemExit):
    """Raised for SIGTERM within :func:`raise_on_sigterm`; a subclass of SystemExit like Lightning's own exception."""


@contextmanager
def raise_on_sigterm() -> Iterator[None]:
    """Raises :class:`TerminationExit` for SIGTERM, so that finished work is kept as after Ctrl-C."""

    def handle_signal(*_: object) -> NoReturn:
        raise TerminationExit

    before = signal.getsignal(signal.SIGTERM)
    if before != signal.SIG_IGN:  # an ignored signal stays ignored
        signal.signal(signal.SIGTERM, handle_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class TimeLimitReached(BaseException):
    """Raised within :func:`limit_time`; like Ctrl-C no Exception, so that nothing takes it for the failure of a run."""


@contextmanager
def limit_time(stop_at: float | None) -> Iterator[None]:
    """Raises :class:`TimeLimitReached` at a time, whatever the main thread does or waits for then.

    Args:
        stop_at: in seconds since 1970; None, or on Windows: never.
    """
    if stop_at is None or not hasattr(signal, "setitimer"):
        yield
        return

    def handle_signal(*_: object) -> NoReturn:
        raise TimeLimitReached

    before = signal.signal(signal.SIGALRM, handle_signal)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(stop_at - time.time(), 1e-3))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_command(program: str, command: Callable[[], int], resume_hint: str = RESUME_HINT) -> int:
    """Runs a console command and prints any exception in one line, after its traceback if ``HYDRA_FULL_ERROR=1``.

    Args:
        program: name of the command, for the messages.
        command: does the work and returns the exit code.
        resume_hint: added to the message after an interruption.

    Returns:
        The exit code: that of the command, 1 after an exception, 130 after Ctrl-C, 143 after SIGTERM.
    """
    trace = is_trace_enabled()
    try:
        code = command()
        sys.stdout.flush()  # a failure at the interpreter's exit would print a traceback
        return code
    except (KeyboardInterrupt, SystemExit) as end:
        # Lightning raises SystemExit(1) for Ctrl-C and a subclass of SystemExit for SIGTERM.
        terminated = isinstance(end, SystemExit) and type(end) is not SystemExit
        if isinstance(end.__context__, BrokenPipeError):  # rich raises SystemExit for a closed pipe
            return 0
        if isinstance(end, SystemExit) and not terminated and not isinstance(end.__context__, KeyboardInterrupt):
            raise
        print(f"\n{program}: interrupted{resume_hint}", file=sys.stderr)
        return EXIT_TERMINATED if terminated else EXIT_INTERRUPTED
    except BrokenPipeError:  # a reader such as `head` has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        print_error(program, error, trace)
        return 1


def print_error(program: str, error: Exception, with_trace: bool) -> None:
    """Prints an exception to stderr in one line, after its traceback if ``with_trace``."""
    if with_trace:
        traceback.print_exception(error)
    from headstart.reporting.console import escape_control_characters

    print(f"{program}: {escape_control_characters(format_error(error))}", file=sys.stderr)


def is_trace_enabled() -> bool:
    """Whether errors are printed with their traceback."""
    return os.environ.get("HYDRA_FULL_ERROR") == "1" and HYDRA_RAISES not in os.environ


def format_error(error: BaseException) -> str:
    """One line on an exception: the cause that a user can act on, without the layers of other libraries."""
    for cause in iterate_causes(error):
        if isinstance(cause, HeadstartError):
            return _join_lines(str(cause))
        if isinstance(cause, OSError) and is_out_of_space(cause):
            where = f" ({cause.filename})" if cause.filename else ""
            return f"the disk is full{where}; make room, then give the same command again"
        if type(cause).__name__ == "OutOfMemoryError" or isinstance(cause, MemoryError):
            return "out of memory; a smaller data.batch_size or data.image_size needs less"
    origin = _root_cause(error)
    if isinstance(origin, OSError) and origin.strerror and origin.filename:
        remedy = "; work in another folder, or name one by hydra.run.dir= or hydra.sweep.dir="
        return f"{origin.filename}: {origin.strerror}{remedy if origin.errno in NOT_WRITABLE_ERRNOS else ''}"
    if type(origin).__module__.startswith(("hydra.", "omegaconf.")):
        return _join_lines(str(origin)) or type(origin).__name__
    keys = [line.removeprefix("full_key: ") for line in str(error).splitlines() if line.startswith("full_key: ")]
    place = f"{keys[0]}: " if keys else ""
    return f"{place}{type(origin).__name__}: {_join_lines(str(origin))}; HYDRA_FULL_ERROR=1 shows where"


def _root_cause(error: BaseException) -> BaseException:
    """The innermost explicit cause; an implicit context is not followed."""
    return error if error.__cause__ is None else _root_cause(error.__cause__)


def _join_lines(text: str) -> str:
    return " ".join(text.split())
