"""Loads the runs of one or more sweeps and computes their verdicts."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.compare.collect.sweep_runs import SweepRuns, collect_runs
from headstart.compare.declaration import Comparison
from headstart.compare.inference.correctness import CorrectnessTable, build_correctness_tables
from headstart.compare.inference.looks import LookState, take_looks
from headstart.compare.inference.sweep_verdicts import compute_verdicts, split_level
from headstart.compare.inference.verdict import Verdict
from headstart.errors import HeadstartError
from headstart.runs.predictions import Predictions, read_predictions


@dataclass(frozen=True)
class SweepAnalysis:
    """The runs of some directories and their verdicts.

    Args:
        runs: the loaded runs.
        comparison: the declaration that the verdicts follow.
        verdicts: of each data set and budget.
        read_predictions: reads the predictions of a run directory, each once.
        error: why there are no verdicts at all; None where there may be.
    """

    runs: SweepRuns
    comparison: Comparison
    verdicts: list[Verdict]
    read_predictions: Callable[[Path], Predictions] = read_predictions
    error: str | None = None

    def is_excluded(self, data: str, labels_per_class: int | None, arm: str) -> bool:
        """Whether the arm is no evidence at that budget."""
        return any(
            (verdict.table.data, verdict.table.labels_per_class) == (data, labels_per_class)
            and arm in verdict.table.exclusions
            for verdict in self.verdicts
        )


def analyze_sweep(*directories: str | Path) -> SweepAnalysis:
    """Loads the runs below the directories and computes their verdicts.

    Args:
        directories: sweeps or single runs.

    Raises:
        HeadstartError: a directory does not exist, or holds no run.

    Example:
        >>> analysis = analyze_sweep("runs/compare-digits-1a2b3c4d")  # doctest: +SKIP
        >>> [verdict.unbeaten for verdict in analysis.verdicts]  # doctest: +SKIP
    """
    runs = collect_runs(*directories)
    read_once = functools.cache(read_predictions)
    try:
        comparison = select_comparison(runs)
        tables = build_correctness_tables(runs, read_once)
        verdicts = compute_verdicts(tables, comparison)
        return SweepAnalysis(runs, comparison, verdicts, read_once)
    except HeadstartError as error:
        return SweepAnalysis(runs, Comparison(), [], read_once, str(error))


@dataclass(frozen=True)
class BudgetProgress:
    """How far a sweep with looks is at one data set and budget.

    Args:
        table: of the runs that have ended.
        state: what the looks have decided.
        arm_keys: by arm, the key of its runs.
        data: name of the data set in the plan.
    """

    table: CorrectnessTable
    state: LookState
    arm_keys: dict[str, str]
    data: str

    @property
    def stopped_arms(self) -> dict[str, str]:
        """By arm that trains no more, why."""
        if self.state.verdict is None:
            return {}
        dropped = {arm: f"stopped after {seeds} seeds" for arm, seeds in self.state.verdict.dropped.items()}
        return dropped | dict.fromkeys(self.state.verdict.table.exclusions, "no evidence")


def find_progress(directory: Path) -> list[BudgetProgress]:
    """Finds how far a sweep is whose last command plans looks; empty where it holds no table yet.

    Args:
        directory: of a sweep with a run that has ended.

    Raises:
        HeadstartError: runs were tested on other images than those beside them.
    """
    runs = collect_runs(directory)
    comparison = select_comparison(runs)
    tables = build_correctness_tables(runs)
    progress = []
    for table, alpha in zip(tables, split_level(tables, comparison.level), strict=True):
        if table.error:
            raise HeadstartError(table.error)
        of_table = [
            run
            for run in (*runs.finished, *runs.failed)
            if (run.data_set, run.result.labels_per_class) == (table.data, table.labels_per_class)
        ]
        keys = {run.arm: run.result.arm_key for run in of_table}
        progress.append(BudgetProgress(table, take_looks(table, alpha, comparison), keys, of_table[0].result.data))
    return progress


def find_stopped_cells(directory: Path) -> set[tuple[str, int | None, str]]:
    """Finds data set, budget and arm's key of the runs that a sweep with looks trains no more."""
    return {
        (progress.data, progress.table.labels_per_class, key)
        for progress in find_progress(directory)
        for arm, key in progress.arm_keys.items()
        if progress.state.next_look is None or arm in progress.stopped_arms
    }


def select_comparison(runs: SweepRuns) -> Comparison:
    """Returns the declaration of the first run to train: a later declaration could depend on its result."""
    declarations = _list_declarations(runs)
    if not declarations:
        return Comparison()
    return Comparison(
        **{key: value for key, value in declarations[0].items() if key in Comparison.__dataclass_fields__}
    )


def find_conflicting_declarations(runs: SweepRuns) -> dict[str, list[Any]]:
    """Finds the keys of ``compare`` with several values among the runs, the earliest first."""
    values: dict[str, list[Any]] = {}
    for declaration in _list_declarations(runs):
        for key, value in declaration.items():
            if value not in values.setdefault(key, []):
                values[key].append(value)
    return {key: group for key, group in values.items() if len(group) > 1}


def _list_declarations(runs: SweepRuns) -> list[dict[str, Any]]:
    """Lists what each run declared, in the order in which they started; superseded runs included, whose results could
    be known to later ones."""
    results = [run.result for run in (*runs.finished, *runs.superseded)]
    return [result.compare for result in sorted(results, key=lambda result: result.started) if result.compare]
