"""Runs whose place a later one has taken: the same command, given again once images, weights or the version had
changed."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from headstart.compare.arm_names import RunResult, arm_key
from headstart.errors import join_with_limit
from headstart.file_names import encode_name
from headstart.runs import run_directory

LoadedRun = tuple[Path, RunResult]


def find_superseded_runs(all_runs: Sequence[LoadedRun]) -> list[LoadedRun]:
    """Those that are older than another run of the same sweep, arm, folder of images, budget, seed and fold.

    Two runs of different sweeps, or of two folders of one name, are none of them: which of these is meant is for a
    person to say. Nor is a run that does not say when it started.
    """
    return [run for older in _group_by_cell(all_runs) for run in older[:-1]]


def group_by_generation(superseded_runs: Sequence[LoadedRun]) -> list[list[RunResult]]:
    """Superseded runs by how often their place was taken since: those of the last time first."""
    cells = [[result for _, result in reversed(cell)] for cell in _group_by_cell(superseded_runs)]
    return [[cell[age] for cell in cells if age < len(cell)] for age in range(max(map(len, cells), default=0))]


def describe_superseded_runs(superseded_runs: Sequence[LoadedRun]) -> list[str]:
    """What a reader must know of runs that do not count any more."""
    if not superseded_runs:
        return []
    which = "1 run is" if len(superseded_runs) == 1 else f"{len(superseded_runs):,} runs are"
    names = [encode_name(place.name) for place, _ in superseded_runs]
    return [
        f"{which} superseded, and not counted: images, weights or the version changed, and the same command trained "
        f"anew. That is a further look, since the older results could be seen ({join_with_limit(names)})."
    ]


def _group_by_cell(all_runs: Sequence[LoadedRun]) -> list[list[LoadedRun]]:
    """The runs of each cell of a sweep, the oldest first."""
    cells: dict[str, list[LoadedRun]] = defaultdict(list)
    for place, result in all_runs:
        if result.get("started"):
            keys = ("data", "labels_per_class", "seed", "fold", "folds")
            cell = [str(place.parent), arm_key(result), *(result.get(key) for key in keys)]
            cells[json.dumps(cell)].append((place, result))
    return [sorted(its, key=_start_time) for cell in cells.values() for its in _group_by_root(cell)]


def _group_by_root(cell: list[LoadedRun]) -> list[list[LoadedRun]]:
    if len(cell) == 1:
        return [cell]
    roots: dict[str, list[LoadedRun]] = defaultdict(list)
    for place, result in cell:
        roots[str((run_directory.read_config(place).get("data") or {}).get("root"))].append((place, result))
    return list(roots.values())


def _start_time(run: LoadedRun) -> str:
    return str(run[1]["started"])
