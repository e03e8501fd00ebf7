"""Selects the comparable runs of a sweep, and builds the transfer curve from them."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headstart.understand.run_row import RunRow
from headstart.understand.transfer.transfer_curve import CurveRow, TransferCurve

NUM_STAGES_SETTING, MODE_SETTING = "model.num_stages", "model.mode"  # that the runs of a curve differ in


@dataclass(frozen=True)
class TransferSweep:
    """A transfer curve and its data.

    Args:
        curve: of the sweep's smallest budget, where transfer matters most.
        data: name of its images.
        labels_per_class: that budget; None: all labels.
        num_runs: in the curve.
        num_seeds: in the curve.

    Example:
        >>> build_transfer_sweep(rows).curve.depths("frozen")
        [0, 1, 2]
    """

    curve: TransferCurve
    data: str
    labels_per_class: int | None
    num_runs: int
    num_seeds: int


def select_comparable_runs(rows: Sequence[RunRow], has_same_images: Callable[[RunRow], bool]) -> list[RunRow]:
    """The runs of one data set and, for each model, of one choice of settings: the most common ones.

    Args:
        rows: of all finished runs.
        has_same_images: whether a run has the images in question. If no run has, any data set may be selected.
    """
    candidates = [row for row in rows if has_same_images(row)] or rows
    rows = _select_most_common(candidates, lambda row: json.dumps([row.data, row.classes]))
    models = dict.fromkeys(row.model for row in rows)
    return [
        row for model in models for row in _select_most_common([r for r in rows if r.model == model], _format_settings)
    ]


def is_curve_run(row: RunRow) -> bool:
    """Whether a run belongs to a transfer curve."""
    return NUM_STAGES_SETTING in row.settings


def build_transfer_sweep(rows: Sequence[RunRow]) -> TransferSweep | None:
    """The transfer curve of comparable runs (:func:`select_comparable_runs`); None without runs of a curve."""
    rows = [row for row in rows if is_curve_run(row)]
    if not rows:
        return None
    budget = min((row.labels_per_class for row in rows), key=lambda labels: labels or float("inf"))
    rows = [row for row in rows if row.labels_per_class == budget]
    curve = TransferCurve(
        [CurveRow(row.settings[NUM_STAGES_SETTING], row.settings[MODE_SETTING], row.seed, row.accuracy) for row in rows]
    )
    return TransferSweep(curve, rows[0].data, budget, len(rows), len({row.seed for row in rows}))


def _select_most_common(rows: Sequence[RunRow], key: Callable[[RunRow], str]) -> list[RunRow]:
    counts = Counter(map(key, rows)).most_common(1)
    return [row for row in rows if key(row) == counts[0][0]]


def _format_settings(row: RunRow) -> str:
    settings = {k: v for k, v in row.settings.items() if k not in (NUM_STAGES_SETTING, MODE_SETTING)}
    return json.dumps(settings, sort_keys=True)
