"""Headstart: train from scratch, reuse or fine-tune? The comparison on one's own images."""

from typing import TYPE_CHECKING, Any

from headstart.version import __version__

if TYPE_CHECKING:
    from headstart.data import MNIST as MNIST
    from headstart.data import Digits as Digits
    from headstart.data import Folder as Folder
    from headstart.data import ImageData as ImageData
    from headstart.models import AlexNet as AlexNet
    from headstart.models import Distilled as Distilled
    from headstart.models import FineTuned as FineTuned
    from headstart.models import Frozen as Frozen
    from headstart.models import LeNet as LeNet
    from headstart.models import PlainResNet as PlainResNet
    from headstart.models import Prediction as Prediction
    from headstart.models import ScratchBackbone as ScratchBackbone
    from headstart.models import ScratchCNN as ScratchCNN
    from headstart.models import Transplanted as Transplanted
    from headstart.models.loading import load as load

_HOMES = {
    "load": "headstart.models.loading",
    "ImageSpec": "headstart.image_spec",
    "HeadstartError": "headstart.errors",
    **dict.fromkeys(["Folder", "Digits", "MNIST", "ImageData"], "headstart.data"),
    **dict.fromkeys(["ScratchCNN", "ScratchBackbone", "Frozen", "FineTuned", "Distilled"], "headstart.models"),
    **dict.fromkeys(["LeNet", "AlexNet", "PlainResNet", "Transplanted", "Prediction"], "headstart.models"),
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import: nothing is loaded before it is asked for.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
