"""Headstart: train from scratch, reuse or fine-tune? The comparison on one's own images."""

from typing import TYPE_CHECKING, Any

from headstart.version import __version__

if TYPE_CHECKING:
    from headstart.data import MNIST as MNIST
    from headstart.data import Digits as Digits
    from headstart.data import DigitsDataModule as DigitsDataModule
    from headstart.data import ImageDataModule as ImageDataModule
    from headstart.data import ImageFolder as ImageFolder
    from headstart.data import ImageFolderDataModule as ImageFolderDataModule
    from headstart.data import MNISTDataModule as MNISTDataModule
    from headstart.errors import HeadstartError as HeadstartError
    from headstart.image_spec import ImageSpec as ImageSpec
    from headstart.models import AlexNet as AlexNet
    from headstart.models import Distilled as Distilled
    from headstart.models import FineTuned as FineTuned
    from headstart.models import Frozen as Frozen
    from headstart.models import LeNet as LeNet
    from headstart.models import PartialTransfer as PartialTransfer
    from headstart.models import PlainResNet as PlainResNet
    from headstart.models import Prediction as Prediction
    from headstart.models import ScratchBackbone as ScratchBackbone
    from headstart.models import ScratchCNN as ScratchCNN
    from headstart.models.loading import load as load

_MODULES = {
    "load": "headstart.models.loading",
    "ImageSpec": "headstart.image_spec",
    "HeadstartError": "headstart.errors",
    **dict.fromkeys(["ImageFolder", "Digits", "MNIST", "ImageDataModule"], "headstart.data"),
    **dict.fromkeys(["ImageFolderDataModule", "DigitsDataModule", "MNISTDataModule"], "headstart.data"),
    **dict.fromkeys(["ScratchCNN", "ScratchBackbone", "Frozen", "FineTuned", "Distilled"], "headstart.models"),
    **dict.fromkeys(["LeNet", "AlexNet", "PlainResNet", "PartialTransfer", "Prediction"], "headstart.models"),
}
__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    # Torch takes seconds to import: nothing is loaded before it is asked for.
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
