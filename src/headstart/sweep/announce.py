"""Prints what a sweep will do before it trains: runs, time, disk, and a warning where it detects little. Torch-free."""

import shutil
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.compare.declaration import LARGE_DIFFERENCE, SUGGESTED_FOLDS
from headstart.config.fold_choice import NUM_FOLDS
from headstart.reporting.commands import replace_words, wrap_command
from headstart.reporting.console import escape_control_characters
from headstart.reporting.formats import format_duration, pluralize
from headstart.sweep.plan import SweepPlan, TestSize

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource

AXIS_NAMES = {"data": "data set", "data.labels_per_class": "budget", "data.fold": "fold"}  # other keys are words
WORTHWHILE_SHARE = 0.7  # of the detected difference, at which another command is worth its time
SEED_COUNTS = (3, 5, 8, 12, 20)
LINE_WIDTH = 80
DISK_BYTES_PER_RUN = 20_000_000  # a checkpoint of the embedded backbone, predictions and the rest


def print_plan(plan: SweepPlan) -> None:
    """Prints the plan to stderr."""
    for reason in plan.auto_reasons:
        print_auto_reason(reason)
    if plan.left_out_budgets:
        budgets = ", ".join(map(str, plan.left_out_budgets))
        _print_line(f"not tuned, since nothing validates: {budgets} labels per class")
    if plan.has_other_comparison:
        _print_line(
            "compare: runs of this sweep declared another comparison before they trained, and are judged by that; "
            "to ask anew, train anew in a folder of its own (hydra.sweep.dir=PATH)"
        )
    _print_line(format_plan(plan))
    if plan.num_pending and len(plan.command.arms) > 1:
        sizes = plan.test_sizes
        prefixes = [f"{size.data}: " if len({other.data for other in sizes}) > 1 else "" for size in sizes]
        warnings = [(prefix, format_power(size, plan)) for prefix, size in zip(prefixes, sizes, strict=True)]
        for line in dict.fromkeys(f"{prefix}{warning}" for prefix, warning in warnings if warning):
            _print_line(line)


def print_auto_reason(reason: str) -> None:
    """Prints what ``auto`` stands for and why; nothing where no image was measured."""
    if reason:
        _print_line(escape_control_characters(reason))


def print_remarks(source: "ImageSource") -> None:
    """Prints which files of an image folder are left out, and how its layout is read."""
    for remark in source.remarks:
        _print_line(escape_control_characters(remark))


def format_plan(plan: SweepPlan) -> str:
    """Number of runs, time and disk space in one line."""
    axes = " × ".join(_format_count(count, key) for key, count in plan.axes.items())
    seconds = plan.num_pending * plan.seconds_per_run / max(min(plan.command.workers, plan.num_pending), 1)
    if plan.minutes:
        seconds = min(seconds, 60 * plan.minutes)
    has_looks = bool(plan.command.looks)
    duration = f", {'at most' if has_looks else 'about'} {format_duration(seconds)}"
    looks = f", looks at {', '.join(str(look.seeds) for look in plan.command.looks)} seeds" if has_looks else ""
    parents = (plan.directory.absolute(), *plan.directory.absolute().parents)
    free = shutil.disk_usage(next(path for path in parents if path.is_dir())).free
    return (
        f"{'at most ' if has_looks else ''}{pluralize(plan.num_runs, 'run')}{f' ({axes})' if axes else ''}{looks}, "
        f"{len(plan.finished)} done{duration if plan.num_pending else ''}; "
        f"up to {plan.num_pending * DISK_BYTES_PER_RUN / 1e6:,.0f} MB of disk ({free / 1e9:,.0f} GB free): "
        f"{plan.directory}"
    )


@dataclass(frozen=True)
class _Alternative:
    """A command that detects smaller differences: its seeds, folds, runs, and the difference that it detects, of 1."""

    seeds: int
    folds: int
    runs: int
    difference: float


def format_power(size: TestSize, plan: SweepPlan) -> str | None:
    """A warning where the sweep detects large differences alone on a data set, and the command that detects smaller
    ones; None where it detects smaller ones itself."""
    from headstart.compare.inference.power import minimum_detectable_difference

    def detect(images: int, seeds: int, folds: int) -> float:
        level = plan.command.comparison["level"] * (plan.command.looks[-1].share if plan.command.looks else 1)
        return minimum_detectable_difference(
            size.images_per_seed * NUM_FOLDS if size.rotates else images,
            seeds,
            len(plan.command.budgets),
            NUM_FOLDS if size.rotates else folds,
            level,
            arms=len(plan.command.arms),
            rotates=size.rotates,
        )

    seeds = len(plan.command.seeds)
    difference = detect(size.num_images, seeds, size.folds)
    if difference <= LARGE_DIFFERENCE:
        return None
    alternatives = [
        _Alternative(count, folds, plan.num_runs * count // seeds * folds // size.folds, detect(images, count, folds))
        for folds, images in _list_folds(size)
        for count in (seeds, *SEED_COUNTS)
        if count > seeds or (count == seeds and folds > size.folds)
    ]
    points = round(100 * difference)
    warning = "can detect no gap, however large" if points >= 100 else f"can only detect gaps above {points} points"
    if plan.command.looks or (better := _choose_alternative(alternatives, difference)) is None:
        return f"Warning: this {warning}"
    pending = plan.seconds_per_run * (better.runs - len(plan.finished)) / max(plan.command.workers, 1)
    command = wrap_command(_change_command(plan, better, size), LINE_WIDTH - 2)
    duration = f"about {format_duration(max(pending, 0.0))}"
    line = f"Warning: this {warning}; this command detects {round(100 * better.difference)} ({duration}):"
    return f"{textwrap.fill(line, LINE_WIDTH)}\n{textwrap.indent(command, '  ')}"


def _list_folds(size: TestSize) -> list[tuple[int, int]]:
    """The number of folds and of test images: as it is, and with folds where the data have one split."""
    given = [(size.folds, size.num_images)]
    if size.is_given or size.rotates or size.folds > 1:
        return given
    return [*given, (SUGGESTED_FOLDS, SUGGESTED_FOLDS * size.num_images)]


def _choose_alternative(alternatives: list[_Alternative], difference: float) -> _Alternative | None:
    """The one of the fewest runs that is enough, else the one that detects the smallest difference; None where that is
    hardly smaller."""
    if enough := [entry for entry in alternatives if entry.difference <= LARGE_DIFFERENCE]:
        return min(enough, key=lambda entry: (entry.runs, entry.difference))
    best = min(alternatives, key=lambda entry: entry.difference, default=None)
    return best if best and best.difference < WORTHWHILE_SHARE * difference else None


def _change_command(plan: SweepPlan, better: _Alternative, size: TestSize) -> str:
    seeds = list(plan.command.seeds)
    values = {"data.folds": str(better.folds)} if better.folds > size.folds else {}
    if better.seeds > len(seeds):
        seeds += range(max(seeds) + 1, max(seeds) + 1 + better.seeds - len(seeds))
        values["seed"] = ",".join(map(str, seeds))
    return escape_control_characters(replace_words(plan.command.command, values))


def _format_count(count: int, key: str) -> str:
    """``"3 seeds"``, ``"2 of model.head_lr"``."""
    word = AXIS_NAMES.get(key, key)
    if "." in word:
        return f"{count} of {key}"
    return f"{count} {word}" if word.endswith("s") else pluralize(count, word)


def _print_line(text: str) -> None:
    print(text, file=sys.stderr)
