"""What a sweep was asked for and has not brought to an end, by what its runs say of their command."""

import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from headstart.compare.arm_names import RunResult, arm_key
from headstart.compare.summary_table import SweepRuns
from headstart.file_names import encode_name


@dataclass(frozen=True)
class UnfinishedSweep:
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


def find_unfinished_sweeps(sweep_runs: SweepRuns) -> list[UnfinishedSweep]:
    """The sweeps that are not whole. The runs of a folder are a sweep's; one that failed has come to its end."""
    sweeps: dict[Path, tuple[list[RunResult], list[Path]]] = defaultdict(lambda: ([], []))
    for place, result in [*sweep_runs.finished, *sweep_runs.duplicates, *sweep_runs.failures]:
        sweeps[place.parent][0].append(result)
    for place in sweep_runs.incomplete:
        sweeps[place.parent][1].append(place)
    states = [_sweep_state(folder, ended, len(begun)) for folder, (ended, begun) in sorted(sweeps.items())]
    return [state for state in states if state.missing or state.begun]


def _sweep_state(folder: Path, ended: list[RunResult], begun: int) -> UnfinishedSweep:
    # A run that was asked for alone has no arms beside it, and what an older version trained does not say.
    told = [result for result in ended if result.get("asked_arms") and result.get("asked_seeds")]
    if not told:
        return UnfinishedSweep(encode_name(folder.resolve().name), None, 0, begun)
    cells = _requested_cells(told, ended)
    # What an older version trained is there as well.
    there = cells & {(_arm_identity(r), _budget(r), r.get("seed"), _folds(r), r.get("fold") or 0) for r in ended}
    silent = sum("seed" not in result for result in ended)  # it failed before it could say what it was
    return UnfinishedSweep(
        encode_name(folder.resolve().name), len(cells), max(len(cells) - len(there) - silent, 0), begun
    )


def _requested_cells(told: list[RunResult], ended: list[RunResult]) -> set[tuple[Any, ...]]:
    """Every (arm, budget, seed, number of folds, fold) that a command had asked for."""
    commands: dict[tuple[tuple[int, ...], int, int, int], list[RunResult]] = defaultdict(list)
    for result in told:
        counts = result["asked_arms"], result.get("asked_budgets") or 1, _folds(result)
        commands[tuple(result["asked_seeds"]), *counts].append(result)
    cells: set[tuple[Any, ...]] = set()
    for (seeds, arms, budgets, folds), own in commands.items():
        beside = [result for result in ended if _folds(result) == folds]
        its_arms = _complete_values([*map(_arm_identity, own)], [*map(_arm_identity, beside)], arms)
        its_budgets = _complete_values(
            [*map(_budget, own)], [_budget(r) for r in beside if "labels_per_class" in r], budgets
        )
        cells |= set(product(its_arms, its_budgets, seeds, [folds], range(folds)))
    return cells


def _complete_values(own: list[Any], others: list[Any], count: int) -> list[Any]:
    """A command's arms or budgets: its runs say how many it had, not which. Those that its runs have, then those of
    other commands, then so many that no run has reached."""
    its = list(dict.fromkeys(own))
    return [*its, *(dict.fromkeys(o for o in others if o not in its)), *range(-count, 0)][: max(count, len(its))]


def _arm_identity(result: RunResult) -> str:
    return json.dumps([arm_key(result), result.get("data")])


def _budget(result: RunResult) -> Any:
    return result.get("labels_per_class")


def _folds(result: RunResult) -> int:
    return result.get("folds") or 1
