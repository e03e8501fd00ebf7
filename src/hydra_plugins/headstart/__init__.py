"""Hydra plugins ``hydra/sweeper=headstart`` and ``hydra/launcher=local``; Hydra imports this module at each start."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class HeadstartSweeperConfig:
    """The node ``hydra.sweeper``.

    Args:
        params: default values of swept keys, such as ``{seed: "0,1,2"}``; typed overrides replace them.
    """

    _target_: str = "hydra_plugins.headstart.HeadstartSweeper"
    params: dict[str, Any] | None = field(default_factory=dict)


@dataclass
class LocalLauncherConfig:
    """The node ``hydra.launcher``.

    Args:
        workers: runs that train at the same time; None: as many as cores and memory allow.
        threads: torch threads of a run; None: the cores of a worker.
    """

    _target_: str = "hydra_plugins.headstart.LocalLauncher"
    workers: int | None = None
    threads: int | None = None


class HeadstartSweeper(Sweeper):
    """Plans a sweep, hands its runs to the launcher, and prints its table and report."""

    def __init__(self, params: Any) -> None:
        self.params = params

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._job = (hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> Sequence[JobReturn]:
        from headstart.sweep.sweeper import run_sweep

        return run_sweep(*self._job)


class LocalLauncher(Launcher):
    """Trains the runs in processes of this machine; processes of other commands may share the sweep.

    The attribute ``stop_at``, which the sweeper sets, says when the sweep ends, in seconds since 1970.
    """

    def __init__(self, workers: int | None, threads: int | None) -> None:
        self.workers, self.threads = workers, threads
        self.stop_at: float | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._job = (hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from headstart.sweep.workers import JobRunner, run_jobs

        jobs = [tuple(overrides) for overrides in job_overrides]
        runner = JobRunner(*self._job, jobs, initial_job_idx, self.stop_at)
        return run_jobs(runner, self.workers)


ConfigStore.instance().store(group="hydra/sweeper", name="headstart", node=HeadstartSweeperConfig)
ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalLauncherConfig)
