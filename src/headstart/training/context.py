"""Circumstances of a run that do not change its outcome: directory, locks, threads, progress. Torch-free."""

import statistics
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
        threads: torch threads on the CPU; None: torch's default.

    Example:
        >>> RunContext(Path("runs/finetune-digits-5-seed0")).position
        ''
    """

    directory: Path
    wait_for_lock: bool = False
    position: str = ""
    seconds_left: float | None = None
    threads: int | None = None

    @classmethod
    def from_hydra(cls) -> "RunContext":
        """The context of the job that Hydra runs; of a job of a sweep with what ``sweep.json`` says of it."""
        hydra = HydraConfig.get()
        directory = Path(hydra.runtime.output_dir)
        if OmegaConf.is_missing(hydra.job, "num"):
            return cls(directory)
        sweep, name = Path(hydra.sweep.dir), str(hydra.sweep.subdir)
        planned = find_planned_run(sweep, name)
        if planned is None:
            return cls(directory, wait_for_lock=True)
        command, index = planned
        return cls(
            directory,
            wait_for_lock=True,
            position=f"[{index + 1}/{'at most ' if command.looks else ''}{len(command.runs)}] ",
            seconds_left=_estimate_seconds_left(sweep, command, index),
            threads=hydra.launcher.get("threads") or command.threads,
        )


def _estimate_seconds_left(sweep: Path, command: SweepCommand, index: int) -> float | None:
    """Seconds for the runs after one, by the mean of the finished runs; None without a finished run."""
    results = [read_result(sweep / run.directory) for run in command.runs]
    seconds = [result.cost["seconds_in_all"] for result in results if result and result.is_finished]
    pending = sum(result is None for result in results[index + 1 :])
    return statistics.mean(seconds) * pending / command.workers if seconds else None
