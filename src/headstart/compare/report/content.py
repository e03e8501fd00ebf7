"""Builds and writes the report of sweeps: report.json, report.csv and report.html, from run directories alone."""

import csv
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from headstart.compare.collect.audits import collect_skipped_files, load_audit_findings
from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.collect.provenance import (
    collect_starting_weights,
    count_images_per_part,
    load_class_names,
    summarize_environments,
)
from headstart.compare.collect.sweep_runs import LoadedRun
from headstart.compare.evaluation.arm_report import build_arm_report
from headstart.compare.evaluation.confident_errors import load_thumbnails
from headstart.compare.evaluation.learning_curves import describe_falling_losses, load_learning_curve
from headstart.compare.inference.analysis import SweepAnalysis, analyze_sweep, find_conflicting_declarations
from headstart.compare.inference.crossover import find_crossovers
from headstart.compare.inference.verdict import Verdict
from headstart.compare.refit_arm import find_refit_command
from headstart.compare.report import text
from headstart.compare.report.answers import verdict_to_dict
from headstart.compare.report.caveats import collect_caveats, familywise_levels
from headstart.compare.report.conclusion import Conclusion, conclude_verdicts, mean_seconds, select_next_step
from headstart.compare.report.pretraining import describe_pretraining
from headstart.compare.report.questions import answer_questions
from headstart.compare.summary_table import GROUP_COLUMNS, summarize_arms
from headstart.errors import NOT_WRITABLE_ERRNOS, HeadstartError
from headstart.file_names import encode_name
from headstart.files import write_json, write_text
from headstart.reporting.formats import to_json_value
from headstart.runs.predictions import Predictions

REPORT_HTML, REPORT_JSON, REPORT_CSV = "report.html", "report.json", "report.csv"
TEST_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
COST_FIELDS = ("seconds", "seconds_in_all", "parameters", "trainable_parameters", "flops", "peak_memory_bytes")
TUNING_FIELDS = ("trials", "tuning_seconds")
TRAINING_FIELDS = ("loss", "label_entropy")  # on the training images
CSV_COLUMNS = (
    *("run", "data", "labels_per_class", "arm", "seed", "fold", "folds"),
    *(*TEST_METRICS, *(f"training_{name}" for name in TRAINING_FIELDS), *COST_FIELDS, *TUNING_FIELDS, "command"),
)


def build_report(analysis: SweepAnalysis) -> dict[str, Any]:
    """Builds the content of report.json: every number of the page; what is unknown is None."""
    runs, verdicts = analysis.runs, analysis.verdicts
    rows = [_build_run_row(run) for run in runs.finished]
    table, conclusions = _build_arm_table(rows, analysis), conclude_verdicts(analysis)
    data = [
        _build_data_set(
            name,
            [row for row in table if row["data"] == name],
            [conclusion for conclusion in conclusions if conclusion.data == name],
            analysis,
        )
        for name in sorted({run.data_set for run in runs.finished})
    ]
    names = [encode_name(directory.resolve().name) for directory in runs.directories]
    results = [run.result for run in runs.finished]
    falling = [line for data_set in data for line in describe_falling_losses(data_set["name"], data_set["learning"])]
    report = {
        "sweeps": names,
        "unfinished": [
            {**asdict(sweep), "text": text.describe_unfinished_sweep(sweep)} for sweep in find_unfinished_sweeps(runs)
        ],
        "level": analysis.comparison.level,
        "margin": analysis.comparison.margin,
        **familywise_levels(verdicts),
        "declared": find_conflicting_declarations(runs),
        "no_verdict": analysis.error,
        "cautions": collect_caveats(analysis) + falling,
        "next_steps": text.describe_crossovers(verdicts),
        "refit": find_refit_command(names[0], analysis) if len(names) == 1 else None,
        "data": data,
        "audits": [audit for directory in runs.directories for audit in load_audit_findings(directory)],
        "failed": [{"run": run.name, "error": str(run.result.error)} for run in runs.failed],
        "debug": [{"run": run.name, "reason": run.result.debug} for run in runs.debug],
        "unreadable": [encode_name(directory.name) for directory in runs.unreadable],
        "skipped": collect_skipped_files(results),
        "conditions": summarize_environments(results),
        "runs": rows,
    }
    return to_json_value(report)


def write_report(directory: str | Path, analysis: SweepAnalysis | None = None) -> Path:
    """Writes report.json, report.csv and report.html into ``directory``, each as a whole.

    Args:
        directory: made where it does not exist.
        analysis: to report; None: of the runs in ``directory``.

    Returns:
        Path of the page.

    Raises:
        HeadstartError: there is no run, or the directory cannot be written.
    """
    from headstart.compare.report.html import render_report

    directory, analysis = Path(directory), analysis or analyze_sweep(directory)
    report = build_report(analysis)
    images = {row["image"] for data_set in report["data"] for row in (data_set["best_arm"] or {}).get("mistakes", ())}
    page = render_report(report, load_thumbnails((run.directory for run in analysis.runs.finished), images))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_json(directory / REPORT_JSON, report)
        write_text(directory / REPORT_CSV, to_csv(report["runs"]))
        write_text(directory / REPORT_HTML, page)
    except OSError as error:
        if error.errno not in NOT_WRITABLE_ERRNOS:
            raise
        raise HeadstartError(
            f"{directory}: no report can be written here ({error.strerror}); give headstart report --out FOLDER"
        ) from error
    return directory / REPORT_HTML


def _build_run_row(run: LoadedRun) -> dict[str, Any]:
    result = run.result
    trials = result.trials or []
    return {
        "run": run.name,
        "data": run.data_set,
        "labels_per_class": result.labels_per_class,
        "arm": run.arm,
        "seed": result.seed,
        "fold": result.fold,
        "folds": result.num_folds,
        **{name: result.metrics.get(f"test/{name}") for name in TEST_METRICS},
        **{f"training_{name}": result.training.get(name) for name in TRAINING_FIELDS},
        **{name: result.cost.get(name) for name in COST_FIELDS},
        "trials": len(trials),
        "tuning_seconds": sum(trial["seconds"] for trial in trials),
        "command": result.command,
    }


def _build_arm_table(rows: list[dict[str, Any]], analysis: SweepAnalysis) -> list[dict[str, Any]]:
    """Builds the table of a sweep with each part of the cost and the notes of a row."""
    table: list[dict[str, Any]] = summarize_arms(analysis.runs.finished).to_dict("records")  # type: ignore[assignment]
    averaged = ("parameters", "flops", "peak_memory_bytes", *TUNING_FIELDS)
    for row in table:
        row["labels_per_class"] = None if math.isnan(row["labels_per_class"]) else int(row["labels_per_class"])
        row_runs = [run for run in rows if all(run[key] == row[key] for key in GROUP_COLUMNS)]
        row |= {name: _mean_of_known([run[name] for run in row_runs]) for name in averaged}
        is_excluded = analysis.is_excluded(row["data"], row["labels_per_class"], row["arm"])
        row["notes"] = text.describe_table_row(row["folds"], row["n"] > row["seeds"], is_excluded)
    return table


def _mean_of_known(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _build_data_set(
    name: str, table: list[dict[str, Any]], conclusions: list[Conclusion], analysis: SweepAnalysis
) -> dict[str, Any]:
    """Builds the content of one data set."""
    runs = [run for run in analysis.runs.finished if run.data_set == name]
    verdicts = [verdict for verdict in analysis.verdicts if verdict.table.data == name]
    classes = next((names for run in runs if (names := load_class_names(run.directory, run.result))), [])
    splits = _summarize_splits(runs)
    return {
        "name": name,
        "classes": classes,
        "arms": sorted({run.arm for run in runs}),
        "conclusions": [asdict(conclusion) for conclusion in conclusions],
        "next_step": asdict(step) if (step := select_next_step(conclusions)) else None,
        "questions": _answer_questions(verdicts, conclusions, analysis),
        "pretraining": describe_pretraining(runs),
        "answers": [verdict_to_dict(verdict, analysis.comparison.level) for verdict in verdicts],
        "changes": [asdict(change) for change in find_crossovers(verdicts)],
        "table": table,
        "splits": splits,
        "learning": _load_learning_curves(runs, splits),
        "best_arm": _report_best_arm(runs, table, verdicts, classes, analysis.read_predictions),
        "starts": collect_starting_weights([(run.arm, run.result) for run in runs], classes),
    }


def _answer_questions(
    verdicts: list[Verdict], conclusions: list[Conclusion], analysis: SweepAnalysis
) -> list[dict[str, Any]]:
    """Answers the questions at the largest budget; none without a verdict there."""
    if not conclusions or conclusions[-1].arm is None or len(verdicts[-1].table.correct) < 2:
        return []
    commands = [command for each in analysis.runs.commands.values() for command in each]
    command = max(commands, key=lambda command: command.started).command if commands else None
    seconds = mean_seconds(verdicts[-1], analysis.runs.finished)
    return [asdict(question) for question in answer_questions(verdicts, conclusions, seconds, command)]


def _summarize_splits(runs: list[LoadedRun]) -> list[dict[str, Any]]:
    """Counts the images of each budget by the split of its first run; all its splits have equal sizes."""
    budgets: dict[int | None, list[LoadedRun]] = defaultdict(list)
    for run in runs:
        budgets[run.result.labels_per_class].append(run)
    return [
        {
            "labels_per_class": labels,
            **count_images_per_part(budget_runs[0].directory),
            "seeds": sorted({run.result.seed for run in budget_runs}),
            "folds": max(run.result.num_folds for run in budget_runs),
        }
        for labels, budget_runs in sorted(budgets.items(), key=lambda item: item[0] or math.inf)
    ]


def _load_learning_curves(runs: list[LoadedRun], splits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    curves = []
    for labels in [split["labels_per_class"] for split in splits]:
        for arm in sorted({run.arm for run in runs}):
            of_arm = [run.directory for run in runs if run.arm == arm and run.result.labels_per_class == labels]
            if curve := load_learning_curve(of_arm):
                curves.append({"labels_per_class": labels, "arm": arm, **curve})
    return curves


def _report_best_arm(
    runs: list[LoadedRun],
    table: list[dict[str, Any]],
    verdicts: list[Verdict],
    classes: list[str],
    read: Callable[[Path], Predictions],
) -> dict[str, Any] | None:
    """Evaluates the most accurate unbeaten arm at the largest budget."""
    if not table:
        return None
    labels = max((row["labels_per_class"] for row in table), key=lambda k: math.inf if k is None else k)
    unbeaten = next((verdict.unbeaten for verdict in verdicts if verdict.table.labels_per_class == labels), [])
    by_accuracy = [row["arm"] for row in table if row["labels_per_class"] == labels]
    best = next(arm for arm in [*unbeaten, *by_accuracy] if arm in by_accuracy)
    budget_runs: dict[str, list[LoadedRun]] = defaultdict(list)
    for run in runs:
        if run.result.labels_per_class == labels:
            budget_runs[run.arm].append(run)
    try:
        evaluation = build_arm_report(dict(sorted(budget_runs.items())), best, classes, read)
    except HeadstartError as error:
        return {"labels_per_class": labels, "missing": str(error)}
    return {"labels_per_class": labels, "unbeaten": unbeaten, **evaluation}


def to_csv(rows: list[dict[str, Any]]) -> str:
    """Formats the rows of report.csv with their header; names are quoted where they need it."""
    lines: list[str] = []
    # The csv module quotes values with a character of its line end: "\r\n" makes it quote names with either.
    writer = csv.DictWriter(SimpleNamespace(write=lines.append), CSV_COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)
