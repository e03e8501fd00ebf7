"""The table of a sweep, from its run directories alone: each arm at each budget, over its seeds."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from headstart import runs
from headstart.compare.arms import Result, arm_key, arm_names
from headstart.errors import HeadstartError

COLUMNS = ["data", "labels_per_class", "arm", "accuracy", "spread", "n", "trainable_parameters", "seconds"]


@dataclass
class Found:
    """The runs below some directories.

    Args:
        finished: their directories and what they say, each identity once.
        failed: name and line of those that failed.
        failures: their directories and what they say.
        unreadable: files that are no whole result.
    """

    finished: list[tuple[Path, Result]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[Path, Result]] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


def found(*directories: str | Path) -> Found:
    """Reads every result below the directories (sweeps, or single runs).

    Raises:
        HeadstartError: a directory does not exist, or holds no run.
    """
    every, seen = Found(), set()
    for directory in map(Path, directories):
        if not directory.is_dir():
            raise HeadstartError(f"{directory}: there is no such folder; give a sweep's folder, such as those in runs/")
        for path in sorted(directory.rglob(runs.RESULT)):
            result = runs.result(path.parent)
            if result is None or not (result["status"] == "failed" or _whole(result)):
                every.unreadable.append(path)
            elif result["status"] == "failed":
                every.failed.append((path.parent.name, str(result.get("error", "it says no reason"))))
                every.failures.append((path.parent, result))
            elif (identity := result.get("identity", str(path))) not in seen:
                seen.add(identity)
                every.finished.append((path.parent, result))
    if not (every.finished or every.failed or every.unreadable):
        raise HeadstartError(f"{', '.join(map(str, directories))}: holds no run that came to an end")
    return every


def _whole(result: Result) -> bool:
    kinds = {"metrics": dict, "cost": dict, "settings": dict, "seed": int}
    return "metrics" in result and all(isinstance(result.get(name, kind()), kind) for name, kind in kinds.items())


def table(results: list[Result]) -> pd.DataFrame:
    """A row for each data set, budget and arm, the best arm of a budget first.

    Returns:
        Columns ``data``, ``labels_per_class`` (NaN: all), ``arm``, ``accuracy`` (mean over runs, of 1),
        ``spread`` (their standard deviation, NaN for one run), ``n``, ``trainable_parameters`` and
        ``seconds`` (means).
    """
    names = arm_names(results)
    frame = pd.DataFrame(
        {
            "data": str(r.get("data")),
            "labels_per_class": r.get("labels_per_class"),
            "arm": names[arm_key(r)],
            "accuracy": r["metrics"].get("test/accuracy"),
            "trainable_parameters": r.get("cost", {}).get("trainable_parameters"),
            "seconds": r.get("cost", {}).get("seconds"),
        }
        for r in results
    )
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    measured = ["labels_per_class", "accuracy", "trainable_parameters", "seconds"]
    frame[measured] = frame[measured].astype(float)
    grouped = frame.groupby(["data", "labels_per_class", "arm"], dropna=False).agg(
        accuracy=("accuracy", "mean"),
        spread=("accuracy", "std"),
        n=("accuracy", "size"),
        trainable_parameters=("trainable_parameters", "mean"),
        seconds=("seconds", "mean"),
    )
    order = ["data", "labels_per_class", "accuracy"]
    return grouped.reset_index().sort_values(order, ascending=[True, True, False], ignore_index=True)
