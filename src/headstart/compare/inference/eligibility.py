"""Decides which runs are evidence, and counts the looks at their results."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.compare.collect.superseded_runs import PlannedCell, planned_cell
from headstart.runs.result import RunResult
from headstart.runs.sweep_file import Look, PlannedRun, SweepCommand

MAX_LOSS_TO_ENTROPY = 0.95  # of the entropy of the training labels: a higher loss learned little but class frequencies


def exclusion_reason(results: Sequence[RunResult]) -> str | None:
    """Returns why an arm with these runs at a budget is no evidence there; None where it is.

    One run suffices: to drop a seed for its outcome would select among the arm's results.

    Args:
        results: finished and failed runs of the arm.
    """
    return next((reason for result in results if (reason := _run_exclusion_reason(result))), None)


def _run_exclusion_reason(result: RunResult) -> str | None:
    run = f"seed {result.seed}" + (f", fold {result.fold}," if result.num_folds > 1 else "")
    if result.is_failed:
        return f"{run} failed: {result.error}"
    if not result.training:
        return None
    loss, entropy = result.training.get("loss"), result.training.get("label_entropy")
    if loss is None or not math.isfinite(loss):
        return f"{run} never learned: its loss is no number"
    if entropy is not None and loss > MAX_LOSS_TO_ENTROPY * entropy:
        return f"{run} never learned: a loss of {loss:.3f} on its training images, where guessing has {entropy:.3f}"
    return None


def is_of_data_set(planned: PlannedRun, result: RunResult) -> bool:
    """Whether a planned run is tested on the same data, in the same number of folds."""
    return (planned.data, planned.num_folds) == (result.data, result.num_folds)


@dataclass(frozen=True)
class BudgetPlan:
    """What the last command of a sweep plans for a data set and budget.

    Args:
        looks: when the verdict is computed; empty: once, when all runs are there.
        seeds: in the order of the plan.
        arms: the key of each arm.
    """

    looks: tuple[Look, ...] = ()
    seeds: tuple[int, ...] = ()
    arms: tuple[str, ...] = ()


def find_plan(commands: Mapping[Path, Sequence[SweepCommand]], result: RunResult) -> BudgetPlan:
    """Finds what the one sweep that has the data set and budget of a run plans for it. Of several sweeps that have it,
    nothing was planned together.

    Args:
        commands: of each sweep directory.
        result: of any run of the data set and budget.
    """
    last = _find_last_commands(commands, result)
    if len(last) != 1:
        return BudgetPlan()
    ((command, planned),) = last
    seeds, arms = dict.fromkeys(run.seed for run in planned), dict.fromkeys(run.arm_key for run in planned)
    return BudgetPlan(command.looks, tuple(seeds), tuple(arms))


def _find_last_commands(
    commands: Mapping[Path, Sequence[SweepCommand]], result: RunResult
) -> list[tuple[SweepCommand, list[PlannedRun]]]:
    """The last command of each sweep that has the data set and budget of a run, with its runs there."""
    last = []
    for sweep_commands in commands.values():
        for command in reversed(sweep_commands):
            if planned := [run for run in command.runs if _is_of_budget(run, result)]:
                last.append((command, planned))
                break
    return last


def _is_of_budget(planned: PlannedRun, result: RunResult) -> bool:
    return is_of_data_set(planned, result) and planned.labels_per_class == result.labels_per_class


def is_rotation(
    commands: Mapping[Path, Sequence[SweepCommand]], result: RunResult, results: Sequence[RunResult]
) -> bool:
    """Whether each seed s tests fold s mod K alone: the last commands say so; without one, the runs that ended show it.

    Args:
        commands: of each sweep directory.
        result: of any run of the data set and budget.
        results: of all its runs.
    """
    last = _find_last_commands(commands, result)
    runs: list[RunResult | PlannedRun] = [*results, *(run for _, planned in last for run in planned)]
    is_planned = all(command.rotates for command, _ in last)
    return result.num_folds > 1 and is_planned and all(run.fold == run.seed % result.num_folds for run in runs)


def count_planned_budgets(commands: Mapping[Path, Sequence[SweepCommand]], result: RunResult) -> int:
    """Counts the budgets that the commands ask for on the data set of a run; 0 without commands."""
    planned = (run for sweep_commands in commands.values() for command in sweep_commands for run in command.runs)
    return len({run.labels_per_class for run in planned if is_of_data_set(run, result)})


def count_looks(commands: Mapping[Path, Sequence[SweepCommand]], result: RunResult, first_started: str) -> int:
    """Counts the looks at a data set and budget: the first verdict, and each later command that asks for new seeds,
    plans other looks, lets seeds rotate or no more, or trains runs anew. The looks of one schedule share the level and
    count as one.

    A command given before any run started is no further look, nor is one that asks for the same runs again.

    Args:
        commands: of each sweep directory.
        result: of any run of the data set and budget.
        first_started: start of the first run, ISO 8601 in UTC.
    """
    in_order = sorted(
        ((sweep, command) for sweep, sweep_commands in commands.items() for command in sweep_commands),
        key=lambda entry: entry[1].started,
    )
    looks = 1
    seeds: set[int] = set()
    manner: tuple[tuple[Look, ...], bool] | None = None  # the looks, and whether seeds rotate
    identities: dict[tuple[Path, PlannedCell], str] = {}
    for sweep, command in in_order:
        planned = {(sweep, planned_cell(run)): run for run in command.runs if _is_of_budget(run, result)}
        has_new_seeds = bool({run.seed for run in planned.values()} - seeds)
        is_retrained = any(identities.get(cell, run.identity) != run.identity for cell, run in planned.items())
        has_new_manner = bool(planned) and (command.looks, command.rotates) != manner
        looks += bool(seeds) and command.started > first_started and (has_new_seeds or has_new_manner or is_retrained)
        manner = (command.looks, command.rotates) if planned else manner
        seeds |= {run.seed for run in planned.values()}
        identities |= {cell: run.identity for cell, run in planned.items()}
    return looks
