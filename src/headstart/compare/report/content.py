"""The report of sweeps: every number of the page, from run directories alone, as JSON, as CSV and as the page."""

import csv
import math
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from headstart.compare.arm_names import RunResult, arm_names
from headstart.compare.collect import audits, provenance
from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.evaluation.arm_report import build_arm_report
from headstart.compare.evaluation.confident_errors import load_thumbnails
from headstart.compare.evaluation.learning_curves import describe_falling_losses, load_learning_curve
from headstart.compare.evaluation.predictions import FoldSeed
from headstart.compare.inference.analysis import SweepAnalysis, analyze_sweep, find_conflicting_declarations
from headstart.compare.inference.crossover import find_crossovers
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text
from headstart.compare.report.answers import verdict_to_dict
from headstart.compare.report.caveats import collect_caveats
from headstart.compare.report.fingerprint import report_fingerprint
from headstart.compare.report.recommendations import recommend_next_steps
from headstart.compare.summary_table import GROUP_COLUMNS, summarize_arms
from headstart.errors import NOT_WRITABLE_ERRNOS, HeadstartError
from headstart.file_names import encode_name
from headstart.files import write_json, write_text

REPORT_HTML, REPORT_JSON, REPORT_CSV = "report.html", "report.json", "report.csv"
TEST_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
COST_FIELDS = ("seconds", "seconds_in_all", "parameters", "trainable_parameters", "flops", "peak_memory_bytes")
TUNING_FIELDS = ("trials", "tuning_seconds")
TRAINING_FIELDS = ("loss", "label_entropy")  # on the training images
CSV_COLUMNS = (
    *("run", "data", "labels_per_class", "arm", "seed", "fold", "folds"),
    *(*TEST_METRICS, *(f"training_{name}" for name in TRAINING_FIELDS), *COST_FIELDS, *TUNING_FIELDS, "command"),
)

LoadedRun = tuple[Path, RunResult]


def build_report(*directories: str | Path) -> dict[str, Any]:
    """Everything that the page says, as plain values; what is not known is None.

    Raises:
        HeadstartError: a directory does not exist, or holds no run.
    """
    return _report_from_analysis(analyze_sweep(*directories))


def write_report(directory: str | Path, analysis: SweepAnalysis | None = None) -> Path:
    """Writes report.json, report.csv and report.html into ``directory``, each whole or not at all, unless they stand
    there already, made from the same files.

    Args:
        directory: made where it is not there.
        told: what is reported; None: the runs in ``directory``.

    Returns:
        The page.

    Raises:
        HeadstartError: there is no run, or the directory cannot be written.
    """
    from headstart.compare.report.html import render_report

    directory, analysis = Path(directory), analysis or analyze_sweep(directory)
    marker = report_fingerprint(analysis.runs)
    if _is_up_to_date(directory, marker):
        return directory / REPORT_HTML
    said = _report_from_analysis(analysis)
    shown = {row["image"] for data in said["data"] for row in (data["closer"] or {}).get("mistakes", ())}
    page = render_report(said, load_thumbnails((place for place, _ in analysis.runs.finished), shown), marker)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_json(directory / REPORT_JSON, said)
        write_text(directory / REPORT_CSV, to_csv(said["runs"]))
        write_text(directory / REPORT_HTML, page)
    except OSError as error:
        if error.errno not in NOT_WRITABLE_ERRNOS:
            raise
        raise HeadstartError(
            f"{directory}: no report can be written here ({error.strerror}); give headstart report --out FOLDER"
        ) from error
    return directory / REPORT_HTML


def _is_up_to_date(directory: Path, fingerprint: str) -> bool:
    try:
        with (directory / REPORT_HTML).open(encoding="utf-8") as page:
            return fingerprint in page.read(2000) and all(
                (directory / name).is_file() for name in (REPORT_JSON, REPORT_CSV)
            )
    except (OSError, ValueError):
        return False


def _report_from_analysis(analysis: SweepAnalysis) -> dict[str, Any]:
    every, verdicts = analysis.runs, analysis.verdicts
    results = [result for _, result in every.finished]
    named = list(zip(arm_names(results), every.finished, strict=True))
    rows = [_build_run_row(arm, place, result) for arm, (place, result) in named]
    averages = _build_arm_table(results, rows, analysis)
    groups: dict[str, list[tuple[str, LoadedRun]]] = defaultdict(list)
    for arm, (place, result) in named:
        groups[str(result.get("data"))].append((arm, (place, result)))
    data = [
        _build_data_set(
            name,
            group,
            [row for row in averages if row["data"] == name],
            [v for v in verdicts if v.table.data == name],
        )
        for name, group in sorted(groups.items())
    ]
    falling = [sentence for its in data for sentence in describe_falling_losses(its["name"], its["learning"])]
    said = {
        "sweeps": [encode_name(directory.resolve().name) for directory in every.directories],
        "unfinished": [
            {**asdict(state), "text": text.describe_unfinished_sweep(state)} for state in find_unfinished_sweeps(every)
        ],
        "level": analysis.comparison.level,
        "margin": analysis.comparison.margin,
        **text.familywise_levels(verdicts),
        "declared": find_conflicting_declarations(every),
        "no_verdict": analysis.error,
        "cautions": [*collect_caveats(analysis), *falling],
        "next_steps": recommend_next_steps(verdicts),
        "data": data,
        "audits": [audit for directory in every.directories for audit in audits.load_audit_findings(directory)],
        "failed": [{"run": name, "error": line} for name, line in every.failure_messages],
        "unreadable": [encode_name(path.parent.name) for path in every.unreadable],
        "skipped": audits.collect_skipped_files(results),
        "conditions": provenance.summarize_environments(results),
        "runs": rows,
    }
    return to_json_value(said)


def _build_run_row(arm: str, place: Path, result: RunResult) -> dict[str, Any]:
    metrics, cost, training = (result.get(key) or {} for key in ("metrics", "cost", "training"))
    trials = result.get("trials") or []
    return {
        "run": encode_name(place.name),
        "data": str(result.get("data")),
        "labels_per_class": result.get("labels_per_class"),
        "arm": arm,
        "seed": result.get("seed"),
        "fold": result.get("fold", 0),
        "folds": result.get("folds") or 1,
        **{name: metrics.get(f"test/{name}") for name in TEST_METRICS},
        **{f"training_{name}": training.get(name) for name in TRAINING_FIELDS},
        **{name: cost.get(name) for name in COST_FIELDS},
        "trials": len(trials),
        "tuning_seconds": sum(trial["seconds"] for trial in trials),
        "command": result.get("command"),
    }


def _build_data_set(
    name: str, group: list[tuple[str, LoadedRun]], averages: list[dict[str, Any]], verdicts: list[Verdict]
) -> Any:
    """What the page says of one data set."""
    classes = next((c for _, (place, result) in group if (c := provenance.load_class_names(place, result))), [])
    splits = _summarize_splits(group)
    return {
        "name": name,
        "classes": classes,
        "arms": sorted({arm for arm, _ in group}),
        "answers": [verdict_to_dict(v) for v in verdicts],
        "changes": [asdict(change) for change in find_crossovers(verdicts)],
        "table": averages,
        "splits": splits,
        "learning": _load_learning_curves(group, splits),
        "closer": _report_leading_arm(group, averages, verdicts, classes),
        "starts": provenance.collect_starting_weights([(arm, result) for arm, (_, result) in group], classes),
    }


def _build_arm_table(
    results: list[RunResult], rows: list[dict[str, Any]], analysis: SweepAnalysis
) -> list[dict[str, Any]]:
    """The table that a sweep ends in, with every part of the cost, and what must be known of a row."""
    averages: list[dict[str, Any]] = summarize_arms(results).to_dict("records")  # type: ignore[assignment]
    averaged = ("parameters", "flops", "peak_memory_bytes", *TUNING_FIELDS)
    for row in averages:
        row["labels_per_class"] = None if math.isnan(row["labels_per_class"]) else int(row["labels_per_class"])
        its = [run for run in rows if all(run[key] == row[key] for key in GROUP_COLUMNS)]
        row |= {name: _mean_of_known([run[name] for run in its]) for name in averaged}
        refused = analysis.is_excluded(row["data"], row["labels_per_class"], row["arm"])
        row["notes"] = text.describe_table_row(row["folds"], row["n"] > row["seeds"], refused)
    return averages


def _mean_of_known(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _summarize_splits(group: list[tuple[str, LoadedRun]]) -> list[dict[str, Any]]:
    """Each budget's images; the split of its first run stands for all, since their sizes are equal."""
    budgets: dict[int | None, list[LoadedRun]] = defaultdict(list)
    for _, run in group:
        budgets[run[1].get("labels_per_class")].append(run)
    return [
        {
            "labels_per_class": labels,
            **provenance.count_images_per_part(found[0][0]),
            "seeds": sorted({result["seed"] for _, result in found if "seed" in result}),
            "folds": max(result.get("folds") or 1 for _, result in found),
        }
        for labels, found in sorted(budgets.items(), key=lambda item: item[0] or math.inf)
    ]


def _load_learning_curves(group: list[tuple[str, LoadedRun]], splits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    curves = []
    for labels in [split["labels_per_class"] for split in splits]:
        for arm in sorted({arm for arm, _ in group}):
            its = [p for name, (p, r) in group if name == arm and r.get("labels_per_class") == labels]
            if curve := load_learning_curve(its):
                curves.append({"labels_per_class": labels, "arm": arm, **curve})
    return curves


def _report_leading_arm(
    group: list[tuple[str, LoadedRun]], averages: list[dict[str, Any]], verdicts: list[Verdict], classes: list[str]
) -> dict[str, Any] | None:
    """A look at the verdict's arm at the largest budget: of several left the most accurate."""
    if not averages:
        return None
    labels = max((row["labels_per_class"] for row in averages), key=lambda k: math.inf if k is None else k)
    left = next((v.unbeaten for v in verdicts if v.table.labels_per_class == labels), [])
    best = [row["arm"] for row in averages if row["labels_per_class"] == labels]
    chosen = next(arm for arm in [*left, *best] if arm in best)
    places: dict[str, list[tuple[FoldSeed, Path]]] = defaultdict(list)
    for arm, (place, result) in group:
        if result.get("labels_per_class") == labels:
            places[arm].append(((result.get("fold", 0), result.get("seed", 0)), place))
    try:
        return {
            "labels_per_class": labels,
            "left": left,
            **build_arm_report(dict(sorted(places.items())), chosen, classes),
        }
    except HeadstartError as error:
        return {"labels_per_class": labels, "missing": str(error)}


def to_json_value(value: Any) -> Any:
    """The value as JSON has it: numpy's numbers as Python's, and what is no number as None."""
    if isinstance(value, dict):
        return {str(k): to_json_value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_csv(rows: list[dict[str, Any]]) -> str:
    """The rows of report.csv with their header; the names in them as they are, quoted where they need it."""
    lines: list[str] = []
    # The csv module quotes what its line end holds: with "\r\n" a name that holds but one of the two is quoted as well.
    writer = csv.DictWriter(SimpleNamespace(write=lines.append), CSV_COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)
