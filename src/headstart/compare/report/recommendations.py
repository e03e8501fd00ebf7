"""Recommends the one step that would decide an open verdict."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.collect.sweep_runs import SweepRuns
from headstart.compare.declaration import SUGGESTED_FOLDS
from headstart.compare.inference.multiple_testing import ArmPair
from headstart.compare.inference.power import RequiredSample, required_sample_size
from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text
from headstart.reporting.commands import replace_words
from headstart.runs.run_directory import read_split_rows
from headstart.runs.sweep_file import SweepCommand

FIRST_SEEDS = 5  # where one seed does not show the spread between trainings
MAX_SEEDS = 20  # in all
MAX_GROWTH = 4  # nobody takes more than four times the images for a comparison
OVERLAP = 1 + SUGGESTED_FOLDS / (SUGGESTED_FOLDS - 1)  # by which folds widen the images' part (Nadeau & Bengio 2003)


@dataclass(frozen=True)
class NextStep:
    """What to do about an open verdict.

    Args:
        kind: ``missing``: train the missing runs; ``look``: go on to the next look; ``seeds``, ``folds`` or ``images``:
            more of them.
        text: in words.
        arms: between which it decides; (): all.
        command: that does it; None: a person takes images.
        seconds: estimated duration of the command (s), by the finished runs.
        minutes: the same in whole minutes, at least one.
        is_least: whether that is too short, since an arm has no finished run yet.
        images: number of additional test images.
        chance: of a decision, if the true difference is the observed one; None where it is not known.

    Example:
        >>> recommend_next_step(verdict, runs).command  # doctest: +SKIP
        'headstart-train seed=0,1,2,3,4,5,6,7 experiment=compare'
    """

    kind: str
    text: str
    arms: ArmPair | tuple[()] = ()
    command: str | None = None
    seconds: float | None = None
    minutes: int | None = None
    is_least: bool = False
    images: float | None = None
    chance: float | None = None


def recommend_next_step(verdict: Verdict, runs: SweepRuns) -> NextStep | None:
    """Recommends what decides an open verdict with the least training; None where nothing in reach does, or no pair of
    arms is open.

    Args:
        verdict: of one data set and budget.
        runs: of the sweep.
    """
    command = _find_command(verdict, runs)
    pairs = verdict.open_pairs
    if pairs and command and (missing := sum(state.missing for state in find_unfinished_sweeps(runs))):
        seconds = missing * _sum_seconds(command, runs) / len(command.runs)
        return _build_command_step("missing", (), command.command, seconds, command)
    if verdict.next_look:
        return _recommend_next_look(verdict, pairs, command, runs)
    for pair in pairs:
        sample = required_sample_size(replace(verdict, declared_pair=pair))
        if command and (steps := [*_list_commands(verdict, pair, sample, command, runs)]):
            return min(steps, key=lambda step: step.seconds or 0.0)
        if sample and (step := _recommend_images(verdict, pair, sample)):
            return step
    return None


def _recommend_next_look(
    verdict: Verdict, pairs: list[ArmPair], command: SweepCommand | None, runs: SweepRuns
) -> NextStep | None:
    """The command that goes on to the next look; its duration is that of the runs up to there."""
    look = verdict.next_look
    if look is None or command is None:
        return None
    stopped = {*verdict.dropped, *verdict.table.exclusions}
    halted = {run.result.arm_key for run in runs.finished if run.data_set == verdict.table.data and run.arm in stopped}
    ended = {run.directory.name for run in (*runs.finished, *runs.failed)}
    left = [
        run
        for run in command.runs
        if run.seed in command.seeds[: look.seeds]
        and run.labels_per_class == verdict.table.labels_per_class
        and run.arm_key not in halted
        and run.directory not in ended
    ]
    seconds = _sum_seconds(replace(command, runs=tuple(left)), runs)
    is_least = not {(run.arm_key, run.labels_per_class) for run in left} <= _measure_seconds(runs).keys()
    pair = pairs[0] if pairs else ()
    return _build_command_step("look", pair, command.command, seconds, command, is_least=is_least)


def is_out_of_reach(verdict: Verdict) -> bool:
    """Whether ``MAX_GROWTH`` times the test images decide no open pair of arms that could be decided."""
    samples = {pair: required_sample_size(replace(verdict, declared_pair=pair)) for pair in verdict.open_pairs}
    return bool(samples) and all(
        sample and not _recommend_images(verdict, pair, sample) for pair, sample in samples.items()
    )


def _find_command(verdict: Verdict, runs: SweepRuns) -> SweepCommand | None:
    """Finds the last command that asks for each compared arm at the budget; None where several sweeps are reported."""
    table = verdict.table
    budget_runs = [
        run
        for run in runs.finished
        if (run.data_set, run.result.labels_per_class) == (table.data, table.labels_per_class)
    ]
    compared = table.correct or table.models  # before the first look none is compared
    arms = {run.result.arm_key for run in budget_runs if run.arm in compared}
    commands = [command for sweep_commands in runs.commands.values() for command in sweep_commands]
    for command in sorted(commands, key=lambda command: command.started, reverse=True):
        planned = {run.arm_key for run in command.runs if run.labels_per_class == table.labels_per_class}
        if arms and arms <= planned and len(runs.commands) == 1:
            return command
    return None


def _list_commands(
    verdict: Verdict, pair: ArmPair, sample: RequiredSample | None, command: SweepCommand, runs: SweepRuns
) -> Iterator[NextStep]:
    """Lists the commands that are likely to decide: more seeds, and folds."""
    table = verdict.table
    total, chance = (0, None) if verdict.looks else _choose_total(table.seeds, sample)
    if (additional := total - len(table.seeds)) > 0:
        next_seed = max(command.seeds) + 1
        all_seeds = [*command.seeds, *range(next_seed, next_seed + additional)]
        typed = replace_words(command.command, {"seed": ",".join(map(str, all_seeds))})
        seconds = additional * _sum_seconds(command, runs, command.seeds[0])
        yield _build_command_step("seeds", pair, typed, seconds, command, chance)
    is_split = table.folds == 1 and not _has_test_part(runs, table.data)
    if sample and is_split and sample.images[0] <= (SUGGESTED_FOLDS / OVERLAP - 1) * table.num_images:
        typed = replace_words(command.command, {"data.folds": str(SUGGESTED_FOLDS)})
        seconds = SUGGESTED_FOLDS * _sum_seconds(command, runs)
        likely = sample.images[1] <= (SUGGESTED_FOLDS / OVERLAP - 1) * table.num_images
        yield _build_command_step("folds", pair, typed, seconds, command, sample.chances[likely])


def _choose_total(seeds: tuple[int, ...], sample: RequiredSample | None) -> tuple[int, float | None]:
    """Chooses the total number of seeds that decides with the higher chance in reach; 0 where none is.

    One seed shows no spread between trainings: then a few are the first step.
    """
    if sample is None:
        return FIRST_SEEDS if len(seeds) == 1 else 0, None
    for number, chance in zip(sample.seeds[::-1], sample.chances[::-1], strict=True):
        if len(seeds) + number <= MAX_SEEDS:
            return len(seeds) + int(number), chance
    return 0, None


def _recommend_images(verdict: Verdict, pair: ArmPair, sample: RequiredSample) -> NextStep | None:
    for number, chance in zip(sample.images[::-1], sample.chances[::-1], strict=True):
        if number <= (MAX_GROWTH - 1) * verdict.table.num_images:
            sentence = f"about {number:,.0f} more test images decide between {pair[0]} and {pair[1]}"
            return NextStep(
                "images", f"{sentence} in {100 * chance:.0f} % of cases", pair, images=number, chance=chance
            )
    return None


def _build_command_step(
    kind: str,
    pair: ArmPair | tuple[()],
    typed: str,
    seconds: float,
    command: SweepCommand,
    chance: float | None = None,
    is_least: bool = False,
) -> NextStep:
    seconds = seconds / max(command.workers, 1)
    minutes = max(1, round(seconds / 60))
    sentence = f"run `{typed}` ({text.describe_next_step(minutes, pair, is_least)})"
    return NextStep(kind, sentence, pair, typed, seconds, minutes, is_least, chance=chance)


def _sum_seconds(command: SweepCommand, runs: SweepRuns, seed: int | None = None) -> float:
    """Sums the seconds of the planned runs of a seed, or of all; each by the finished runs of its arm and budget, else
    by all finished ones."""
    measured = _measure_seconds(runs)
    overall = mean([seconds for values in measured.values() for seconds in values] or [0.0])
    return sum(
        mean(measured.get((run.arm_key, run.labels_per_class), [overall]))
        for run in command.runs
        if seed is None or run.seed == seed
    )


def _measure_seconds(runs: SweepRuns) -> dict[tuple[str, int | None], list[float]]:
    """The seconds of the finished runs, by key of the arm and budget."""
    measured: dict[tuple[str, int | None], list[float]] = {}
    for run in runs.finished:
        if (seconds := run.result.cost.get("seconds_in_all")) is not None:
            measured.setdefault((run.result.arm_key, run.result.labels_per_class), []).append(seconds)
    return measured


def _has_test_part(runs: SweepRuns, data: str) -> bool:
    """Whether the images bring a test part: no folder holds images of the test and others."""
    directory = next((run.directory for run in runs.finished if run.data_set == data), None)
    rows = read_split_rows(directory) if directory else []
    tested = {Path(row["image"]).parts[:1] for row in rows if row["part"] == "test"}
    return not tested & {Path(row["image"]).parts[:1] for row in rows if row["part"] != "test"}
