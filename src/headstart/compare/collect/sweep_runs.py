"""Loads the runs of one or more sweeps and sorts them by how they count."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from headstart.compare.arm_names import arm_names
from headstart.compare.collect.provenance import load_class_names
from headstart.compare.collect.superseded_runs import find_superseded_directories
from headstart.errors import HeadstartError, join_with_limit
from headstart.file_names import encode_name
from headstart.runs.refit_card import read_refit_card
from headstart.runs.result import RunResult, read_result
from headstart.runs.run_directory import RESULT_FILE, SWEEP_FILE, find_incomplete_runs
from headstart.runs.sweep_file import SweepCommand, read_sweep_commands


@dataclass(frozen=True)
class LoadedRun:
    """A run with a result.

    Args:
        directory: the run directory.
        result: content of its ``result.json``.
        data_set: name of the data set, unique among data sets with other classes or folds.
        arm: name of the arm, unique in its data set.
    """

    directory: Path
    result: RunResult
    data_set: str
    arm: str

    @property
    def name(self) -> str:
        """The name of the run directory as text."""
        return encode_name(self.directory.name)


@dataclass
class SweepRuns:
    """The runs below some directories.

    Args:
        directories: sweeps or single runs.
        finished: finished runs that count, each identity once.
        failed: failed runs that count.
        superseded: runs that a later command replaces; see ``find_superseded_directories``.
        debug: runs with debug settings, which count in no verdict.
        duplicates: finished runs with the identity of another one.
        unreadable: directories whose result is not whole.
        incomplete: directories of runs without a result.
        commands: commands of each sweep directory, the earliest first; a sweep without ``sweep.json`` has none.
    """

    directories: tuple[Path, ...]
    finished: list[LoadedRun] = field(default_factory=list)
    failed: list[LoadedRun] = field(default_factory=list)
    superseded: list[LoadedRun] = field(default_factory=list)
    debug: list[LoadedRun] = field(default_factory=list)
    duplicates: list[LoadedRun] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    incomplete: list[Path] = field(default_factory=list)
    commands: dict[Path, list[SweepCommand]] = field(default_factory=dict)


def collect_runs(*directories: str | Path) -> SweepRuns:
    """Loads every run below the directories.

    Args:
        directories: sweeps or single runs.

    Raises:
        HeadstartError: a directory does not exist, holds no result, is a refit, or its ``sweep.json`` cannot be read.

    Example:
        >>> runs = collect_runs("runs/compare-digits-1a2b3c4d")  # doctest: +SKIP
        >>> [(run.arm, run.result.seed) for run in runs.finished]  # doctest: +SKIP
    """
    runs = SweepRuns(tuple(dict.fromkeys(map(Path, directories))))
    results: list[tuple[Path, RunResult]] = []
    for directory in runs.directories:
        if not directory.is_dir():
            raise HeadstartError(f"{directory}: there is no such folder; give a sweep's folder, such as those in runs/")
        if read_refit_card(directory):
            raise HeadstartError(
                f"{directory}: a model of headstart refit, trained on all images, so that no test measured it; "
                "give its sweep"
            )
        for path in sorted(directory.rglob(RESULT_FILE)):
            result = read_result(path.parent)
            if result is None:
                runs.unreadable.append(path.parent)
            else:
                results.append((path.parent, result))
        runs.incomplete += sorted(find_incomplete_runs(directory))
        for path in sorted(directory.rglob(SWEEP_FILE)):
            runs.commands[path.parent] = read_sweep_commands(path.parent)
    superseded = find_superseded_directories(runs.commands, [directory for directory, _ in results])
    identities: set[str] = set()
    for run in _name_runs(results):
        if run.result.debug:
            runs.debug.append(run)
        elif run.directory in superseded:
            runs.superseded.append(run)
        elif run.result.is_failed:
            runs.failed.append(run)
        elif run.result.identity and run.result.identity in identities:
            runs.duplicates.append(run)
        else:
            identities.add(run.result.identity)
            runs.finished.append(run)
    if not (results or runs.unreadable):
        raise HeadstartError(
            f"{', '.join(map(str, directories))}: holds no run that came to an end; give a sweep, such as one in runs/"
        )
    return runs


def _name_runs(results: Sequence[tuple[Path, RunResult]]) -> list[LoadedRun]:
    """Names the data set and the arm of each run."""
    data_sets = _name_data_sets([entry for entry in results if not entry[1].debug])
    named = [replace(result, data=data_sets.get(directory, result.data)) for directory, result in results]
    arms = iter(arm_names([result for result in named if not result.debug]))
    return [
        LoadedRun(directory, result, with_name.data, result.model if result.debug else next(arms))
        for (directory, result), with_name in zip(results, named, strict=True)
    ]


def _name_data_sets(results: Sequence[tuple[Path, RunResult]]) -> dict[Path, str]:
    """Names the data set of each run directory.

    Data sets of one name that were tested in one split and in folds, or that have other classes, get different names:
    only runs with the same test images and labels compare.
    """
    folds: dict[str, set[int]] = defaultdict(set)
    classes: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for _, result in results:
        folds[result.data].add(result.num_folds)
        if result.classes:
            classes[result.data].add(tuple(result.classes))
    names = {}
    for directory, result in results:
        name = result.data
        if len(folds[name]) > 1:
            name += f", {result.num_folds} folds" if result.num_folds > 1 else ", one split"
        if len(classes[result.data]) > 1:
            name += f", classes {join_with_limit(_resolve_classes(directory, result, classes[result.data]))}"
        names[directory] = name
    return names


def _resolve_classes(directory: Path, result: RunResult, lists: set[tuple[str, ...]]) -> tuple[str, ...]:
    """Returns the classes of a run; those of a failed run, which its split names, in the order of a finished one."""
    classes = tuple(load_class_names(directory, result))
    return classes if classes in lists else next((known for known in lists if set(known) == set(classes)), classes)
