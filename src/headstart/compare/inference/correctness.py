"""Builds tables of correct predictions, seeds by test images, of the arms that a verdict compares."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from headstart.compare.collect.sweep_runs import LoadedRun, SweepRuns
from headstart.compare.collect.test_images import TestImages
from headstart.compare.inference.eligibility import (
    count_looks,
    count_planned_budgets,
    exclusion_reason,
    find_plan,
    is_rotation,
)
from headstart.compare.inference.multiple_testing import ArmPair
from headstart.errors import HeadstartError
from headstart.runs.predictions import Predictions, read_predictions
from headstart.runs.result import RunResult
from headstart.runs.sweep_file import Look

RunsBySeed = dict[int, dict[int, LoadedRun]]  # of an arm: by seed, by fold


@dataclass(frozen=True)
class CorrectnessTable:
    """The predictions of one data set and budget, on the same seeds and test images for each arm.

    Args:
        data: name of the data set.
        labels_per_class: budget; None: all labels.
        seeds: the S seeds that are compared.
        correct: by arm, float (S, n): 1 where the run of a seed classifies an image correctly, 0 where it does not, NaN
            where the seed does not test the image. An arm that dropped out of a sweep has the first of the seeds alone.
            With fewer than two arms there is nothing to compare.
        models: by arm, its model.
        labels: true classes of the images, int64 (n,).
        groups: int64 (n,), equal for images that are no news beside each other; None: each image is new.
        unshared_seeds: by arm, its seeds that another arm lacks.
        exclusions: by arm that is no evidence, the reason.
        constant_seeds: by arm, the seeds whose run predicts one class for all images.
        folds: number of parts in which the images are tested; 1: one split.
        rotates: whether seed s tests fold s mod ``folds`` alone.
        schedule: the looks that were planned; empty: one look at all seeds.
        bad_rows: by arm, the row of its first run that is no evidence and the reason, where there is a schedule.
        lacks_arms: whether an arm of the plan has no run yet, where there is a schedule.
        num_looks: number of looks at the results, those of one schedule counted as one.
        num_planned_budgets: number of budgets of the data set, untrained ones included.
        error: why the runs do not compare; ``correct`` is empty then.

    Example:
        >>> correct = {"frozen": np.ones((1, 4)), "finetune": np.eye(4)[:1]}
        >>> table = CorrectnessTable("birds", 5, (0,), correct, {arm: arm for arm in correct}, np.arange(4) % 2)
        >>> table.num_images, table.find_arms("frozen")
        (4, ['frozen'])
    """

    data: str
    labels_per_class: int | None
    seeds: tuple[int, ...]
    correct: dict[str, np.ndarray]
    models: dict[str, str]
    labels: np.ndarray
    groups: np.ndarray | None = None
    unshared_seeds: dict[str, list[int]] = field(default_factory=dict)
    exclusions: dict[str, str] = field(default_factory=dict)
    constant_seeds: dict[str, list[int]] = field(default_factory=dict)
    folds: int = 1
    rotates: bool = False
    schedule: tuple[Look, ...] = ()
    bad_rows: dict[str, tuple[int, str]] = field(default_factory=dict)
    lacks_arms: bool = False
    num_looks: int = 1
    num_planned_budgets: int = 1
    error: str | None = None

    def find_arms(self, name: str) -> list[str]:
        """Returns the arms of a model, or the arm of that name; excluded ones included."""
        return [arm for arm, model in self.models.items() if name in (arm, model)]

    def difference(self, pair: ArmPair) -> np.ndarray:
        """The correctness of the first arm less that of the second on the seeds that both have, float (S, n)."""
        first, second = (self.correct[arm] for arm in pair)
        seeds = min(len(first), len(second))
        return first[:seeds].astype(float) - second[:seeds]

    def folds_in(self, rows: np.ndarray) -> int:
        """Number of folds whose trainings share images, in the first rows (S, n); 1 where all seeds test one fold."""
        seeds = self.seeds[: len(rows)]
        return 1 if self.rotates and len({seed % self.folds for seed in seeds}) == 1 else self.folds

    @property
    def num_images(self) -> int:
        return len(self.labels)

    @property
    def tested_share(self) -> float:
        """The share of the folds that the seeds tested, of 1."""
        return len({seed % self.folds for seed in self.seeds}) / self.folds if self.rotates else 1.0


def build_correctness_tables(
    runs: SweepRuns, read: Callable[[Path], Predictions] = read_predictions
) -> list[CorrectnessTable]:
    """Builds the table of each data set and budget with two arms or more, sorted by data set and budget.

    Where predictions cannot be read, or were made of other images, the table has an error and the others have none.

    Args:
        runs: of one or more sweeps; the finished and the failed ones are compared.
        read: reads the predictions of a run directory.
    """
    groups: dict[tuple[str, int | None], list[LoadedRun]] = defaultdict(list)
    for run in (*runs.finished, *runs.failed):
        groups[run.data_set, run.result.labels_per_class].append(run)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or np.inf))
    return [
        _build_table(data, budget, group, runs, read)
        for (data, budget), group in ordered
        if len({run.arm for run in group}) > 1
    ]


def _build_table(
    data: str, budget: int | None, group: list[LoadedRun], runs: SweepRuns, read: Callable[[Path], Predictions]
) -> CorrectnessTable:
    plan = find_plan(runs.commands, group[0].result)
    if plan.looks:  # runs of arms that the plan does not have are of an earlier command
        group = [run for run in group if run.result.arm_key in plan.arms] or group
    arms: dict[str, list[LoadedRun]] = defaultdict(list)
    for run in group:
        arms[run.arm].append(run)
    example = group[0].result
    ended = [*group, *(run for run in runs.superseded if run.result.labels_per_class == budget)]
    table = CorrectnessTable(
        data,
        budget,
        (),
        {},
        {arm: arm_runs[0].result.model for arm, arm_runs in arms.items()},
        np.zeros(0, dtype=np.int64),
        folds=example.num_folds,
        rotates=is_rotation(runs.commands, example, [run.result for run in group]),
        schedule=plan.looks,
        lacks_arms=bool(set(plan.arms) - {run.result.arm_key for run in group}),
        num_looks=count_looks(runs.commands, example, min(run.result.started for run in ended if run.data_set == data)),
        num_planned_budgets=max(count_planned_budgets(runs.commands, example), 1),
    )
    try:
        by_arm = {arm: _group_by_seed(arm_runs) for arm, arm_runs in arms.items()}
        if plan.looks:
            return _fill_in_order(table, by_arm, plan.seeds, read)
        return _fill_shared(table, by_arm, read)
    except HeadstartError as error:
        return replace(table, error=str(error))


def _fill_shared(
    table: CorrectnessTable, runs: dict[str, RunsBySeed], read: Callable[[Path], Predictions]
) -> CorrectnessTable:
    """Reads the predictions on the seeds that all arms share; of no arm where they share none."""
    reasons = {arm: exclusion_reason(_flatten_results(seeds)) for arm, seeds in runs.items()}
    exclusions = {arm: reason for arm, reason in reasons.items() if reason}
    complete = {
        arm: {seed: by_fold for seed, by_fold in seeds.items() if _is_complete(table, by_fold)}
        for arm, seeds in runs.items()
        if arm not in exclusions
    }
    shared = sorted(set.intersection(*map(set, complete.values()))) if complete else []
    rows = {arm: [seeds[seed] for seed in shared] for arm, seeds in complete.items() if shared}
    return replace(
        _read_rows(table, rows, shared, read),
        seeds=tuple(shared),
        unshared_seeds={arm: unshared for arm in complete if (unshared := sorted(set(runs[arm]) - set(shared)))},
        exclusions=exclusions,
    )


def _fill_in_order(
    table: CorrectnessTable,
    runs: dict[str, RunsBySeed],
    planned_seeds: tuple[int, ...],
    read: Callable[[Path], Predictions],
) -> CorrectnessTable:
    """Reads, of each arm, the predictions on the first of the planned seeds, up to one that is not there or no
    evidence."""
    rows: dict[str, list[dict[int, LoadedRun]]] = {}
    bad_rows = {}
    for arm, seeds in runs.items():
        rows[arm] = []
        for rank, seed in enumerate(planned_seeds):
            if reason := exclusion_reason(_flatten_results({seed: seeds.get(seed, {})})):
                bad_rows[arm] = rank, reason
                break
            if not _is_complete(table, seeds.get(seed, {})):
                break
            rows[arm].append(seeds[seed])
    return replace(_read_rows(table, rows, list(planned_seeds), read), seeds=planned_seeds, bad_rows=bad_rows)


def _is_complete(table: CorrectnessTable, by_fold: dict[int, LoadedRun]) -> bool:
    return len(by_fold) == (1 if table.rotates else table.folds)


def _read_rows(
    table: CorrectnessTable,
    rows: dict[str, list[dict[int, LoadedRun]]],
    seeds: list[int],
    read: Callable[[Path], Predictions],
) -> CorrectnessTable:
    """Reads the predictions of each arm's rows, which are those of the first of these seeds."""
    images = TestImages()
    predicted = {
        arm: [
            {fold: images.read_predicted(fold, run.directory, read) for fold, run in sorted(by_fold.items())}
            for by_fold in arm_rows
        ]
        for arm, arm_rows in rows.items()
    }
    constant = {
        arm: [
            seed
            for seed, row in zip(seeds, arm_rows, strict=False)
            if len(np.unique(np.concatenate([*row.values()]))) == 1
        ]
        for arm, arm_rows in predicted.items()
    }
    return replace(
        table,
        correct={
            arm: np.array([images.mark_correct(row) for row in arm_rows]).reshape(len(arm_rows), images.count)
            for arm, arm_rows in predicted.items()
        },
        labels=images.labels,
        groups=images.groups,
        constant_seeds={arm: seeds for arm, seeds in constant.items() if seeds},
    )


def _group_by_seed(arm_runs: Iterable[LoadedRun]) -> RunsBySeed:
    """Groups runs by seed and fold. A failed run counts only where no other run of its seed and fold is finished."""
    runs: RunsBySeed = defaultdict(dict)
    for run in sorted(arm_runs, key=lambda run: not run.result.is_failed):
        by_fold, fold = runs[run.result.seed], run.result.fold
        if fold in by_fold and by_fold[fold].result.is_finished:
            raise HeadstartError(
                f"{by_fold[fold].name} and {run.name} are the same arm and seed and differ in data, weights or "
                "version; give one of the two sweeps"
            )
        by_fold[fold] = run
    return runs


def _flatten_results(seeds: RunsBySeed) -> list[RunResult]:
    return [run.result for _, by_fold in sorted(seeds.items()) for _, run in sorted(by_fold.items())]
