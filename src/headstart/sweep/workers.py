"""Trains the jobs of a sweep in several local processes, which share it with other commands by locks. Torch-free."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from headstart.process import EXIT_TERMINATED, prepare_process
from headstart.runs.lock import try_lock
from headstart.runs.result import read_result
from headstart.sweep.estimate import workers_and_threads
from headstart.sweep.failures import write_failure


@dataclass(frozen=True)
class JobRunner:
    """The jobs of a launch, and what Hydra needs to run them.

    Args:
        hydra_context: Hydra's configuration loader and callbacks.
        task_function: trains one run.
        config: the configuration of the sweep.
        jobs: the overrides of each job.
        first_number: number of the first job.
        stop_at: when the sweep ends, in seconds since 1970; None: no limit. The jobs show it as time left.

    Example:
        >>> JobRunner(context, task, config, [("seed=0",), ("seed=1",)]).run(0, wait=True)  # doctest: +SKIP
    """

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    jobs: list[tuple[str, ...]]
    first_number: int = 0
    stop_at: float | None = None

    def run_pending(self, wait: bool = False, skip: frozenset[int] = frozenset()) -> dict[int, JobReturn]:
        """Runs each job without a result, in order.

        Args:
            wait: whether to wait for a process that trains the same run; if not, the job is left to that process.
            skip: indices of jobs that are left out.

        Returns:
            Hydra's return value of each job that this process ran, by index.
        """
        returns = {}
        for index, overrides in enumerate(self.jobs):
            if index in skip:
                continue
            if self.stop_at is not None and time.time() >= self.stop_at:  # for Windows, where no timer rings
                break
            config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
            sweep, name = Path(config.hydra.sweep.dir), str(config.hydra.sweep.subdir)
            directory = sweep / name
            if read_result(directory):
                continue
            with open_dict(config), open_dict(config.hydra.launcher):
                config.hydra.job.id = config.hydra.job.num = self.first_number + index
                config.hydra.launcher.stop_at = self.stop_at
            with try_lock(directory, wait) as is_locked:
                if is_locked and not read_result(directory):
                    job = returns[index] = run_job(
                        hydra_context=self.hydra_context,
                        task_function=self.task_function,
                        config=config,
                        job_dir_key="hydra.sweep.dir",
                        job_subdir_key="hydra.sweep.subdir",
                    )
                    if job.status == JobStatus.FAILED:  # without a result, another process would run it once more
                        write_failure(sweep, name, job._return_value)
        return returns

    def to_bytes(self) -> bytes:
        """Pickles a function that runs the pending jobs in another process, with Hydra's global state.

        joblib pickles what pickle refuses: functions that a decorator wraps, and OmegaConf's resolvers.
        """
        from joblib import wrap_non_picklable_objects

        return pickle.dumps(wrap_non_picklable_objects(partial(_run_in_worker, Singleton.get_state(), self)))


def run_jobs(runner: JobRunner, workers: int | None = None) -> list[JobReturn]:
    """Runs all jobs: this process and its worker processes go through the list, and each takes the jobs that are free.

    One core trains a small network as fast as two, so that each run has one core where memory allows.

    Args:
        runner: the jobs.
        workers: number of processes; None: as many as cores and memory allow.

    Returns:
        Hydra's return value of each job; of a job that a worker process ran, without its configuration.
    """
    setup_globals()
    count = min(workers or workers_and_threads()[0], len(runner.jobs))
    context = multiprocessing.get_context("spawn")
    payload = runner.to_bytes() if count > 1 else b""
    processes = [context.Process(target=run_worker, args=(payload,)) for _ in range(count - 1)]
    try:
        for process in processes:
            process.start()
        returns = runner.run_pending()
        for process in processes:
            process.join()
    finally:
        for process in processes:
            if process.pid is not None:  # Ctrl-C, or the end of time, may come before it has started
                process.kill()
    # Jobs that another command holds, or that a killed worker left.
    returns |= runner.run_pending(wait=True, skip=frozenset(returns))
    finished = JobReturn(status=JobStatus.COMPLETED)
    return [returns.get(index, finished) for index in range(len(runner.jobs))]


def run_worker(payload: bytes) -> None:
    """Worker process: runs pending jobs, and exits when its parent exits or at SIGTERM.

    Args:
        payload: of :meth:`JobRunner.to_bytes`.
    """
    prepare_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    # The sweep goes on without a worker, and all files are written as a whole: it exits without a message.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(EXIT_TERMINATED))
    parent: BaseProcess = multiprocessing.parent_process()  # type: ignore[assignment]

    def exit_with_parent() -> None:
        parent.join()
        os._exit(EXIT_TERMINATED)

    threading.Thread(target=exit_with_parent, daemon=True).start()
    import torch

    if torch.accelerator.is_available():  # runs that share a GPU slow each other down
        return
    pickle.loads(payload)()


def _run_in_worker(state: Any, runner: JobRunner) -> None:
    setup_globals()
    Singleton.set_state(state)
    runner.run_pending()
