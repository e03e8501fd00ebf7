"""Finds and reads the checkpoint of a run."""

from pathlib import Path
from typing import Any

from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.runs.refit_card import read_finished_refit
from headstart.runs.result import read_finished_result
from headstart.runs.run_directory import BEST_CHECKPOINT, CHECKPOINT_FOLDER, CONFIG_FILE, best_checkpoint_path

CLASS_KEY = "headstart_class"  # the key under which a checkpoint names its class, "module:Class"


def resolve_checkpoint(path: str | Path) -> Path:
    """Finds the checkpoint of a run directory; a path of a checkpoint is returned as it is.

    Raises:
        HeadstartError: there is no checkpoint, or the run is not finished.
    """
    path = expand_home(path)
    checkpoint = best_checkpoint_path(path) if path.is_dir() else path
    if not checkpoint.is_file():
        reason = (
            f"holds no {CHECKPOINT_FOLDER}/{BEST_CHECKPOINT}; is it a finished run?"
            if path.is_dir()
            else "there is no such file"
        )
        raise HeadstartError(f"{path}: {reason}; give a Headstart checkpoint or run directory")
    if path.is_dir() and not (read_finished_result(path) or read_finished_refit(path)):
        raise HeadstartError(
            f"{path}: this run is not finished; give its command again, or name {CHECKPOINT_FOLDER}/{BEST_CHECKPOINT}"
        )
    return checkpoint


def run_of_checkpoint(checkpoint: Path) -> Path | None:
    """Finds the run directory of a checkpoint; None for a checkpoint outside of a run."""
    folder = checkpoint.absolute().parent
    is_run = best_checkpoint_path(folder.parent).parent == folder and (folder.parent / CONFIG_FILE).is_file()
    return folder.parent if is_run else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU; executes nothing of the file.

    Raises:
        HeadstartError: the file is damaged, holds more than tensors and plain values, or is no Headstart checkpoint.
    """
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's own message advises to load the file unsafely
        raise HeadstartError(
            f"{path}: refused, it is damaged or holds more than weights and plain values ({type(error).__name__})"
        ) from error
    hyperparameters = content.get("hyper_parameters") if isinstance(content, dict) else None
    class_name = content.get(CLASS_KEY, "") if isinstance(content, dict) else ""
    if not isinstance(hyperparameters, dict) or "_instantiator" in hyperparameters or ":" not in str(class_name):
        raise HeadstartError(f"{path}: refused, this is no Headstart checkpoint (or it names code to run)")
    return content
