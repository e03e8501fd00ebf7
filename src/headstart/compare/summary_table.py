"""The table of a sweep, from its run directories alone: each arm at each budget, over its seeds."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pandas as pd

from headstart.compare.arm_names import RunResult, arm_names
from headstart.compare.collect.provenance import load_class_names
from headstart.compare.collect.superseded_runs import find_superseded_runs
from headstart.compare.collect.truncated_results import infer_failed_result
from headstart.errors import HeadstartError, join_with_limit
from headstart.file_names import encode_name
from headstart.runs import run_directory
from headstart.runs.result import read_result

LoadedRun = tuple[Path, RunResult]

GROUP_COLUMNS = ["data", "labels_per_class", "arm"]
COST_COLUMNS = ["trainable_parameters", "seconds", "flops", "peak_memory_bytes"]
ARM_TABLE_COLUMNS = [*GROUP_COLUMNS, "folds", "accuracy", "spread", "n", "seeds", *COST_COLUMNS, "tuning_seconds"]


@dataclass
class SweepRuns:
    """The runs below some directories.

    Args:
        finished: their directories and what they say, each identity once.
        failed: name and line of those that failed.
        failures: their directories and what they say; those whose result was cut short are among them.
        unreadable: files that are no whole result, of no arm that is known.
        again: finished ones whose identity another one has, and what they say.
        superseded: ended ones whose place a later one of the same sweep has taken, and what they say.
        begun: directories of runs that have not come to an end.
        directories: those that were looked through.
    """

    finished: list[LoadedRun] = field(default_factory=list)
    failure_messages: list[tuple[str, str]] = field(default_factory=list)
    failures: list[LoadedRun] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    duplicates: list[LoadedRun] = field(default_factory=list)
    superseded: list[LoadedRun] = field(default_factory=list)
    incomplete: list[Path] = field(default_factory=list)
    directories: tuple[Path, ...] = ()


def collect_runs(*directories: str | Path) -> SweepRuns:
    """Reads every result below the directories (sweeps, or single runs).

    Raises:
        HeadstartError: a directory does not exist, or holds no run.
    """
    every, seen = SweepRuns(directories=tuple(map(Path, directories))), set()
    for directory in every.directories:
        if not directory.is_dir():
            raise HeadstartError(f"{directory}: there is no such folder; give a sweep's folder, such as those in runs/")
        for path in sorted(directory.rglob(run_directory.RESULT_FILE)):
            content = read_result(path.parent)
            if content is None:
                every.unreadable.append(path)
                continue
            result = content.to_dict()
            if result["status"] == "failed":
                every.failures.append((path.parent, result))
            elif (identity := result["identity"] or str(path)) not in seen:
                seen.add(identity)
                every.finished.append((path.parent, result))
            else:
                every.duplicates.append((path.parent, result))
        every.incomplete += sorted(run_directory.find_incomplete_runs(directory))
    told = [*every.finished, *every.duplicates, *every.failures]
    for path in list(every.unreadable):
        if inferred := infer_failed_result(path.parent, told):
            every.failures.append((path.parent, inferred))
            every.unreadable.remove(path)
    every.failure_messages = [
        (encode_name(place.name), str(result.get("error", "it says no reason"))) for place, result in every.failures
    ]
    every.superseded = find_superseded_runs([*every.finished, *every.failures])
    older = {place for place, _ in every.superseded}
    every.finished = [run for run in every.finished if run[0] not in older]
    every.failures = [run for run in every.failures if run[0] not in older]
    every.finished, every.failures, every.superseded = _separate_data_sets(
        every.finished, every.failures, every.superseded
    )
    if not (every.finished or every.failure_messages or every.unreadable):
        raise HeadstartError(f"{', '.join(map(str, directories))}: holds no run that came to an end")
    return every


def _separate_data_sets(*several: list[LoadedRun]) -> list[list[LoadedRun]]:
    """The runs. Data of one name that were tested in one split and in folds too, or that have other classes, are a
    data set for each: only what was tested on the same images and labels can be compared."""
    every = list(chain(*several))
    ways: dict[str, set[int]] = defaultdict(set)
    lists: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for _, result in every:
        ways[str(result.get("data"))].add(result.get("folds") or 1)
        if result.get("classes"):
            lists[str(result.get("data"))].add(tuple(result["classes"]))

    def told(place: Path, result: RunResult) -> RunResult:
        data, folds = str(result.get("data")), result.get("folds") or 1
        tested = f", {folds} folds" if folds > 1 else ", one split"
        classes = (
            f", classes {join_with_limit(_resolve_classes(place, result, lists[data]))}" if len(lists[data]) > 1 else ""
        )
        return {**result, "data": data + (tested if len(ways[data]) > 1 else "") + classes}

    return [[(place, told(place, result)) for place, result in its] for its in several]


def _resolve_classes(place: Path, result: RunResult, lists: set[tuple[str, ...]]) -> tuple[str, ...]:
    """The run's classes; those of a failed run, which only its split names, in the order of the list that has them."""
    classes = tuple(load_class_names(place, result))
    return classes if classes in lists else next((known for known in lists if set(known) == set(classes)), classes)


def summarize_arms(results: list[RunResult]) -> pd.DataFrame:
    """A row for each data set, budget and arm, the best arm of a budget first.

    Returns:
        Columns ``data``, ``labels_per_class`` (NaN: all), ``arm``, ``folds`` (1: one split), ``accuracy`` (mean over
        runs, of 1), ``spread`` (their standard deviation, NaN for one run), ``n`` runs, of so many ``seeds`` and folds
        (fewer than ``n``, where several runs are of one), and the price, all means: ``trainable_parameters``,
        ``seconds``, ``flops`` (of one image, forward), ``peak_memory_bytes`` and ``tuning_seconds``.
    """
    names = arm_names(results)
    frame = pd.DataFrame(
        {
            "data": str(r.get("data")),
            "labels_per_class": r.get("labels_per_class"),
            "folds": r.get("folds") or 1,
            "arm": name,
            "seed": f"{r.get('seed', k)} {r.get('fold') or 0}",
            "accuracy": r["metrics"].get("test/accuracy"),
            **{name: r.get("cost", {}).get(name) for name in COST_COLUMNS},
            "tuning_seconds": sum(trial["seconds"] for trial in r.get("trials") or []),
        }
        for k, (name, r) in enumerate(zip(names, results, strict=True))
    )
    if frame.empty:
        return pd.DataFrame(columns=ARM_TABLE_COLUMNS)
    measured = ["labels_per_class", "accuracy", *COST_COLUMNS, "tuning_seconds"]
    frame[measured] = frame[measured].astype(float)
    grouped = frame.groupby(GROUP_COLUMNS, dropna=False).agg(
        folds=("folds", "max"),
        accuracy=("accuracy", "mean"),
        spread=("accuracy", "std"),
        n=("accuracy", "size"),
        seeds=("seed", "nunique"),
        **{name: (name, "mean") for name in (*COST_COLUMNS, "tuning_seconds")},
    )
    order = ["data", "labels_per_class", "accuracy"]
    return grouped.reset_index().sort_values(order, ascending=[True, True, False], ignore_index=True)
