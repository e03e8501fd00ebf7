"""What a sweep will do: its runs, their overrides and what is known before training. Torch-free."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig

from headstart.runs.sweep_file import PlannedRun, SweepCommand


@dataclass(frozen=True)
class TestSize:
    """How many test images decide a comparison on one data set.

    Args:
        data: name of the data set.
        num_images: test images, over all folds and seeds.
        images_per_seed: those of one seed; fewer where the seeds rotate through folds.
        folds: number of folds that each seed tests; 1 for one split, and where the seeds rotate.
        is_given: whether the images come with a test part.
        rotates: whether the seeds rotate through folds.
    """

    __test__ = False  # no test class, though its name begins like one

    data: str
    num_images: int
    images_per_seed: int
    folds: int = 1
    is_given: bool = False
    rotates: bool = False


@dataclass(frozen=True)
class SweepPlan:
    """A sweep that is to be trained.

    Args:
        directory: of the sweep.
        command: what ``sweep.json`` records: runs, comparison, threads and workers.
        jobs: Hydra's overrides of each run, in the order of ``command.runs``.
        finished: names of the run directories that hold a finished result.
        axes: number of values of each swept key.
        seconds_per_run: measured on the finished runs, else estimated (s).
        minutes: after which the sweep ends, and the same command goes on; None: no limit.
        audit_configs: a configuration of each folder of images, with all labels.
        test_sizes: of each data set.
        auto_reasons: what ``auto`` stands for, and the figure that decided, a line for each data set.
        left_out_budgets: budgets that fit the data and cannot be tuned, since no image validates.
        has_other_comparison: whether finished runs declared another comparison.
        started: when it was planned, in seconds since 1970.

    Example:
        >>> SweepPlan(Path("runs/sweep"), SweepCommand("headstart-train -m", "", (), {})).num_pending
        0
    """

    directory: Path
    command: SweepCommand
    jobs: tuple[tuple[str, ...], ...] = ()
    finished: frozenset[str] = frozenset()
    axes: dict[str, int] = field(default_factory=dict)
    seconds_per_run: float = 0.0
    minutes: float | None = None
    audit_configs: tuple[DictConfig, ...] = ()
    test_sizes: tuple[TestSize, ...] = ()
    auto_reasons: tuple[str, ...] = ()
    left_out_budgets: tuple[int, ...] = ()
    has_other_comparison: bool = False
    started: float = field(default_factory=time.time)

    @property
    def stop_at(self) -> float | None:
        """When the sweep ends, in seconds since 1970; None: no limit."""
        return self.started + 60 * self.minutes if self.minutes else None

    @property
    def num_runs(self) -> int:
        return len(self.command.runs)

    @property
    def num_pending(self) -> int:
        return self.num_runs - len(self.finished)

    @property
    def pending(self) -> list[tuple[PlannedRun, tuple[str, ...]]]:
        """The runs that are not finished, with their overrides."""
        pairs = zip(self.command.runs, self.jobs, strict=True)
        return [(run, overrides) for run, overrides in pairs if run.directory not in self.finished]
