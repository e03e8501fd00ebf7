"""The runs of a sweep that can be held against each other, and those of them that make a transferability curve."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.understand.transfer.transfer_curve import Curve

VARIED = ("model.kept", "model.kept_as")  # what a curve's runs differ in

Row = dict[str, Any]


@dataclass(frozen=True)
class Swept:
    """A transferability curve and what it was measured on.

    Args:
        curve: of the smallest budget that the sweep has: there transfer matters most.
        data: the name of its images.
        labels_per_class: that budget; None: all.
        runs: how many.
        seeds: how many.
    """

    curve: Curve
    data: str
    labels_per_class: int | None
    runs: int
    seeds: int


def comparable(rows: Sequence[Row], own: Callable[[Row], bool]) -> list[Row]:
    """The runs of one data set and, of each model, of one choice of settings: of those that most runs have.

    Args:
        rows: a dict a run with the keys of its ``result.json``.
        own: whether a run is of the images that one asks about; only where none is, others are taken.
    """
    rows = _most([row for row in rows if own(row)] or rows, lambda row: json.dumps([row["data"], row.get("classes")]))
    models = dict.fromkeys(row["model"] for row in rows)
    return [row for model in models for row in _most([row for row in rows if row["model"] == model], _settings)]


def keeps(row: Row) -> bool:
    """Whether a run is a point of a transferability curve."""
    return "model.kept" in row["settings"]


def swept(rows: Sequence[Row]) -> Swept | None:
    """The transferability curve among runs that are :func:`comparable`; None where there is none."""
    rows = [row for row in rows if keeps(row)]
    if not rows:
        return None
    budget = min((row.get("labels_per_class") for row in rows), key=lambda labels: labels or float("inf"))
    rows = [row for row in rows if row.get("labels_per_class") == budget]
    seeds = len({row["seed"] for row in rows})
    return Swept(Curve([_point(row) for row in rows]), rows[0]["data"], budget, len(rows), seeds)


def _point(row: Row) -> Row:
    settings = row["settings"]
    return {
        "kept": settings["model.kept"],
        "kept_as": settings["model.kept_as"],
        "seed": row["seed"],
        "accuracy": row["metrics"]["test/accuracy"],
    }


def _most(rows: Sequence[Row], kind: Callable[[Row], str]) -> list[Row]:
    kinds = Counter(map(kind, rows)).most_common(1)
    return [row for row in rows if kind(row) == kinds[0][0]]


def _settings(row: Row) -> str:
    return json.dumps({k: v for k, v in row["settings"].items() if k not in VARIED}, sort_keys=True)
