"""Finds runs that a later command replaces: images, weights or the version changed, or seeds rotate through folds."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from headstart.runs.run_directory import read_config
from headstart.runs.sweep_file import PlannedRun, SweepCommand

PlannedCell = tuple[str, str, int | None, int, int, int]  # data, arm key, budget, seed, folds, fold


def planned_cell(run: PlannedRun) -> PlannedCell:
    """Returns the place of a run in its sweep: equal for runs that differ in images, weights or version alone."""
    return run.data, run.arm_key, run.labels_per_class, run.seed, run.num_folds, run.fold


def find_superseded_directories(
    commands: Mapping[Path, Sequence[SweepCommand]], directories: Collection[Path]
) -> set[Path]:
    """Finds the run directories whose place in their sweep a run of a later command takes, and those of other folds
    than their seed's, where the last command lets seeds rotate.

    Runs of two image folders with one name do not replace each other: which of them is meant, a person decides.

    Args:
        commands: of each sweep directory, the earliest first.
        directories: run directories with a result.
    """
    loaded = set(directories)
    cells: dict[tuple[Path, PlannedCell], dict[Path, None]] = defaultdict(dict)
    for sweep, sweep_commands in commands.items():
        for command in sweep_commands:
            for run in command.runs:
                if (directory := sweep / run.directory) in loaded:
                    cell = cells[sweep, planned_cell(run)]
                    cell.pop(directory, None)  # to the end: the last command counts
                    cell[directory] = None
    replaced = {
        directory
        for cell in cells.values()
        if len(cell) > 1
        for root_runs in _group_by_root(cell).values()
        for directory in root_runs[:-1]
    }
    return replaced | {
        directory
        for sweep, sweep_commands in commands.items()
        for directory in _find_other_folds(sweep, sweep_commands) & loaded
    }


def _find_other_folds(sweep: Path, commands: Sequence[SweepCommand]) -> set[Path]:
    """The planned runs of other folds than their seed's, of the budgets whose last command lets seeds rotate."""
    rotates = {
        (run.data, run.num_folds, run.labels_per_class): command.rotates for command in commands for run in command.runs
    }
    return {
        sweep / run.directory
        for command in commands
        for run in command.runs
        if rotates[run.data, run.num_folds, run.labels_per_class] and run.fold != run.seed % run.num_folds
    }


def _group_by_root(directories: Collection[Path]) -> dict[str, list[Path]]:
    """Groups run directories by their folder of images."""
    roots: dict[str, list[Path]] = defaultdict(list)
    for directory in directories:
        roots[str((read_config(directory).get("data") or {}).get("root"))].append(directory)
    return roots
