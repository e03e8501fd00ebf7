"""Reads and writes the commands of a sweep, ``sweep.json``. Torch-free."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from headstart.errors import HeadstartError
from headstart.files import write_json
from headstart.runs.arm_run import ArmRun
from headstart.runs.run_directory import SWEEP_FILE, SWEEP_LOCK_FILE


@dataclass(frozen=True)
class PlannedRun(ArmRun):
    """A run that a command asks for.

    Args:
        directory: name of the run directory in the sweep.
        identity: SHA-256 of everything that the outcome depends on.
        model: name of the model's configuration.
        settings: the arm's settings by dotted key, as ``result.json`` has them.
        data: name of the data set.
        labels_per_class: budget; None: all labels.
        seed: of all random streams.
        fold: number of the test fold, from 0.
        folds: number of folds; None: one split.
    """

    directory: str
    identity: str
    model: str
    settings: dict[str, Any]
    data: str
    labels_per_class: int | None
    seed: int
    fold: int = 0
    folds: int | None = None


@dataclass(frozen=True)
class Look:
    """A point at which the verdict of a sweep is computed, and arms may drop out.

    Args:
        seeds: number of seeds whose runs it judges: the first ones of the sweep.
        share: of the sweep's level.
    """

    seeds: int
    share: float


@dataclass(frozen=True)
class SweepCommand:
    """A command that asked for runs of a sweep.

    Args:
        command: the command line as typed, quoted for a shell.
        started: when it was given, ISO 8601 in UTC.
        runs: the runs that it asks for, trained or not.
        comparison: the comparison that it declares: ``contrast``, ``metric``, ``margin``, ``level``.
        threads: torch threads of a run.
        workers: runs that train at the same time.
        looks: when the verdict is computed; empty: once, when all runs are there.
        rotates: whether seeds rotate through folds: a run of seed s tests fold s mod ``folds`` alone, and the images of
            all seeds are those of its data set. Runs without folds are of a data set whose seeds do not rotate.

    Example:
        >>> run = PlannedRun("frozen-digits-5-seed0-1a2b3c4d", "1a2b3c4d", "frozen", {}, "digits", 5, seed=0)
        >>> command = SweepCommand("headstart-train -m seed=0", "2026-11-30T10:00:00+00:00", (run,), {})
        >>> command.seeds, command.budgets
        ((0,), (5,))
    """

    command: str
    started: str
    runs: tuple[PlannedRun, ...]
    comparison: dict[str, Any]
    threads: int = 1
    workers: int = 1
    looks: tuple[Look, ...] = ()
    rotates: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(run.seed for run in self.runs))

    @property
    def budgets(self) -> tuple[int | None, ...]:
        return tuple(dict.fromkeys(run.labels_per_class for run in self.runs))

    @property
    def arms(self) -> tuple[str, ...]:
        """The :attr:`PlannedRun.arm_key` of each arm."""
        return tuple(dict.fromkeys(run.arm_key for run in self.runs))


def read_sweep_commands(directory: Path) -> list[SweepCommand]:
    """Reads the commands that asked for runs of a sweep, the earliest first; empty without a ``sweep.json``.

    Raises:
        HeadstartError: the file cannot be read.
    """
    path = directory / SWEEP_FILE
    try:
        return [
            SweepCommand(
                **values
                | {
                    "runs": tuple(PlannedRun(**run) for run in values["runs"]),
                    "looks": tuple(Look(**look) for look in values.get("looks", ())),
                }
            )
            for values in json.loads(path.read_text(encoding="utf-8"))
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise HeadstartError(
            f"{path}: no list of commands ({type(error).__name__}); move the file away, then missing runs are unknown"
        ) from error


def find_planned_run(directory: Path, name: str) -> tuple[SweepCommand, int] | None:
    """Finds the last command of a sweep that asks for a run.

    Args:
        directory: of the sweep.
        name: of the run directory.

    Returns:
        The command, and the index of the run in it; None where no command asks for the run.

    Raises:
        HeadstartError: ``sweep.json`` cannot be read.
    """
    for command in reversed(read_sweep_commands(directory)):
        for index, run in enumerate(command.runs):
            if run.directory == name:
                return command, index
    return None


def append_sweep_command(directory: Path, command: SweepCommand) -> None:
    """Adds a command to ``sweep.json``, unless the last one asks for the same runs in the same way.

    Args:
        directory: of the sweep; made where it does not exist.
        command: what was asked for.

    Raises:
        HeadstartError: the file cannot be read.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(directory / SWEEP_LOCK_FILE):
        commands = read_sweep_commands(directory)
        if not commands or not _asks_the_same(command, commands[-1]):
            write_json(directory / SWEEP_FILE, [asdict(entry) for entry in [*commands, command]])


def _asks_the_same(command: SweepCommand, earlier: SweepCommand) -> bool:
    """Whether both commands ask for the same runs, in the same way, and declare the same comparison."""
    if any(getattr(command, name) != getattr(earlier, name) for name in ("threads", "workers", "looks", "rotates")):
        return False
    runs, earlier_runs = ({(run.directory, run.identity) for run in entry.runs} for entry in (command, earlier))
    return runs == earlier_runs and _to_json(command.comparison) == _to_json(earlier.comparison)


def _to_json(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)
