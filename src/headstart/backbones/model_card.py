"""The header of an exported backbone: how to build the network again, and a card of what it is worth.

The card says on what data it was trained, by which command, for how many epochs, how good it is, what it has
seen, on what terms, and what is known of the weights that it started from.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.files import write_atomically
from headstart.runs.result import read_finished_result


def export_backbone(checkpoint: str | Path, out: str | Path, terms: str = "") -> Path:
    """Writes a checkpoint's backbone in half precision, with what it takes to build it again and a card.

    Args:
        checkpoint: a Headstart checkpoint or run directory of a model with a backbone.
        out: the ``.safetensors`` file; its header holds the network's name, options, normalisation, card.
        terms: on what terms the images that it was trained on may be used; for the card.

    Raises:
        HeadstartError: the checkpoint's model has no backbone, or there is no folder for ``out``.
    """
    out = expand_home(out)
    if not out.absolute().parent.is_dir():
        raise HeadstartError(f"--out {out}: there is no folder {out.parent}; make it, or name another")
    import torch
    from safetensors.torch import save

    import headstart

    model: Any = headstart.load(checkpoint)
    if not hasattr(model, "backbone"):
        raise HeadstartError(f"{checkpoint}: a {type(model).__name__} has no backbone to export")
    described = {
        **model.architecture,
        "mean": model.pixel_mean.flatten().tolist(),
        "std": model.pixel_std.flatten().tolist(),
        "card": {**training_summary(Path(checkpoint)), "seen": list(model.spec.classes), "terms": terms},
    }
    tensors = {
        k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in model.backbone.state_dict().items()
    }
    if any(bool(torch.isinf(t).any()) for t in tensors.values()):
        raise HeadstartError(f"{checkpoint}: a weight is beyond half precision's range; it cannot be exported")
    with write_atomically(out) as scratch:
        scratch.write_bytes(save(tensors, metadata={"headstart": json.dumps(described)}))  # save_file's has mode 0600
    return out


def training_summary(run: Path) -> dict[str, Any]:
    """What a run directory says of how its model was trained and how good it is; {} for a lone checkpoint."""
    result = read_finished_result(run)
    if not result:
        return {}
    return {
        "accuracy": result.metrics["test/accuracy"],
        "data": result.data,
        "command": result.command,
        "epochs": result.epochs,
        "versions": result.versions,
        "starts": result.starts,
    }


def read_model_card(path: Path) -> dict[str, Any]:
    """The card of an exported backbone: data, command, epochs, accuracy, terms; {} where it has none."""
    return (read_backbone_header(path) or {}).get("card", {})


def file_fingerprint(path: Path) -> tuple[int, ...]:
    """Changes where a file is replaced or written anew: what was read of it before no longer counts."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def read_backbone_header(path: Path) -> dict[str, Any] | None:
    """What ``export`` wrote into the header of a .safetensors file; None where it did not."""
    return _read_header(path, file_fingerprint(path)) if path.exists() else None


@lru_cache
def _read_header(path: Path, version: tuple[int, ...]) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            text = json.loads(file.read(size if size < 100_000_000 else 0))
        return json.loads(text.get("__metadata__", {}).get("headstart", "null"))
    except (OSError, ValueError, AttributeError) as error:
        raise HeadstartError(f"{path}: this is no .safetensors file ({error})") from error
