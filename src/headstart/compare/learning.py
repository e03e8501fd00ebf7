"""How the loss and the validation accuracy went, epoch by epoch, from each run's metrics.csv."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from headstart import runs

SHOWN = {"train_loss": "train/loss", "val_accuracy": "val/accuracy"}
MOST_POINTS = 100  # of a curve; more show nothing on a page


def learning(directories: Sequence[Path]) -> dict[str, list[float]] | None:
    """The mean over an arm's runs at one budget; None where no run kept any.

    Returns:
        ``epoch`` (from 1), ``train_loss`` and, where there is validation, ``val_accuracy``.
    """
    frames = [frame for directory in directories if (frame := _read(directory)) is not None]
    if not frames:
        return None
    mean = pd.concat(frames).groupby("epoch").mean()
    mean = mean.iloc[:: -(-len(mean) // MOST_POINTS)]
    curves = {name: mean[column].tolist() for name, column in SHOWN.items() if column in mean and mean[column].any()}
    return {"epoch": [int(epoch) + 1 for epoch in mean.index], **curves}


def _read(directory: Path) -> pd.DataFrame | None:
    try:
        frame = pd.read_csv(directory / runs.METRICS)
        return frame[["epoch", *(c for c in SHOWN.values() if c in frame)]].astype(float)
    except (OSError, ValueError, KeyError):  # lost, or not what a run writes: the curve is left out
        return None
