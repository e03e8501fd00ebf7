"""The runs of a sweep that can be held against each other, and those of them that make a transferability curve."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.understand.transfer.transfer_curve import TransferCurve

CURVE_SETTINGS = ("model.num_stages", "model.mode")  # what a curve's runs differ in

RunRow = dict[str, Any]


@dataclass(frozen=True)
class TransferSweep:
    """A transferability curve and what it was measured on.

    Args:
        curve: of the smallest budget that the sweep has: there transfer matters most.
        data: the name of its images.
        labels_per_class: that budget; None: all.
        runs: how many.
        seeds: how many.
    """

    curve: TransferCurve
    data: str
    labels_per_class: int | None
    num_runs: int
    num_seeds: int


def select_comparable_runs(rows: Sequence[RunRow], is_own: Callable[[RunRow], bool]) -> list[RunRow]:
    """The runs of one data set and, of each model, of one choice of settings: of those that most runs have.

    Args:
        rows: a dict a run with the keys of its ``result.json``.
        own: whether a run is of the images that one asks about; only where none is, others are taken.
    """
    rows = _select_most_common(
        [row for row in rows if is_own(row)] or rows, lambda row: json.dumps([row["data"], row.get("classes")])
    )
    models = dict.fromkeys(row["model"] for row in rows)
    return [
        row
        for model in models
        for row in _select_most_common([row for row in rows if row["model"] == model], _settings_key)
    ]


def is_curve_run(row: RunRow) -> bool:
    """Whether a run is a point of a transferability curve."""
    return "model.num_stages" in row["settings"]


def build_transfer_sweep(rows: Sequence[RunRow]) -> TransferSweep | None:
    """The transferability curve among runs that are :func:`comparable`; None where there is none."""
    rows = [row for row in rows if is_curve_run(row)]
    if not rows:
        return None
    budget = min((row.get("labels_per_class") for row in rows), key=lambda labels: labels or float("inf"))
    rows = [row for row in rows if row.get("labels_per_class") == budget]
    seeds = len({row["seed"] for row in rows})
    return TransferSweep(
        TransferCurve([_build_curve_row(row) for row in rows]), rows[0]["data"], budget, len(rows), seeds
    )


def _build_curve_row(row: RunRow) -> RunRow:
    settings = row["settings"]
    return {
        "num_stages": settings["model.num_stages"],
        "mode": settings["model.mode"],
        "seed": row["seed"],
        "accuracy": row["metrics"]["test/accuracy"],
    }


def _select_most_common(rows: Sequence[RunRow], kind: Callable[[RunRow], str]) -> list[RunRow]:
    kinds = Counter(map(kind, rows)).most_common(1)
    return [row for row in rows if kind(row) == kinds[0][0]]


def _settings_key(row: RunRow) -> str:
    return json.dumps({k: v for k, v in row["settings"].items() if k not in CURVE_SETTINGS}, sort_keys=True)
