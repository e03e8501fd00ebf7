"""What a sweep was asked for and has not brought to an end, by what its runs say of their command."""

import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from headstart.compare.arm_names import Result, arm_key
from headstart.compare.summary_table import Found
from headstart.file_names import encode_name


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
        return Unfinished(encode_name(folder.resolve().name), None, 0, begun)
    cells = _asked(told, ended)
    # What an older version trained is there as well.
    there = cells & {(_arm(r), _budget(r), r.get("seed"), _folds(r), r.get("fold") or 0) for r in ended}
    silent = sum("seed" not in result for result in ended)  # it failed before it could say what it was
    return Unfinished(encode_name(folder.resolve().name), len(cells), max(len(cells) - len(there) - silent, 0), begun)


def _asked(told: list[Result], ended: list[Result]) -> set[tuple[Any, ...]]:
    """Every (arm, budget, seed, number of folds, fold) that a command had asked for."""
    commands: dict[tuple[tuple[int, ...], int, int, int], list[Result]] = defaultdict(list)
    for result in told:
        counts = result["asked_arms"], result.get("asked_budgets") or 1, _folds(result)
        commands[tuple(result["asked_seeds"]), *counts].append(result)
    cells: set[tuple[Any, ...]] = set()
    for (seeds, arms, budgets, folds), own in commands.items():
        beside = [result for result in ended if _folds(result) == folds]
        its_arms = _filled([*map(_arm, own)], [*map(_arm, beside)], arms)
        its_budgets = _filled([*map(_budget, own)], [_budget(r) for r in beside if "labels_per_class" in r], budgets)
        cells |= set(product(its_arms, its_budgets, seeds, [folds], range(folds)))
    return cells


def _filled(own: list[Any], others: list[Any], count: int) -> list[Any]:
    """A command's arms or budgets: its runs say how many it had, not which. Those that its runs have, then those of
    other commands, then so many that no run has reached."""
    its = list(dict.fromkeys(own))
    return [*its, *(dict.fromkeys(o for o in others if o not in its)), *range(-count, 0)][: max(count, len(its))]


def _arm(result: Result) -> str:
    return json.dumps([arm_key(result), result.get("data")])


def _budget(result: Result) -> Any:
    return result.get("labels_per_class")


def _folds(result: Result) -> int:
    return result.get("folds") or 1
