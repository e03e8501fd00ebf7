"""How the loss and the validation accuracy went, epoch by epoch, from each run's metrics.csv."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from headstart.runs import run_directory

CURVE_COLUMNS = {"train_loss": "train/loss", "val_accuracy": "val/accuracy"}
# Of the loss's whole fall: what a last tenth that still did half of an even share adds. The loss itself would be no
# measure: near zero, where it hardly matters, it falls by a third.
FALLING_LOSS_THRESHOLD = 0.05
MAX_CURVE_POINTS = 100  # of a curve; more show nothing on a page


def load_learning_curve(directories: Sequence[Path]) -> dict[str, Any] | None:
    """The mean over an arm's runs at one budget; None where no run kept any.

    Returns:
        ``epoch`` (from 1), ``train_loss`` and, where there is validation, ``val_accuracy``; and ``last_fall``, the
        share of the loss's whole fall, first tenth of the epochs to last, that lies between the last tenth and the one
        before; None where there are too few epochs, or it did not fall.
    """
    frames = [frame for directory in directories if (frame := _read_metrics(directory)) is not None and len(frame)]
    if not frames:
        return None
    mean = pd.concat(frames).groupby("epoch").mean()
    last_fall = _relative_last_fall(
        mean[CURVE_COLUMNS["train_loss"]].tolist() if CURVE_COLUMNS["train_loss"] in mean else []
    )
    mean = mean.iloc[:: -(-len(mean) // MAX_CURVE_POINTS)]
    curves = {
        name: mean[column].tolist() for name, column in CURVE_COLUMNS.items() if column in mean and mean[column].any()
    }
    return {"epoch": [int(epoch) + 1 for epoch in mean.index], **curves, "last_fall": last_fall}


def describe_falling_losses(data: str, curves: Sequence[dict[str, Any]]) -> list[str]:
    """What a reader must know of arms whose training ended before their loss had levelled out.

    Args:
        data: the data set's name.
        curves: as :func:`learning` gives them, with ``arm`` and ``labels_per_class``.
    """
    budgets: dict[str, list[str]] = {}
    for curve in curves:
        if (curve["last_fall"] or 0) > FALLING_LOSS_THRESHOLD:
            labels = curve["labels_per_class"]
            budgets.setdefault(curve["arm"], []).append("all" if labels is None else str(labels))
    return [
        f"{data}: the training loss of {arm} was still falling at the last epoch ({', '.join(its)} labels per class); "
        "more epochs may make it better."
        for arm, its in budgets.items()
    ]


def _relative_last_fall(losses: Sequence[float]) -> float | None:
    tenth = max(len(losses) // 10, 1)
    if len(losses) < 3 * tenth:
        return None
    first, before, last = (fmean(part) for part in (losses[:tenth], losses[-2 * tenth : -tenth], losses[-tenth:]))
    return (before - last) / (first - last) if first > last else None


def _read_metrics(directory: Path) -> pd.DataFrame | None:
    try:
        frame = pd.read_csv(directory / run_directory.METRICS_FILE)
        return frame[["epoch", *(c for c in CURVE_COLUMNS.values() if c in frame)]].astype(float)
    except (OSError, ValueError, KeyError):  # lost, or not what a run writes: the curve is left out
        return None
