"""Runs whose place a later one has taken: the same command, given again once images, weights or the version had
changed."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from headstart.compare.arm_names import Result, arm_key
from headstart.errors import named
from headstart.file_names import encode_name
from headstart.runs import run_directory

Run = tuple[Path, Result]


def superseded(every: Sequence[Run]) -> list[Run]:
    """Those that are older than another run of the same sweep, arm, folder of images, budget, seed and fold.

    Two runs of different sweeps, or of two folders of one name, are none of them: which of these is meant is for a
    person to say. Nor is a run that does not say when it started.
    """
    return [run for older in _by_cell(every) for run in older[:-1]]


def generations(older: Sequence[Run]) -> list[list[Result]]:
    """Superseded runs by how often their place was taken since: those of the last time first."""
    cells = [[result for _, result in reversed(cell)] for cell in _by_cell(older)]
    return [[cell[age] for cell in cells if age < len(cell)] for age in range(max(map(len, cells), default=0))]


def sentences(older: Sequence[Run]) -> list[str]:
    """What a reader must know of runs that do not count any more."""
    if not older:
        return []
    which = "1 run is" if len(older) == 1 else f"{len(older):,} runs are"
    names = [encode_name(place.name) for place, _ in older]
    return [
        f"{which} superseded, and not counted: images, weights or the version changed, and the same command trained "
        f"anew. That is a further look, since the older results could be seen ({named(names)})."
    ]


def _by_cell(every: Sequence[Run]) -> list[list[Run]]:
    """The runs of each cell of a sweep, the oldest first."""
    cells: dict[str, list[Run]] = defaultdict(list)
    for place, result in every:
        if result.get("started"):
            keys = ("data", "labels_per_class", "seed", "fold", "folds")
            cell = [str(place.parent), arm_key(result), *(result.get(key) for key in keys)]
            cells[json.dumps(cell)].append((place, result))
    return [sorted(its, key=_started) for cell in cells.values() for its in _by_root(cell)]


def _by_root(cell: list[Run]) -> list[list[Run]]:
    if len(cell) == 1:
        return [cell]
    roots: dict[str, list[Run]] = defaultdict(list)
    for place, result in cell:
        roots[str((run_directory.config(place).get("data") or {}).get("root"))].append((place, result))
    return list(roots.values())


def _started(run: Run) -> str:
    return str(run[1]["started"])
