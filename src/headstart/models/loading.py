"""Loads the model of a checkpoint or run directory."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import HeadstartError, first_line
from headstart.runs.checkpoint import CLASS_KEY, read_checkpoint, resolve_checkpoint

if TYPE_CHECKING:
    from headstart.models import Classifier


def load(path: str | Path) -> "Classifier":
    """Loads the model of a checkpoint or run directory, in eval mode, on the CPU.

    Only tensors and plain values are read (``weights_only=True``), and only a class that derives from
    ``Classifier`` is built.

    Example:
        >>> load("runs/digits").predict(["one.jpg"]).predicted_classes
        ['3']

    Raises:
        HeadstartError: there is no such checkpoint, it is no Headstart checkpoint, or its class is not a model.
    """
    path = resolve_checkpoint(path)
    from headstart.models import Classifier  # takes seconds: after the check that there is a checkpoint

    class_path = str(read_checkpoint(path)[CLASS_KEY])
    module, _, name = class_path.partition(":")
    # A checkpoint must not choose what is imported: only headstart.models, or what the user has imported already.
    if not module.startswith("headstart.models.") and module not in sys.modules:
        raise HeadstartError(
            f"{path}: its class is {class_path}; if you trust that module, add --import {module} to the command (in "
            f"Python, import {module} first), with its folder in PYTHONPATH"
        )
    try:
        cls: Any = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise HeadstartError(f"{path}: there is no class {class_path} in this installation") from error
    if not (isinstance(cls, type) and issubclass(cls, Classifier)):
        raise HeadstartError(f"{path}: refused, {class_path} is not a model")
    try:
        model: Classifier = cls.load_from_checkpoint(path, map_location="cpu")
    except (RuntimeError, TypeError, KeyError) as error:
        raise HeadstartError(f"{path}: it does not fit {name} ({first_line(error)[:200]})") from error
    return model.eval()
