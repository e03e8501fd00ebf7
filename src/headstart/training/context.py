"""Circumstances of a run that do not change its outcome: directory, locks, threads, progress. Torch-free."""

from dataclasses import dataclass
from pathlib import Path


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
    requested_seeds: tuple[int, ...] = ()
    num_budgets: int = 1
    num_arms: int = 0
