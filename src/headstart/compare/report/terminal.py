"""What the end of a sweep prints: the table, the two answers of the verdict, and what failed."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.inference.analysis import SweepAnalysis
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text as words
from headstart.compare.report.answers import contrast_to_dict
from headstart.compare.report.caveats import collect_caveats
from headstart.compare.report.recommendations import recommend_next_steps
from headstart.compare.summary_table import summarize_arms
from headstart.errors import join_with_limit
from headstart.reporting.console import escape_control_characters, print_table
from headstart.reporting.html import format_si


def print_analysis(analysis: SweepAnalysis) -> None:
    """Prints what some directories' runs say."""
    every = analysis.runs
    for state in find_unfinished_sweeps(every):
        _print_text(words.describe_unfinished_sweep(state))
    print_arm_table(analysis)
    _print_verdicts(analysis)
    if analysis.error:
        _print_text(f"\nno verdict: {analysis.error}")
    alike: dict[str, list[str]] = defaultdict(list)
    for name, line in every.failure_messages:
        alike[line].append(name)
    for line, names in alike.items():
        _print_text(f"failed: {join_with_limit(names)}: {line}")


def print_arm_table(analysis: SweepAnalysis) -> None:
    """Prints a row for each data set, budget and arm: its accuracy, and its price."""
    rows = summarize_arms([result for _, result in analysis.runs.finished])
    headers = ["arm", "labels/class", "accuracy", "n", "trainable", "FLOPs", "memory", "seconds"]
    printed, tuning, notes = [], [], []
    for row in rows.to_dict("records"):
        labels = None if math.isnan(row["labels_per_class"]) else int(row["labels_per_class"])
        printed.append(
            [
                row["arm"],
                words.format_budget(labels),
                " ± ".join(_format_number(100 * row[part], "{:.1f}") for part in ("accuracy", "spread")),
                str(row["n"]),
                _format_number(row["trainable_parameters"], "{:,.0f}"),
                _format_large(row["flops"]),
                _format_large(row["peak_memory_bytes"], "B"),
                _format_number(row["seconds"], "{:.1f}"),
            ]
        )
        tuning.append(_format_number(row["tuning_seconds"] or math.nan, "{:.1f}", missing=""))
        refused = analysis.is_excluded(row["data"], labels, row["arm"])
        notes.append(", ".join(words.describe_table_row(row["folds"], row["n"] > row["seeds"], refused)))
    for header, column in (("tuning", tuning), ("note", notes)):
        if any(column):
            headers, printed = [*headers, header], [[*cells, c] for cells, c in zip(printed, column, strict=True)]
    _print_rows(headers, printed, rows["data"], left={"note"})


def _print_verdicts(analysis: SweepAnalysis) -> None:
    found = analysis.verdicts
    if asked := [verdict for verdict in found if words.declared_question(verdict)]:
        _print_declared(asked)
    if found:
        print(f"\n{words.unbeaten_question(found[0].metric)}")
        rows = [
            [
                words.format_budget(v.table.labels_per_class),
                str(len(v.table.seeds)),
                str(v.table.num_images),
                words.describe_unbeaten(v),
            ]
            for v in found
        ]
        headers = ["labels/class", "seeds", "test images", "answer"]
        _print_rows(headers, rows, [v.table.data for v in found], left={"answer"})
    for sentence in [*words.describe_frozen_losses(found), *collect_caveats(analysis), *recommend_next_steps(found)]:
        _print_text(sentence)


def _print_declared(verdicts: list[Verdict]) -> None:
    """The first answer, with the intervals' level above the table, or in each row where rows differ in it."""
    levels = [_format_level(verdict) if verdict.declared_pair else "–" for verdict in verdicts]
    known = {level for level in levels if level != "–"}
    differ = len(known) > 1
    above = "intervals" if differ else "".join(f"{level} intervals" for level in known)
    of = f", {above} in points{words.format_metric_suffix(verdicts[0].metric)}" if above else ""
    _print_text(f"\n{words.declared_question(verdicts[0])} {' against '.join(words.declared_arms(verdicts[0]))}{of}")
    headers = ["labels/class", "difference", "interval", *(["level"] if differ else []), "answer"]
    rows = [
        [
            words.format_budget(v.table.labels_per_class),
            *_format_difference(v),
            *([level] if differ else []),
            words.describe_declared_answer(v),
        ]
        for v, level in zip(verdicts, levels, strict=True)
    ]
    _print_rows(headers, rows, [v.table.data for v in verdicts], left={"answer"})


def _format_difference(verdict: Verdict) -> list[str]:
    if verdict.declared_pair is None:
        return ["–", "–"]
    told = contrast_to_dict(verdict, verdict.declared_pair, verdict.declared_alpha)
    of, low, high = (f"{100 * told[part]:+.1f}" for part in ("difference", "low", "high"))
    return [of, f"{low} to {high}"]


def _format_level(verdict: Verdict) -> str:
    return f"{100 * (1 - verdict.declared_alpha):.3g} %"


def _print_rows(headers: list[str], rows: list[list[str]], data: Iterable[str], left: Iterable[str] = ()) -> None:
    """The rows, with a column for the data set where there are several."""
    data = list(data)
    if len(set(data)) > 1:
        headers, rows = ["data", *headers], [[name, *cells] for name, cells in zip(data, rows, strict=True)]
    if rows:
        print_table(headers, rows, right_aligned=[h for h in headers if h not in {"data", "arm", *left}])


def _print_text(text: str) -> None:
    print("\n".join(map(escape_control_characters, text.split("\n"))))


def _format_large(value: float, unit: str = "") -> str:
    return "–" if math.isnan(value) else format_si(value) + unit


def _format_number(value: Any, form: str, missing: str = "–") -> str:
    return missing if math.isnan(value) else form.format(value)
