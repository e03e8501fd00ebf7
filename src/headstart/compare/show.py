"""What the end of a sweep prints: the table, the two answers of the verdict, and what failed."""

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headstart.compare.outcomes import outcomes
from headstart.compare.statistics import interval
from headstart.compare.table import Found, found, table
from headstart.compare.verdict import DECLARED, LEVEL, Verdict, verdicts
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
        _show_verdicts(verdicts(outcomes(every.finished)))
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
        print(f"\nDid pretraining help? {' against '.join(DECLARED)}, {_level(declared[0])} intervals in points")
        rows = [[_budget(v), *_difference(v), _helped(v)] for v in declared]
        headers = ["labels/class", "difference", "interval", "answer"]
        _print(headers, rows, [v.outcomes.data for v in declared], left={"answer"})
    if found:
        print("\nWhich arms did nothing beat?")
        rows = [[_budget(v), str(len(v.outcomes.seeds)), str(v.outcomes.images), _unbeaten(v)] for v in found]
        headers = ["labels/class", "seeds", "test images", "answer"]
        _print(headers, rows, [v.outcomes.data for v in found], left={"answer"})
        print(_caution(found))
    for verdict in found:
        for arm, seeds in verdict.outcomes.left_out.items():
            some = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
            print(f"left out at {_budget(verdict)} labels per class: {some} of {arm}, which other arms lack")


def _unbeaten(verdict: Verdict) -> str:
    """The second answer: a winner, a tie, or undecided among those left."""
    left = verdict.left
    if len(left) == 1:
        return f"{left[0]} wins" + (", by less than the margin" if verdict.lead_is_small else "")
    named = f"{', '.join(left[:-1])} and {left[-1]}"
    if verdict.tie:
        return f"a tie of {named}: within {100 * verdict.margin:g} point{'s' if verdict.margin != 0.01 else ''}"
    beats_all = all(set(left) <= set(winners) for winners in verdict.beaten.values())
    if verdict.beaten and beats_all:
        return f"undecided between {named}; each beats {' and '.join(sorted(verdict.beaten))}"
    return f"undecided among {named}" + (f"; beaten: {', '.join(sorted(verdict.beaten))}" if verdict.beaten else "")


def _helped(verdict: Verdict) -> str:
    return {True: "yes", False: "no, it hurt", None: "undecided"}[verdict.helped]


def _difference(verdict: Verdict) -> list[str]:
    assert verdict.declared is not None
    contrast = verdict.contrasts[verdict.declared]
    low, high = interval(contrast, verdict.alpha)
    return [f"{100 * contrast.mean:+.1f}", f"{100 * low:+.1f} to {100 * high:+.1f}"]


def _caution(found: list[Verdict]) -> str:
    where = f", split over {len(found)} budgets" if len(found) > 1 else ""
    level = f"Level: {100 * LEVEL:g} %{where}; docs/protocol.md shows how often that errs where the truth is known"
    one_seed = any(len(v.outcomes.seeds) == 1 for v in found)
    return f"{level}; with one seed it speaks for these trained networks only." if one_seed else f"{level}."


def _level(verdict: Verdict) -> str:
    return f"{100 * (1 - verdict.alpha):.3g} %"


def _budget(verdict: Verdict) -> str:
    return "all" if verdict.outcomes.labels_per_class is None else str(verdict.outcomes.labels_per_class)


def _print(headers: list[str], rows: list[list[str]], data: Iterable[str], left: Iterable[str] = ()) -> None:
    """The rows, with a column for the data set where there are several."""
    data = list(data)
    if len(set(data)) > 1:
        headers, rows = ["data", *headers], [[name, *cells] for name, cells in zip(data, rows, strict=True)]
    if rows:
        print_table(headers, rows, numbers=[h for h in headers if h not in {"data", "arm", *left}])


def _number(value: Any, form: str, missing: str = "–") -> str:
    return missing if math.isnan(value) else form.format(value)
