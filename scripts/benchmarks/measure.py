"""Times functions in turn, so that a machine that gets slower slows all of them, and compares their times."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Figure:
    """One line of docs/benchmarks.md.

    Args:
        name: what is measured, and against what.
        value: the figure.
        limit: what it should be.
        details: the seconds behind it.
    """

    name: str
    value: str
    limit: str
    details: str = ""


def time_in_turn(functions: Mapping[str, Callable[[], float]], repeats: int) -> Seconds:
    """Calls every function once in each repeat, after one call of each to warm up.

    Args:
        functions: each returns its seconds.
        repeats: number of measured calls.
    """
    seconds: Seconds = {name: [] for name in functions}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            value = function()
            if repeat:
                seconds[name].append(value)
    return seconds


def compare(seconds: Seconds, name: str, reference: str) -> str:
    """The median of the ratios of each repeat, as text."""
    return f"{statistics.median(a / b for a, b in zip(seconds[name], seconds[reference], strict=True)):.2f}"


def describe(seconds: Seconds, *names: str) -> str:
    """The median seconds of some functions."""
    return ", ".join(f"{name} {statistics.median(seconds[name]):.2f} s" for name in names)
