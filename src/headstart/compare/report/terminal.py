"""Prints an analysis: the table, both answers of the verdict, and the failed runs."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.inference.analysis import SweepAnalysis
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text
from headstart.compare.report.answers import contrast_to_dict
from headstart.compare.report.caveats import collect_caveats
from headstart.compare.report.recommendations import recommend_next_steps
from headstart.compare.summary_table import summarize_arms
from headstart.errors import join_with_limit
from headstart.reporting.console import escape_control_characters, print_table
from headstart.reporting.formats import MISSING, format_si


def print_analysis(analysis: SweepAnalysis) -> None:
    """Prints the table of the runs, the verdicts with their caveats, and the failed runs."""
    for sweep in find_unfinished_sweeps(analysis.runs):
        _print_text(text.describe_unfinished_sweep(sweep))
    print_arm_table(analysis)
    _print_verdicts(analysis)
    if analysis.error:
        _print_text(f"\nno verdict: {analysis.error}")
    names_by_error: dict[str, list[str]] = defaultdict(list)
    for run in analysis.runs.failed:
        names_by_error[str(run.result.error)].append(run.name)
    for error, names in names_by_error.items():
        _print_text(f"failed: {join_with_limit(names)}: {error}")


def print_arm_table(analysis: SweepAnalysis) -> None:
    """Prints a row for each data set, budget and arm: accuracy and cost."""
    table = summarize_arms(analysis.runs.finished)
    headers = ["arm", "labels", "accuracy", "n", "trainable", "FLOPs", "memory", "seconds"]
    rows, tuning, notes = [], [], []
    for row in table.to_dict("records"):
        labels = None if math.isnan(row["labels_per_class"]) else int(row["labels_per_class"])
        rows.append(
            [
                row["arm"],
                text.format_budget(labels),
                " ± ".join(_format_number(100 * row[part], "{:.1f}") for part in ("accuracy", "spread")),
                str(row["n"]),
                _format_number(row["trainable_parameters"], "{:,.0f}"),
                _format_large_number(row["flops"]),
                _format_large_number(row["peak_memory_bytes"], "B"),
                _format_number(row["seconds"], "{:.1f}"),
            ]
        )
        tuning.append(_format_number(row["tuning_seconds"] or math.nan, "{:.1f}", missing=""))
        is_excluded = analysis.is_excluded(row["data"], labels, row["arm"])
        notes.append(", ".join(text.describe_table_row(row["folds"], row["n"] > row["seeds"], is_excluded)))
    for header, column in (("tuning", tuning), ("note", notes)):
        if any(column):
            headers, rows = [*headers, header], [[*cells, c] for cells, c in zip(rows, column, strict=True)]
    _print_rows(headers, rows, table["data"], left_aligned={"note"})


def _print_verdicts(analysis: SweepAnalysis) -> None:
    verdicts = analysis.verdicts
    if with_question := [verdict for verdict in verdicts if text.declared_question(verdict)]:
        _print_declared(with_question)
    if verdicts:
        print(f"\n{text.unbeaten_question(verdicts[0].metric)}")
        rows = [
            [
                text.format_budget(verdict.table.labels_per_class),
                str(len(verdict.table.seeds)),
                str(verdict.table.num_images),
                text.describe_unbeaten(verdict),
            ]
            for verdict in verdicts
        ]
        headers = ["labels", "seeds", "test images", "answer"]
        _print_rows(headers, rows, [verdict.table.data for verdict in verdicts], left_aligned={"answer"})
    losses = text.describe_frozen_losses(verdicts)
    for sentence in [*losses, *collect_caveats(analysis), *recommend_next_steps(verdicts)]:
        _print_text(sentence)


def _print_declared(verdicts: list[Verdict]) -> None:
    """Prints the answer to the declared contrast; the level of the intervals in the heading, or in each row where rows
    differ in it."""
    levels = [_format_level(verdict) if verdict.declared_pair else MISSING for verdict in verdicts]
    known = sorted({level for level in levels if level != MISSING})
    has_level_column = len(known) > 1
    intervals = "intervals" if has_level_column else "".join(f"{level} intervals" for level in known)
    unit = f", {intervals} in points{text.format_metric_suffix(verdicts[0].metric)}" if intervals else ""
    _print_text(f"\n{text.declared_question(verdicts[0])} {' against '.join(text.declared_arms(verdicts[0]))}{unit}")
    headers = ["labels", "difference", "interval", *(["level"] if has_level_column else []), "answer"]
    rows = [
        [
            text.format_budget(verdict.table.labels_per_class),
            *_format_difference(verdict),
            *([level] if has_level_column else []),
            text.describe_declared_answer(verdict),
        ]
        for verdict, level in zip(verdicts, levels, strict=True)
    ]
    _print_rows(headers, rows, [verdict.table.data for verdict in verdicts], left_aligned={"answer"})


def _format_difference(verdict: Verdict) -> list[str]:
    if verdict.declared_pair is None:
        return [MISSING, MISSING]
    values = contrast_to_dict(verdict, verdict.declared_pair)
    difference, low, high = (f"{100 * values[key]:+.1f}" for key in ("difference", "low", "high"))
    return [difference, f"{low} to {high}"]


def _format_level(verdict: Verdict) -> str:
    level = verdict.levels[verdict.declared_pair] if verdict.declared_pair else verdict.alpha
    return f"{100 * (1 - level):.3g} %"


def _print_rows(
    headers: list[str], rows: list[list[str]], data: Iterable[str], left_aligned: Iterable[str] = ()
) -> None:
    """Prints the rows; with a column for the data set where there are several."""
    data = list(data)
    if len(set(data)) > 1:
        headers, rows = ["data", *headers], [[name, *cells] for name, cells in zip(data, rows, strict=True)]
    if rows:
        print_table(headers, rows, right_aligned=[h for h in headers if h not in {"data", "arm", *left_aligned}])


def _print_text(sentence: str) -> None:
    print("\n".join(map(escape_control_characters, sentence.split("\n"))))


def _format_large_number(value: float, unit: str = "") -> str:
    return MISSING if math.isnan(value) else format_si(value) + unit


def _format_number(value: Any, template: str, missing: str = MISSING) -> str:
    return missing if math.isnan(value) else template.format(value)
