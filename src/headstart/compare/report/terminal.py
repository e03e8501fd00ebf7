"""Prints an analysis: the table, both answers of the verdict, the failed runs, and what follows."""

import math
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.inference.analysis import SweepAnalysis
from headstart.compare.inference.verdict import Verdict
from headstart.compare.refit_arm import find_refit_command
from headstart.compare.report import text
from headstart.compare.report.answers import contrast_to_dict
from headstart.compare.report.caveats import collect_caveats
from headstart.compare.report.conclusion import Conclusion, conclude_verdicts, select_next_step
from headstart.compare.report.pretraining import describe_pretraining
from headstart.compare.report.recommendations import NextStep
from headstart.compare.summary_table import summarize_arms
from headstart.errors import join_with_limit
from headstart.reporting.commands import wrap_command
from headstart.reporting.console import escape_control_characters, print_table
from headstart.reporting.formats import MISSING, format_si, join_units, pluralize

TEXT_WIDTH = 80  # columns of a sentence


def print_analysis(analysis: SweepAnalysis) -> None:
    """Prints the table of the runs, the verdicts with their caveats, and the failed runs."""
    for sweep in find_unfinished_sweeps(analysis.runs):
        _print_text(text.describe_unfinished_sweep(sweep))
    print_arm_table(analysis)
    _print_verdicts(analysis)
    names_by_error: dict[str, list[str]] = defaultdict(list)
    for run in analysis.runs.failed:
        names_by_error[str(run.result.error)].append(run.name)
    for error, names in names_by_error.items():
        print(escape_control_characters(f"failed: {join_with_limit(names)}: {error}"))  # one line, for other programs


def print_conclusions(analysis: SweepAnalysis, sweep: str | Path | None = None) -> None:
    """Prints what follows from each verdict, last that of the largest budget, with the command for the next step and
    the one for the model to take away.

    Args:
        analysis: of one or more sweeps.
        sweep: directory of the only one; None: there are several.
    """
    if analysis.error:
        _print_text(f"\nNo verdict: {analysis.error}")
    by_data: dict[str, list[Conclusion]] = defaultdict(list)
    for conclusion in conclude_verdicts(analysis):
        by_data[conclusion.data].append(conclusion)
    for data, conclusions in by_data.items():
        print()
        *smaller, largest = conclusions
        for conclusion in smaller:
            _print_text(f"{_format_budget(conclusion)}: {conclusion.brief}")
        place = [*([data] if len(by_data) > 1 else []), *([_format_budget(largest)] if smaller else [])]
        _print_text(f"{', '.join(place)}: {largest.text}" if place else largest.text)
        _print_next_step(select_next_step(conclusions))
    if sweep and (command := find_refit_command(sweep, analysis)):
        print(f"The model to take away:\n  {escape_control_characters(command)}")


def _format_budget(conclusion: Conclusion) -> str:
    labels = conclusion.labels_per_class
    return "All labels" if labels is None else f"{pluralize(labels, 'label')} per class"


def _print_next_step(step: NextStep | None) -> None:
    if step and step.command:
        _print_text(f"Next ({text.describe_next_step(step.minutes or 1, step.arms, step.is_least)}):")
        command = wrap_command(escape_control_characters(step.command), TEXT_WIDTH - 2)
        print(textwrap.indent(command, "  "))
    elif step:
        _print_text(f"Next: {step.text}.")


def print_arm_table(analysis: SweepAnalysis) -> None:
    """Prints a row for each data set, budget and arm: accuracy and cost."""
    table = summarize_arms(analysis.runs.finished)
    headers = ["arm", "labels", "accuracy", "runs", "seconds", "memory"]
    rows, tuning, notes = [], [], []
    for row in table.to_dict("records"):
        labels = None if math.isnan(row["labels_per_class"]) else int(row["labels_per_class"])
        rows.append(
            [
                row["arm"],
                text.format_budget(labels),
                " ± ".join(_format_number(round(100 * row[part], 4), "{:.1f}") for part in ("accuracy", "spread")),
                str(row["n"]),
                _format_number(row["seconds"], "{:.1f}"),
                _format_large_number(row["peak_memory_bytes"], "B"),
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
        arms = " against ".join(text.declared_arms(with_question[0]))
        print()
        _print_text(f"{text.declared_question(with_question[0])} ({arms}{_format_confidence(with_question)})")
        _print_answers(with_question, _describe_declared)
        for pretraining in describe_pretraining(analysis.runs.finished):
            _print_text(f"pretrained: {pretraining}", indent="  ")
    if verdicts:
        print()
        _print_text(text.unbeaten_question(verdicts[0].metric))
        _print_answers(verdicts, _describe_running)
    for sentence in [*collect_caveats(analysis, has_level=False), *text.describe_crossovers(verdicts)]:
        _print_text(sentence)


def _print_answers(verdicts: list[Verdict], describe: Callable[[Verdict], str]) -> None:
    """Prints the answer at each budget; a single one without its budget."""
    if len(verdicts) == 1:
        _print_text(describe(verdicts[0]), indent="  ")
        return
    for sentence in text.merge_by_budget(verdicts, lambda verdict: [describe(verdict)]):
        _print_text(sentence.removesuffix("."), indent="  ")


def _describe_declared(verdict: Verdict) -> str:
    """Describes the answer to the declared contrast with its difference and the level of its interval."""
    answer = text.describe_declared_answer(verdict)
    if verdict.declared_pair is None:
        return answer
    return f"{answer}: {text.format_difference(contrast_to_dict(verdict, verdict.declared_pair), verdict.metric)}"


def _format_confidence(verdicts: list[Verdict]) -> str:
    """``, 98.8 % intervals``; empty where there is no interval."""
    pairs = [(verdict, pair) for verdict in verdicts if (pair := verdict.declared_pair)]
    levels = sorted({f"{100 * contrast_to_dict(verdict, pair)['confidence']:.3g}" for verdict, pair in pairs})
    return f", {' or '.join(levels)} % intervals" if levels else ""


def _describe_running(verdict: Verdict) -> str:
    table, answer = verdict.table, text.describe_unbeaten(verdict)
    if not table.seeds:
        return answer
    return f"{answer} ({pluralize(len(table.seeds), 'seed')}, {pluralize(table.num_images, 'test image')})"


def _print_rows(
    headers: list[str], rows: list[list[str]], data: Iterable[str], left_aligned: Iterable[str] = ()
) -> None:
    """Prints the rows; with a column for the data set where there are several."""
    data = list(data)
    if len(set(data)) > 1:
        headers, rows = ["data", *headers], [[name, *cells] for name, cells in zip(data, rows, strict=True)]
    if rows:
        print_table(headers, rows, right_aligned=[h for h in headers if h not in {"data", "arm", *left_aligned}])


def _print_text(sentence: str, indent: str = "") -> None:
    """Prints a text in lines of 80 columns; no word is broken."""
    for line in sentence.split("\n"):
        text_lines = textwrap.fill(
            join_units(escape_control_characters(line)),
            TEXT_WIDTH,
            initial_indent=indent,
            subsequent_indent=indent + "  " if indent else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        print(text_lines.replace("\N{NO-BREAK SPACE}", " "))


def _format_large_number(value: float, unit: str = "") -> str:
    return MISSING if math.isnan(value) else format_si(value) + unit


def _format_number(value: Any, template: str, missing: str = MISSING) -> str:
    return missing if math.isnan(value) else template.format(value)
