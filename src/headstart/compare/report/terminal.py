"""What the end of a sweep prints: the table, the two answers of the verdict, and what failed."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from headstart.compare.collect.missing_runs import unfinished
from headstart.compare.inference.analysis import Judged
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text as words
from headstart.compare.report.answers import difference
from headstart.compare.report.caveats import cautions
from headstart.compare.report.recommendations import next_steps
from headstart.compare.summary_table import table
from headstart.errors import named
from headstart.reporting.console import harmless, print_table
from headstart.reporting.html import si


def show(told: Judged) -> None:
    """Prints what some directories' runs say."""
    every = told.every
    for state in unfinished(every):
        _say(words.unfinished(state))
    show_table(told)
    _show_verdicts(told)
    if told.trouble:
        _say(f"\nno verdict: {told.trouble}")
    alike: dict[str, list[str]] = defaultdict(list)
    for name, line in every.failed:
        alike[line].append(name)
    for line, names in alike.items():
        _say(f"failed: {named(names)}: {line}")


def show_table(told: Judged) -> None:
    """Prints a row for each data set, budget and arm: its accuracy, and its price."""
    rows = table([result for _, result in told.every.finished])
    headers = ["arm", "labels/class", "accuracy", "n", "trainable", "FLOPs", "memory", "seconds"]
    printed, tuning, notes = [], [], []
    for row in rows.to_dict("records"):
        labels = None if math.isnan(row["labels_per_class"]) else int(row["labels_per_class"])
        printed.append(
            [
                row["arm"],
                words.budget(labels),
                " ± ".join(_number(100 * row[part], "{:.1f}") for part in ("accuracy", "spread")),
                str(row["n"]),
                _number(row["trainable_parameters"], "{:,.0f}"),
                _large(row["flops"]),
                _large(row["peak_memory_bytes"], "B"),
                _number(row["seconds"], "{:.1f}"),
            ]
        )
        tuning.append(_number(row["tuning_seconds"] or math.nan, "{:.1f}", missing=""))
        refused = told.refused(row["data"], labels, row["arm"])
        notes.append(", ".join(words.notes(row["folds"], row["n"] > row["seeds"], refused)))
    for header, column in (("tuning", tuning), ("note", notes)):
        if any(column):
            headers, printed = [*headers, header], [[*cells, c] for cells, c in zip(printed, column, strict=True)]
    _print(headers, printed, rows["data"], left={"note"})


def _show_verdicts(told: Judged) -> None:
    found = told.verdicts
    if asked := [verdict for verdict in found if words.question(verdict)]:
        _show_declared(asked)
    if found:
        print(f"\n{words.which(found[0].metric)}")
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
    for sentence in [*words.frozen_losses(found), *cautions(told), *next_steps(found)]:
        _say(sentence)


def _show_declared(asked: list[Verdict]) -> None:
    """The first answer, with the intervals' level above the table, or in each row where rows differ in it."""
    levels = [_level(verdict) if verdict.declared else "–" for verdict in asked]
    known = {level for level in levels if level != "–"}
    differ = len(known) > 1
    above = "intervals" if differ else "".join(f"{level} intervals" for level in known)
    of = f", {above} in points{words.of_metric(asked[0].metric)}" if above else ""
    _say(f"\n{words.question(asked[0])} {' against '.join(words.contrast(asked[0]))}{of}")
    headers = ["labels/class", "difference", "interval", *(["level"] if differ else []), "answer"]
    rows = [
        [words.budget(v.outcomes.labels_per_class), *_difference(v), *([level] if differ else []), words.helped(v)]
        for v, level in zip(asked, levels, strict=True)
    ]
    _print(headers, rows, [v.outcomes.data for v in asked], left={"answer"})


def _difference(verdict: Verdict) -> list[str]:
    if verdict.declared is None:
        return ["–", "–"]
    told = difference(verdict, verdict.declared, verdict.declared_alpha)
    of, low, high = (f"{100 * told[part]:+.1f}" for part in ("difference", "low", "high"))
    return [of, f"{low} to {high}"]


def _level(verdict: Verdict) -> str:
    return f"{100 * (1 - verdict.declared_alpha):.3g} %"


def _print(headers: list[str], rows: list[list[str]], data: Iterable[str], left: Iterable[str] = ()) -> None:
    """The rows, with a column for the data set where there are several."""
    data = list(data)
    if len(set(data)) > 1:
        headers, rows = ["data", *headers], [[name, *cells] for name, cells in zip(data, rows, strict=True)]
    if rows:
        print_table(headers, rows, numbers=[h for h in headers if h not in {"data", "arm", *left}])


def _say(text: str) -> None:
    print("\n".join(map(harmless, text.split("\n"))))


def _large(value: float, unit: str = "") -> str:
    return "–" if math.isnan(value) else si(value) + unit


def _number(value: Any, form: str, missing: str = "–") -> str:
    return missing if math.isnan(value) else form.format(value)
