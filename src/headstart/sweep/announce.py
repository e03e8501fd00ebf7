"""Prints what a sweep will do before it trains: runs, time, disk and the differences that it can detect. Torch-free."""

import shutil
import sys
from typing import TYPE_CHECKING

from headstart.reporting.console import escape_control_characters
from headstart.reporting.formats import format_duration, pluralize
from headstart.sweep.plan import SweepPlan, TestSize

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource

AXIS_NAMES = {"data": "data set", "data.labels_per_class": "budget", "data.fold": "fold"}  # other keys are words
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
        for line in dict.fromkeys(
            prefix + format_power(size, plan) for prefix, size in zip(prefixes, sizes, strict=True)
        ):
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
    parents = (plan.directory.absolute(), *plan.directory.absolute().parents)
    free = shutil.disk_usage(next(path for path in parents if path.is_dir())).free
    return (
        f"{plan.num_runs} run{'s' if plan.num_runs > 1 else ''}{f' ({axes})' if axes else ''}, "
        f"{len(plan.finished)} done{f', about {format_duration(seconds)}' if plan.num_pending else ''}; "
        f"up to {plan.num_pending * DISK_BYTES_PER_RUN / 1e6:,.0f} MB of disk ({free / 1e9:,.0f} GB free): "
        f"{plan.directory}"
    )


def format_power(size: TestSize, plan: SweepPlan) -> str:
    """The smallest difference between two arms that the sweep detects on one data set, in one line."""
    from headstart.compare.inference.power import POWER, minimum_detectable_difference

    seeds = len(plan.command.seeds)
    level = plan.command.comparison["level"]
    # Where the seeds rotate, the images of a single seed are a cautious number: other seeds test other images.
    difference = minimum_detectable_difference(
        size.images_per_seed, seeds, len(plan.command.budgets), size.folds, level
    )
    points = round(100 * difference)
    images = f"{size.num_images} test images and {seeds} seed{'s' if seeds > 1 else ''}"
    if size.rotates:
        images = f"{size.num_images} test images, {size.images_per_seed} of them a seed, and {seeds} seeds"
    helps = "more seeds" + (", data.folds=5" if size.folds == 1 and not size.is_given else "") + " or more test images"
    if points >= 100:
        return (
            f"{images} promise to find no difference between two arms, however large (docs/protocol.md); give {helps}"
        )
    finding = f"find a difference of {points} points between two arms in {POWER:.0%} of cases (docs/protocol.md)"
    return f"{images} {finding}; {helps} find smaller ones"


def _format_count(count: int, key: str) -> str:
    """``"3 seeds"``, ``"2 of model.head_lr"``."""
    word = AXIS_NAMES.get(key, key)
    if "." in word:
        return f"{count} of {key}"
    return f"{count} {word}" if word.endswith("s") else pluralize(count, word)


def _print_line(text: str) -> None:
    print(text, file=sys.stderr)
