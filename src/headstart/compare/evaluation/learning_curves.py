"""Averages the training loss and the validation accuracy over the runs of an arm, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from headstart.runs.run_directory import METRICS_FILE

CURVE_COLUMNS = {"train_loss": "train/loss", "val_accuracy": "val/accuracy"}
# Share of the loss's whole fall: a last tenth with half of an even share. The loss itself is no measure: near zero,
# where it hardly matters, it falls by a third.
FALLING_LOSS_THRESHOLD = 0.05
MAX_CURVE_POINTS = 100  # a page shows no more


def load_learning_curve(directories: Sequence[Path]) -> dict[str, Any] | None:
    """Loads the mean curve of an arm at one budget; None where no run has one.

    Args:
        directories: of the arm's runs.

    Returns:
        ``epoch`` (from 1), ``train_loss`` and, with validation images, ``val_accuracy``; and ``last_fall``: the fall of
        the loss from the last but one tenth of the epochs to the last, as a share of the fall from the first tenth to
        the last; None with too few epochs, or where the loss did not fall.
    """
    frames = [frame for directory in directories if (frame := _read_metrics(directory)) is not None and len(frame)]
    if not frames:
        return None
    mean = pd.concat(frames).groupby("epoch").mean()
    loss = CURVE_COLUMNS["train_loss"]
    last_fall = _relative_last_fall(mean[loss].tolist() if loss in mean else [])
    mean = mean.iloc[:: -(-len(mean) // MAX_CURVE_POINTS)]
    curves = {
        name: mean[column].tolist() for name, column in CURVE_COLUMNS.items() if column in mean and mean[column].any()
    }
    return {"epoch": [int(epoch) + 1 for epoch in mean.index], **curves, "last_fall": last_fall}


def describe_falling_losses(data: str, curves: Sequence[dict[str, Any]]) -> list[str]:
    """Describes the arms whose training ended before their loss leveled out.

    Args:
        data: name of the data set.
        curves: of :func:`load_learning_curve`, with ``arm`` and ``labels_per_class``.
    """
    budgets: dict[str, list[str]] = {}
    for curve in curves:
        if (curve["last_fall"] or 0) > FALLING_LOSS_THRESHOLD:
            labels = curve["labels_per_class"]
            budgets.setdefault(curve["arm"], []).append("all" if labels is None else str(labels))
    return [
        f"{data}: the training loss of {arm} was still falling at the last epoch ({', '.join(arm_budgets)} labels per "
        "class); more epochs may make it better."
        for arm, arm_budgets in budgets.items()
    ]


def _relative_last_fall(losses: Sequence[float]) -> float | None:
    tenth = max(len(losses) // 10, 1)
    if len(losses) < 3 * tenth:
        return None
    first, before, last = (fmean(part) for part in (losses[:tenth], losses[-2 * tenth : -tenth], losses[-tenth:]))
    return (before - last) / (first - last) if first > last else None


def _read_metrics(directory: Path) -> pd.DataFrame | None:
    try:
        frame = pd.read_csv(directory / METRICS_FILE)
        return frame[["epoch", *(column for column in CURVE_COLUMNS.values() if column in frame)]].astype(float)
    except (OSError, ValueError, KeyError):  # lost, or not what a run writes: the curve is left out
        return None
