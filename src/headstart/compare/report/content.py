"""The report of sweeps: every number of the page, from run directories alone, as JSON, as CSV and as the page."""

import csv
import math
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from headstart.compare.arm_names import Result, arm_names
from headstart.compare.collect import audits, provenance
from headstart.compare.collect.missing_runs import unfinished
from headstart.compare.evaluation.arm_report import closer
from headstart.compare.evaluation.confident_errors import pictures
from headstart.compare.evaluation.learning_curves import learning, still_falling
from headstart.compare.evaluation.predictions import Key
from headstart.compare.inference.analysis import Judged, differing, judged
from headstart.compare.inference.crossover import crossovers
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text
from headstart.compare.report.answers import answer
from headstart.compare.report.caveats import cautions
from headstart.compare.report.fingerprint import digest
from headstart.compare.report.recommendations import next_steps
from headstart.compare.summary_table import GROUPED, table
from headstart.errors import HeadstartError
from headstart.file_names import encode_name
from headstart.process import NOT_WRITABLE
from headstart.runs import run_directory

PAGE, NUMBERS, RUNS = "report.html", "report.json", "report.csv"
METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
COST = ("seconds", "seconds_in_all", "parameters", "trainable_parameters", "flops", "peak_memory_bytes")
TUNING = ("trials", "tuning_seconds")
LEARNED = ("loss", "label_entropy")  # on the training images
COLUMNS = (
    *("run", "data", "labels_per_class", "arm", "seed", "fold", "folds"),
    *(*METRICS, *(f"training_{name}" for name in LEARNED), *COST, *TUNING, "command"),
)

Run = tuple[Path, Result]


def report(*directories: str | Path) -> dict[str, Any]:
    """Everything that the page says, as plain values; what is not known is None.

    Raises:
        HeadstartError: a directory does not exist, or holds no run.
    """
    return _report(judged(*directories))


def write(directory: str | Path, told: Judged | None = None) -> Path:
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
    from headstart.compare.report.html import render

    directory, told = Path(directory), told or judged(directory)
    marker = digest(told.every)
    if _stands(directory, marker):
        return directory / PAGE
    said = _report(told)
    shown = {row["image"] for data in said["data"] for row in (data["closer"] or {}).get("mistakes", ())}
    page = render(said, pictures((place for place, _ in told.every.finished), shown), marker)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        run_directory.write_json(directory / NUMBERS, said)
        run_directory.write_text(directory / RUNS, to_csv(said["runs"]))
        run_directory.write_text(directory / PAGE, page)
    except OSError as error:
        if error.errno not in NOT_WRITABLE:
            raise
        raise HeadstartError(
            f"{directory}: no report can be written here ({error.strerror}); give headstart report --out FOLDER"
        ) from error
    return directory / PAGE


def _stands(directory: Path, marker: str) -> bool:
    try:
        with (directory / PAGE).open(encoding="utf-8") as page:
            return marker in page.read(2000) and all((directory / name).is_file() for name in (NUMBERS, RUNS))
    except (OSError, ValueError):
        return False


def _report(told: Judged) -> dict[str, Any]:
    every, verdicts = told.every, told.verdicts
    results = [result for _, result in every.finished]
    named = list(zip(arm_names(results), every.finished, strict=True))
    rows = [_row(arm, place, result) for arm, (place, result) in named]
    averages = _table(results, rows, told)
    groups: dict[str, list[tuple[str, Run]]] = defaultdict(list)
    for arm, (place, result) in named:
        groups[str(result.get("data"))].append((arm, (place, result)))
    data = [
        _data_set(
            name,
            group,
            [row for row in averages if row["data"] == name],
            [v for v in verdicts if v.outcomes.data == name],
        )
        for name, group in sorted(groups.items())
    ]
    falling = [sentence for its in data for sentence in still_falling(its["name"], its["learning"])]
    said = {
        "sweeps": [encode_name(directory.resolve().name) for directory in every.directories],
        "unfinished": [{**asdict(state), "text": text.unfinished(state)} for state in unfinished(every)],
        "level": told.asked.level,
        "margin": told.asked.margin,
        **text.level(verdicts),
        "declared": differing(every),
        "no_verdict": told.trouble,
        "cautions": [*cautions(told), *falling],
        "next_steps": next_steps(verdicts),
        "data": data,
        "audits": [audit for directory in every.directories for audit in audits.audits(directory)],
        "failed": [{"run": name, "error": line} for name, line in every.failed],
        "unreadable": [encode_name(path.parent.name) for path in every.unreadable],
        "skipped": audits.skipped(results),
        "conditions": provenance.conditions(results),
        "runs": rows,
    }
    return plain(said)


def _row(arm: str, place: Path, result: Result) -> dict[str, Any]:
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
        **{name: metrics.get(f"test/{name}") for name in METRICS},
        **{f"training_{name}": training.get(name) for name in LEARNED},
        **{name: cost.get(name) for name in COST},
        "trials": len(trials),
        "tuning_seconds": sum(trial["seconds"] for trial in trials),
        "command": result.get("command"),
    }


def _data_set(name: str, group: list[tuple[str, Run]], averages: list[dict[str, Any]], judged: list[Verdict]) -> Any:
    """What the page says of one data set."""
    classes = next((c for _, (place, result) in group if (c := provenance.class_names(place, result))), [])
    splits = _splits(group)
    return {
        "name": name,
        "classes": classes,
        "arms": sorted({arm for arm, _ in group}),
        "answers": [answer(v) for v in judged],
        "changes": [asdict(change) for change in crossovers(judged)],
        "table": averages,
        "splits": splits,
        "learning": _learning(group, splits),
        "closer": _closer(group, averages, judged, classes),
        "starts": provenance.starts([(arm, result) for arm, (_, result) in group], classes),
    }


def _table(results: list[Result], rows: list[dict[str, Any]], told: Judged) -> list[dict[str, Any]]:
    """The table that a sweep ends in, with every part of the cost, and what must be known of a row."""
    averages: list[dict[str, Any]] = table(results).to_dict("records")  # type: ignore[assignment]
    averaged = ("parameters", "flops", "peak_memory_bytes", *TUNING)
    for row in averages:
        row["labels_per_class"] = None if math.isnan(row["labels_per_class"]) else int(row["labels_per_class"])
        its = [run for run in rows if all(run[key] == row[key] for key in GROUPED)]
        row |= {name: _mean([run[name] for run in its]) for name in averaged}
        refused = told.refused(row["data"], row["labels_per_class"], row["arm"])
        row["notes"] = text.notes(row["folds"], row["n"] > row["seeds"], refused)
    return averages


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _splits(group: list[tuple[str, Run]]) -> list[dict[str, Any]]:
    """Each budget's images; the split of its first run stands for all, since their sizes are equal."""
    budgets: dict[int | None, list[Run]] = defaultdict(list)
    for _, run in group:
        budgets[run[1].get("labels_per_class")].append(run)
    return [
        {
            "labels_per_class": labels,
            **provenance.parts(found[0][0]),
            "seeds": sorted({result["seed"] for _, result in found if "seed" in result}),
            "folds": max(result.get("folds") or 1 for _, result in found),
        }
        for labels, found in sorted(budgets.items(), key=lambda item: item[0] or math.inf)
    ]


def _learning(group: list[tuple[str, Run]], splits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    curves = []
    for labels in [split["labels_per_class"] for split in splits]:
        for arm in sorted({arm for arm, _ in group}):
            its = [p for name, (p, r) in group if name == arm and r.get("labels_per_class") == labels]
            if curve := learning(its):
                curves.append({"labels_per_class": labels, "arm": arm, **curve})
    return curves


def _closer(
    group: list[tuple[str, Run]], averages: list[dict[str, Any]], judged: list[Verdict], classes: list[str]
) -> dict[str, Any] | None:
    """A look at the verdict's arm at the largest budget: of several left the most accurate."""
    if not averages:
        return None
    labels = max((row["labels_per_class"] for row in averages), key=lambda k: math.inf if k is None else k)
    left = next((v.left for v in judged if v.outcomes.labels_per_class == labels), [])
    best = [row["arm"] for row in averages if row["labels_per_class"] == labels]
    chosen = next(arm for arm in [*left, *best] if arm in best)
    places: dict[str, list[tuple[Key, Path]]] = defaultdict(list)
    for arm, (place, result) in group:
        if result.get("labels_per_class") == labels:
            places[arm].append(((result.get("fold", 0), result.get("seed", 0)), place))
    try:
        return {"labels_per_class": labels, "left": left, **closer(dict(sorted(places.items())), chosen, classes)}
    except HeadstartError as error:
        return {"labels_per_class": labels, "missing": str(error)}


def plain(value: Any) -> Any:
    """The value as JSON has it: numpy's numbers as Python's, and what is no number as None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_csv(rows: list[dict[str, Any]]) -> str:
    """The rows of report.csv with their header; the names in them as they are, quoted where they need it."""
    lines: list[str] = []
    # The csv module quotes what its line end holds: with "\r\n" a name that holds but one of the two is quoted as well.
    writer = csv.DictWriter(SimpleNamespace(write=lines.append), COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)
