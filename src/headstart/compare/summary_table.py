"""The table of a sweep, from its run directories alone: each arm at each budget, over its seeds."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import pandas as pd

from headstart.compare.arm_names import Result, arm_names
from headstart.compare.collect.provenance import class_names
from headstart.compare.collect.superseded_runs import superseded
from headstart.compare.collect.truncated_results import failure
from headstart.errors import HeadstartError, named
from headstart.file_names import encode_name
from headstart.runs import run_directory

Run = tuple[Path, Result]

GROUPED = ["data", "labels_per_class", "arm"]
COST = ["trainable_parameters", "seconds", "flops", "peak_memory_bytes"]
COLUMNS = [*GROUPED, "folds", "accuracy", "spread", "n", "seeds", *COST, "tuning_seconds"]


@dataclass
class Found:
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

    finished: list[Run] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Run] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    again: list[Run] = field(default_factory=list)
    superseded: list[Run] = field(default_factory=list)
    begun: list[Path] = field(default_factory=list)
    directories: tuple[Path, ...] = ()


def found(*directories: str | Path) -> Found:
    """Reads every result below the directories (sweeps, or single runs).

    Raises:
        HeadstartError: a directory does not exist, or holds no run.
    """
    every, seen = Found(directories=tuple(map(Path, directories))), set()
    for directory in every.directories:
        if not directory.is_dir():
            raise HeadstartError(f"{directory}: there is no such folder; give a sweep's folder, such as those in runs/")
        for path in sorted(directory.rglob(run_directory.RESULT)):
            result = run_directory.result(path.parent)
            if result is None or not (result["status"] == "failed" or _whole(result)):
                every.unreadable.append(path)
            elif result["status"] == "failed":
                every.failures.append((path.parent, result))
            elif (identity := result.get("identity", str(path))) not in seen:
                seen.add(identity)
                every.finished.append((path.parent, result))
            else:
                every.again.append((path.parent, result))
        every.begun += sorted(run_directory.begun(directory))
    told = [*every.finished, *every.again, *every.failures]
    for path in list(every.unreadable):
        if result := failure(path.parent, told):
            every.failures.append((path.parent, result))
            every.unreadable.remove(path)
    every.failed = [
        (encode_name(place.name), str(result.get("error", "it says no reason"))) for place, result in every.failures
    ]
    every.superseded = superseded([*every.finished, *every.failures])
    older = {place for place, _ in every.superseded}
    every.finished = [run for run in every.finished if run[0] not in older]
    every.failures = [run for run in every.failures if run[0] not in older]
    every.finished, every.failures, every.superseded = _told_apart(every.finished, every.failures, every.superseded)
    if not (every.finished or every.failed or every.unreadable):
        raise HeadstartError(f"{', '.join(map(str, directories))}: holds no run that came to an end")
    return every


def _told_apart(*several: list[Run]) -> list[list[Run]]:
    """The runs. Data of one name that were tested in one split and in folds too, or that have other classes, are a
    data set for each: only what was tested on the same images and labels can be compared."""
    every = list(chain(*several))
    ways: dict[str, set[int]] = defaultdict(set)
    lists: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for _, result in every:
        ways[str(result.get("data"))].add(result.get("folds") or 1)
        if result.get("classes"):
            lists[str(result.get("data"))].add(tuple(result["classes"]))

    def told(place: Path, result: Result) -> Result:
        data, folds = str(result.get("data")), result.get("folds") or 1
        tested = f", {folds} folds" if folds > 1 else ", one split"
        classes = f", classes {named(_classes(place, result, lists[data]))}" if len(lists[data]) > 1 else ""
        return {**result, "data": data + (tested if len(ways[data]) > 1 else "") + classes}

    return [[(place, told(place, result)) for place, result in its] for its in several]


def _classes(place: Path, result: Result, lists: set[tuple[str, ...]]) -> tuple[str, ...]:
    """The run's classes; those of a failed run, which only its split names, in the order of the list that has them."""
    classes = tuple(class_names(place, result))
    return classes if classes in lists else next((known for known in lists if set(known) == set(classes)), classes)


def _whole(result: Result) -> bool:
    kinds = {"metrics": dict, "cost": dict, "settings": dict, "seed": int}
    return "metrics" in result and all(isinstance(result.get(name, kind()), kind) for name, kind in kinds.items())


def table(results: list[Result]) -> pd.DataFrame:
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
            **{name: r.get("cost", {}).get(name) for name in COST},
            "tuning_seconds": sum(trial["seconds"] for trial in r.get("trials") or []),
        }
        for k, (name, r) in enumerate(zip(names, results, strict=True))
    )
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    measured = ["labels_per_class", "accuracy", *COST, "tuning_seconds"]
    frame[measured] = frame[measured].astype(float)
    grouped = frame.groupby(GROUPED, dropna=False).agg(
        folds=("folds", "max"),
        accuracy=("accuracy", "mean"),
        spread=("accuracy", "std"),
        n=("accuracy", "size"),
        seeds=("seed", "nunique"),
        **{name: (name, "mean") for name in (*COST, "tuning_seconds")},
    )
    order = ["data", "labels_per_class", "accuracy"]
    return grouped.reset_index().sort_values(order, ascending=[True, True, False], ignore_index=True)
