"""Names and reads the files of a run directory and of a sweep directory. Torch-free.

A run is complete when ``result.json`` is there with the status ``finished``: it is written last and as a whole, so that
a partly written file is never taken for a result.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIG_FILE = "config.yaml"
SPLIT_FILE = "split.json"
METRICS_FILE = "metrics.csv"
PREDICTIONS_FILE = "predictions.parquet"
THUMBNAILS_FILE = "thumbnails.parquet"
TRIALS_FILE = "trials.json"
TRIAL_FOLDER = "trial"  # the folder in which the next trial is trained
RESULT_FILE = "result.json"
REFIT_FILE = "refit.json"  # marks a model that `headstart refit` trained: it is no run, and has no result
IDENTITY_FILE = "identity"
LOCK_FILE = ".lock"
CHECKPOINT_FOLDER = "checkpoints"
BEST_CHECKPOINT = "best.ckpt"
LAST_CHECKPOINT = "last.ckpt"
WRITTEN_NAMES = (
    *(CONFIG_FILE, SPLIT_FILE, METRICS_FILE, PREDICTIONS_FILE, THUMBNAILS_FILE),
    *(TRIALS_FILE, RESULT_FILE, REFIT_FILE, CHECKPOINT_FOLDER),
)
# Of a sweep directory:
SWEEP_FILE = "sweep.json"  # the commands that asked for its runs
SWEEP_LOCK_FILE = ".sweep.lock"
AUDIT_FILE = "audit.json"  # the findings in its images


def best_checkpoint_path(directory: Path) -> Path:
    return directory / CHECKPOINT_FOLDER / BEST_CHECKPOINT


def last_checkpoint_path(directory: Path) -> Path:
    return directory / CHECKPOINT_FOLDER / LAST_CHECKPOINT


def read_split_rows(directory: Path) -> list[dict[str, str]]:
    """Reads ``split.json``: image, class, part and SHA-256 of each image; empty where the file cannot be read."""
    try:
        rows = json.loads((directory / SPLIT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [row for row in rows if isinstance(row, dict) and {"image", "class", "part"} <= row.keys()]


def read_training_hashes(directory: Path) -> set[str]:
    """Reads the SHA-256 of each training image of the run."""
    rows = json.loads((directory / SPLIT_FILE).read_text(encoding="utf-8"))
    return {row["sha256"] for row in rows if row["part"] == "train"}


def read_config(directory: Path) -> dict[str, Any]:
    """Reads ``config.yaml``; empty where the file cannot be read."""
    import yaml

    try:
        config = yaml.safe_load((directory / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return config if isinstance(config, dict) else {}


def read_audits(directory: Path) -> list[dict[str, Any]]:
    """Reads the audit of each data set of a sweep; empty where the file cannot be read."""
    try:
        audits = json.loads((directory / AUDIT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [audit for audit in audits if isinstance(audit, dict)] if isinstance(audits, list) else []


def find_incomplete_runs(directory: Path) -> Iterator[Path]:
    """Finds each run directory below ``directory`` (itself included) without a result; a refit is no run."""
    folders = (path.parent for path in directory.rglob(IDENTITY_FILE))
    return (folder for folder in folders if not ((folder / RESULT_FILE).exists() or (folder / REFIT_FILE).exists()))
