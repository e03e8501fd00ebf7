"""From a checkpoint back to a model, of the right class, whatever it is."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.errors import HeadstartError
from headstart.runs import checkpoint
from headstart.runs.checkpoint import CLASS_KEY, resolve_checkpoint

if TYPE_CHECKING:
    from headstart.models import Classifier


def load(path: str | Path) -> "Classifier":
    """The model of a checkpoint or run directory, in eval mode, on the CPU.

    Only tensors and plain values are read (``weights_only=True``), and only a class that derives from
    ``Classifier`` is built.

    Raises:
        HeadstartError: there is no such checkpoint, or it is not one of ours, or it asks for more.
    """
    found = resolve_checkpoint(path)
    from headstart.models import Classifier  # seconds, and not needed to see that there is nothing to load

    named = str(checkpoint.read_checkpoint(found)[CLASS_KEY])
    module, _, name = named.partition(":")
    # A checkpoint may not choose what is imported: our own rooms, or what the person imported already.
    if not module.startswith("headstart.models.") and module not in sys.modules:
        raise HeadstartError(
            f"{found}: its class is {named}; if you trust that module, add --import {module} to the command (in "
            f"Python, import {module} first), with its folder in PYTHONPATH"
        )
    try:
        cls: Any = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise HeadstartError(f"{found}: there is no class {named} in this installation") from error
    if not (isinstance(cls, type) and issubclass(cls, Classifier)):
        raise HeadstartError(f"{found}: refused, {named} is not a model")
    try:
        model: Classifier = cls.load_from_checkpoint(found, map_location="cpu")  # type: ignore[attr-defined]
    except (RuntimeError, TypeError, KeyError) as error:
        raise HeadstartError(f"{found}: it does not fit {name} ({str(error).splitlines()[0][:200]})") from error
    return model.eval()
