"""The table that a sweep with looks prints as it goes on: each arm's accuracy so far, and what it does. Torch-free."""

import math
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headstart.reporting.console import print_table
from headstart.reporting.formats import format_duration
from headstart.runs.result import iter_results
from headstart.training.context import estimate_seconds_left

if TYPE_CHECKING:
    from headstart.compare.inference.analysis import BudgetProgress
    from headstart.sweep.plan import SweepPlan


def print_progress(plan: "SweepPlan") -> None:
    """Prints the arms of a sweep with their accuracy so far and the time to the end, to stderr.

    Prints nothing before a run has ended.
    """
    if not any(iter_results(plan.directory)):
        return
    from headstart.compare.collect.sweep_runs import collect_runs
    from headstart.compare.inference.analysis import find_progress
    from headstart.compare.summary_table import summarize_arms

    runs = collect_runs(plan.directory)
    progress = find_progress(plan.directory)
    table = summarize_arms(runs.finished)
    rows = [
        [
            row["arm"],
            str(_read_budget(row) or "all"),
            f"{100 * row['accuracy']:.1f} %",
            str(row["n"]),
            f"{row['seconds']:.1f} s",
            describe_arm(progress, row["data"], _read_budget(row), row["arm"]),
        ]
        for row in table.to_dict("records")
    ]
    headers = ["arm", "labels", "accuracy", "runs", "a run", "now"]
    print("", file=sys.stderr)
    print_table(headers, rows, right_aligned=["labels", "accuracy", "runs", "a run"], file=sys.stderr)
    looks = [budget.state.next_look for budget in progress if budget.state.next_look]
    if looks:
        left = estimate_seconds_left(plan.directory, plan.command, -1)
        if left is not None and plan.stop_at is not None:
            left = min(left, max(plan.stop_at - time.time(), 0.0))
        duration = f"; at most {format_duration(left)} left" if left else ""
        print(f"next look at {min(look.seeds for look in looks)} seeds{duration}", file=sys.stderr)


def describe_arm(progress: "list[BudgetProgress]", data: str, labels_per_class: int | None, arm: str) -> str:
    """What an arm is doing."""
    for budget in progress:
        if (budget.table.data, budget.table.labels_per_class) == (data, labels_per_class):
            return budget.stopped_arms.get(arm, "trains on" if budget.state.next_look else "done")
    return "trains on"


def _read_budget(row: Mapping[Any, Any]) -> int | None:
    """The budget of a row of the table; None: all labels."""
    return None if math.isnan(row["labels_per_class"]) else int(row["labels_per_class"])
