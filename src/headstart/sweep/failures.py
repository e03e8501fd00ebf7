"""Writes the results of jobs that fail before their run can write one. Torch-free."""

from datetime import UTC, datetime
from pathlib import Path

from headstart.process import format_error
from headstart.runs.result import RunResult, read_result, write_result
from headstart.runs.sweep_file import find_planned_run


def write_failure(sweep: Path, name: str, error: BaseException) -> None:
    """Writes the failed result of a run, unless it has a result.

    Args:
        sweep: directory of the sweep; its ``sweep.json`` has the run's settings.
        name: of the run directory.
        error: why the run failed.
    """
    directory, planned = sweep / name, find_planned_run(sweep, name)
    if planned is None or not directory.is_dir() or read_result(directory):
        return
    command, index = planned
    run = command.runs[index]
    result = RunResult(
        status="failed",
        error=format_error(error),
        model=run.model,
        data=run.data,
        seed=run.seed,
        labels_per_class=run.labels_per_class,
        fold=run.fold,
        folds=run.folds,
        settings=run.settings,
        compare=command.comparison,
        identity=run.identity,
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        command=command.command,
    )
    write_result(directory, result)
