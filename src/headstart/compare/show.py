"""What the end of a sweep prints: the table, the two answers of the verdict, and what failed."""

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headstart.compare import words
from headstart.compare.judge import judged
from headstart.compare.statistics import interval
from headstart.compare.table import Found, found, table
from headstart.compare.verdict import Verdict
from headstart.errors import HeadstartError
from headstart.terminal import print_table


def show(*directories: str | Path) -> None:
    """Prints what the directories' runs say.

    Raises:
        HeadstartError: a directory does not exist, or holds no run.
    """
    every = found(*directories)
    show_table(every)
    try:
        _show_verdicts(judged(every))
    except HeadstartError as error:
        print(f"\nno verdict: {error}")
    for name, line in every.failed:
        print(f"failed: {name}: {line}")
    for path in every.unreadable:
        print(f"{path}: not a whole result, passed over; the same command runs it again", file=sys.stderr)


def show_table(every: Found) -> None:
    """Prints a row for each data set, budget and arm."""
    rows = table([result for _, result in every.finished])
    headers = ["arm", "labels/class", "accuracy", "n", "trainable", "seconds"]
    printed = [
        [
            row["arm"],
            _number(row["labels_per_class"], "{:.0f}", missing="all"),
            " ± ".join(_number(100 * row[part], "{:.1f}") for part in ("accuracy", "spread")),
            str(row["n"]),
            _number(row["trainable_parameters"], "{:,.0f}"),
            _number(row["seconds"], "{:.1f}"),
        ]
        for row in rows.to_dict("records")
    ]
    _print(headers, printed, rows["data"])


def _show_verdicts(found: list[Verdict]) -> None:
    declared = [verdict for verdict in found if verdict.declared]
    if declared:
        arms = " against ".join(declared[0].declared or ())
        print(f"\n{words.question(declared[0])} {arms}, {_level(declared[0])} intervals in points")
        rows = [[words.budget(v.outcomes.labels_per_class), *_difference(v), words.helped(v)] for v in declared]
        headers = ["labels/class", "difference", "interval", "answer"]
        _print(headers, rows, [v.outcomes.data for v in declared], left={"answer"})
    if found:
        print("\nWhich arms did nothing beat?")
        rows = [
            [
                words.budget(v.outcomes.labels_per_class),
                str(len(v.outcomes.seeds)),
                str(v.outcomes.images),
                words.unbeaten(v),
            ]
            for v in found
        ]
        headers = ["labels/class", "seeds", "test images", "answer"]
        _print(headers, rows, [v.outcomes.data for v in found], left={"answer"})
    for verdict in found:
        if loss := words.frozen_loss(verdict):
            print(f"{words.where(verdict)}, {loss}")
    for sentence in [*words.cautions(found), *words.next_steps(found)]:
        print(sentence)


def _difference(verdict: Verdict) -> list[str]:
    assert verdict.declared is not None
    contrast = verdict.contrasts[verdict.declared]
    low, high = interval(contrast, verdict.declared_alpha)
    return [f"{100 * contrast.mean:+.1f}", f"{100 * low:+.1f} to {100 * high:+.1f}"]


def _level(verdict: Verdict) -> str:
    return f"{100 * (1 - verdict.declared_alpha):.3g} %"


def _print(headers: list[str], rows: list[list[str]], data: Iterable[str], left: Iterable[str] = ()) -> None:
    """The rows, with a column for the data set where there are several."""
    data = list(data)
    if len(set(data)) > 1:
        headers, rows = ["data", *headers], [[name, *cells] for name, cells in zip(data, rows, strict=True)]
    if rows:
        print_table(headers, rows, numbers=[h for h in headers if h not in {"data", "arm", *left}])


def _number(value: Any, form: str, missing: str = "–") -> str:
    return missing if math.isnan(value) else form.format(value)
