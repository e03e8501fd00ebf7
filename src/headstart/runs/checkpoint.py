"""Reading a checkpoint: tensors and plain values alone, or one line that says why not."""

from pathlib import Path
from typing import Any

from headstart.errors import HeadstartError
from headstart.runs import run_directory


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint of ours holds, on the CPU; whatever else the file may hold, none of it is run.

    Raises:
        HeadstartError: it is damaged, holds more than tensors and plain values, or is not one of ours.
    """
    import torch

    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's own words advise to load it unsafely
        raise HeadstartError(
            f"{path}: refused, it is damaged or holds more than weights and plain values ({type(error).__name__})"
        ) from error
    hyperparameters = kept.get("hyper_parameters") if isinstance(kept, dict) else None
    named = kept.get(run_directory.CLASS_KEY, "") if isinstance(kept, dict) else ""
    if not isinstance(hyperparameters, dict) or "_instantiator" in hyperparameters or ":" not in str(named):
        raise HeadstartError(f"{path}: refused, this is no Headstart checkpoint (or it names code to run)")
    return kept
