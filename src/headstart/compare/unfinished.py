"""What a sweep was asked for and has not brought to an end, by what its runs say of their command."""

import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from headstart.compare.arms import Result, arm_key
from headstart.compare.table import Found


@dataclass(frozen=True)
class Unfinished:
    """A sweep that is not whole.

    Args:
        sweep: the name of its folder.
        asked: so many runs its commands had asked for; None where no run says.
        missing: so many of them have not come to an end.
        begun: so many runs in the folder have begun and not come to an end.
    """

    sweep: str
    asked: int | None
    missing: int
    begun: int


def unfinished(every: Found) -> list[Unfinished]:
    """The sweeps that are not whole. The runs of a folder are a sweep's; one that failed has come to its end."""
    sweeps: dict[Path, tuple[list[Result], list[Path]]] = defaultdict(lambda: ([], []))
    for place, result in [*every.finished, *every.again, *every.failures]:
        sweeps[place.parent][0].append(result)
    for place in every.begun:
        sweeps[place.parent][1].append(place)
    states = [_state(folder, ended, len(begun)) for folder, (ended, begun) in sorted(sweeps.items())]
    return [state for state in states if state.missing or state.begun]


def _state(folder: Path, ended: list[Result], begun: int) -> Unfinished:
    # A run that was asked for alone has no arms beside it, and what an older version trained does not say.
    told = [result for result in ended if result.get("asked_arms") and result.get("asked_seeds")]
    if not told:
        return Unfinished(folder.resolve().name, None, 0, begun)
    arms = {_cell(result, "data") for result in told}
    cells = _asked(told, ended)
    asked = (
        max(len(arms), *(result["asked_arms"] for result in told))
        * max(result.get("folds") or 1 for result in told)
        * len(cells)
    )
    # What an older version trained is there as well.
    there = {
        _cell(result, "data", "labels_per_class", "seed", "fold")
        for result in ended
        if (result.get("labels_per_class"), result.get("seed")) in cells
    }
    silent = sum("seed" not in result for result in ended)  # it failed before it could say what it was
    return Unfinished(folder.resolve().name, asked, max(asked - len(there) - silent, 0), begun)


def _asked(told: list[Result], ended: list[Result]) -> set[tuple[Any, int]]:
    """Every budget and seed that a command had asked for. Runs say how many budgets theirs had, not which: those that
    its runs have, then those of other commands, then so many that no run has reached."""
    commands: dict[tuple[tuple[int, ...], int], set[int | None]] = defaultdict(set)
    for result in told:
        commands[tuple(result["asked_seeds"]), result.get("asked_budgets") or 1].add(result["labels_per_class"])
    known = {result["labels_per_class"] for result in ended if "labels_per_class" in result}
    cells: set[tuple[Any, int]] = set()
    for (seeds, count), own in commands.items():
        budgets = [*own, *(known - own), *(f"unknown {k}" for k in range(count))][: max(count, len(own))]
        cells |= set(product(budgets, seeds))
    return cells


def _cell(result: Result, *keys: str) -> str:
    return json.dumps([arm_key(result), *(result.get(key) for key in keys)])
