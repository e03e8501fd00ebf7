"""Finds the runs that a sweep's commands asked for and that have no result."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from headstart.compare.collect.superseded_runs import planned_cell
from headstart.compare.collect.sweep_runs import SweepRuns
from headstart.file_names import encode_name
from headstart.runs.sweep_file import SweepCommand


@dataclass(frozen=True)
class UnfinishedSweep:
    """A sweep with missing or incomplete runs.

    Args:
        sweep: name of its folder.
        asked: number of runs that its commands ask for; None without a ``sweep.json``.
        missing: number of these runs without a result.
        begun: number of run directories without a result.
    """

    sweep: str
    asked: int | None
    missing: int
    begun: int


def find_unfinished_sweeps(runs: SweepRuns) -> list[UnfinishedSweep]:
    """Finds the sweeps with missing or incomplete runs. A failed run has a result; an unreadable one has none.

    A sweep that takes looks promises no number of runs: its verdicts say which look comes next.
    """
    with_result = {
        run.directory for run in (*runs.finished, *runs.failed, *runs.superseded, *runs.debug, *runs.duplicates)
    }
    incomplete = Counter(directory.parent for directory in runs.incomplete)
    sweeps = []
    for folder in sorted({*runs.commands, *incomplete}):
        if (commands := runs.commands.get(folder)) and commands[-1].looks:
            continue
        planned = _planned_directories(folder, runs.commands.get(folder, []))
        sweeps.append(
            UnfinishedSweep(
                encode_name(folder.resolve().name),
                len(planned) if folder in runs.commands else None,
                len(planned - with_result),
                incomplete[folder],
            )
        )
    return [sweep for sweep in sweeps if sweep.missing or sweep.begun]


def _planned_directories(sweep: Path, commands: list[SweepCommand]) -> set[Path]:
    """Returns the directories that the commands ask for; where two ask for one cell of the sweep, that of the later."""
    promised = [command for command in commands if not command.looks]
    return set({planned_cell(run): sweep / run.directory for command in promised for run in command.runs}.values())
