"""The process of a console command, whatever shell, notebook or scheduler started it. Torch-free."""

import io
import logging
import os
import sys


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
