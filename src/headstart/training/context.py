"""Circumstances of a run that do not change its outcome: directory, locks, threads, progress. Torch-free."""

import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from headstart.runs.result import read_result
from headstart.runs.sweep_file import SweepCommand, find_planned_run


@dataclass(frozen=True)
class RunContext:
    """Where and how a run is trained.

    Args:
        directory: the run directory.
        wait_for_lock: whether to wait for another process that trains the run; if not, the run is refused.
        position: which run of the sweep it is, ``"[3/12] "``; empty for a single run.
        seconds_left: estimated seconds for the later runs of the sweep; None if unknown.
        stop_at: when the sweep ends at the latest, in seconds since 1970; None: no limit.
        threads: torch threads on the CPU; None: torch's default.

    Example:
        >>> RunContext(Path("runs/finetune-digits-5-seed0")).position
        ''
    """

    directory: Path
    wait_for_lock: bool = False
    position: str = ""
    seconds_left: float | None = None
    stop_at: float | None = None
    threads: int | None = None

    @classmethod
    def from_hydra(cls) -> "RunContext":
        """The context of the job that Hydra runs; of a job of a sweep with what ``sweep.json`` says of it."""
        hydra = HydraConfig.get()
        directory = Path(hydra.runtime.output_dir)
        if OmegaConf.is_missing(hydra.job, "num"):
            return cls(directory, seconds_left=0.0)
        sweep, name = Path(hydra.sweep.dir), str(hydra.sweep.subdir)
        planned = find_planned_run(sweep, name)
        if planned is None:
            return cls(directory, wait_for_lock=True)
        command, index = planned
        return cls(
            directory,
            wait_for_lock=True,
            position=f"[{index + 1}/{'at most ' if command.looks else ''}{len(command.runs)}] ",
            seconds_left=estimate_seconds_left(sweep, command, index),
            stop_at=hydra.launcher.get("stop_at"),
            threads=hydra.launcher.get("threads") or command.threads,
        )


def estimate_seconds_left(sweep: Path, command: SweepCommand, index: int) -> float | None:
    """Estimates the seconds of the runs after one, each by the finished runs of its arm and budget, else by all; None
    without a finished run. With looks runs do not train in the order of the command: all others without a result count.

    Args:
        sweep: its directory.
        command: that asks for the runs.
        index: of the run.
    """
    results = [read_result(sweep / run.directory) for run in command.runs]
    measured: dict[tuple[str, int | None], list[float]] = defaultdict(list)
    for run, result in zip(command.runs, results, strict=True):
        if result and result.is_finished:
            measured[run.arm_key, run.labels_per_class].append(result.cost["seconds_in_all"])
    if not measured:
        return None
    overall = [statistics.mean(seconds for values in measured.values() for seconds in values)]
    stopped: set[tuple[str, int | None, str]] = set()
    if command.looks:  # imported here, since pandas takes its time
        from headstart.compare.inference.analysis import find_stopped_cells

        stopped = find_stopped_cells(sweep)
    pending = [
        run
        for number, (run, result) in enumerate(zip(command.runs, results, strict=True))
        if not result
        and (number > index or (command.looks and number < index))
        and (run.data, run.labels_per_class, run.arm_key) not in stopped
    ]
    seconds = sum(statistics.mean(measured.get((run.arm_key, run.labels_per_class), overall)) for run in pending)
    return seconds / command.workers
