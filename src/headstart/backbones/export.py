"""Exports the backbone of a checkpoint to a ``.safetensors`` file."""

import json
from pathlib import Path

from headstart.backbones.model_card import training_summary
from headstart.backbones.weights import read_backbone_checkpoint
from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.files import write_atomically
from headstart.runs.checkpoint import resolve_checkpoint


def export_backbone(checkpoint: str | Path, out: str | Path, terms: str = "") -> Path:
    """Writes the backbone of a checkpoint in half precision. ``backbone.weights=FILE`` reads it.

    Args:
        checkpoint: a Headstart checkpoint or run directory of a model with a backbone.
        out: the ``.safetensors`` file. Its header holds the network's name, options, normalization and card.
        terms: terms of use of the training images, for the card.

    Raises:
        HeadstartError: the checkpoint's model has no backbone, the folder of ``out`` is missing, or a weight is too
            large for half precision.
    """
    out = expand_home(out)
    if not out.absolute().parent.is_dir():
        raise HeadstartError(f"--out {out}: there is no folder {out.parent}; make it, or name another")
    path = resolve_checkpoint(checkpoint)  # before the seconds that torch takes
    import torch
    from safetensors.torch import save

    backbone = read_backbone_checkpoint(path, str(checkpoint))
    card = {**training_summary(Path(checkpoint)), "seen": backbone.classes, "resize": backbone.resize, "terms": terms}
    tensors = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in backbone.state.items()}
    if any(bool(torch.isinf(tensor).any()) for tensor in tensors.values()):
        raise HeadstartError(
            f"{checkpoint}: a weight is beyond half precision, in which a backbone is exported; give another run"
        )
    header = json.dumps(backbone.describe() | {"card": card})
    with write_atomically(out) as scratch:
        scratch.write_bytes(save(tensors, metadata={"headstart": header}))  # save_file would give it mode 0600
    return out
