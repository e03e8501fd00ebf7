"""Models: LightningModules that take raw pixels and an ``ImageSpec``."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.models.classic import AlexNet as AlexNet
    from headstart.models.classic import LeNet as LeNet
    from headstart.models.classifier import Classifier as Classifier
    from headstart.models.distillation import Distilled as Distilled
    from headstart.models.finetune import FineTuned as FineTuned
    from headstart.models.frozen import Frozen as Frozen
    from headstart.models.partial_transfer import PartialTransfer as PartialTransfer
    from headstart.models.prediction import Prediction as Prediction
    from headstart.models.probes.linear_probe import LinearProbe as LinearProbe
    from headstart.models.probes.nearest_neighbors import NearestNeighbors as NearestNeighbors
    from headstart.models.scratch import PlainResNet as PlainResNet
    from headstart.models.scratch import ScratchBackbone as ScratchBackbone
    from headstart.models.scratch import ScratchCNN as ScratchCNN

_MODULES = {
    "Classifier": "classifier",
    "Prediction": "prediction",
    "ScratchCNN": "scratch",
    "ScratchBackbone": "scratch",
    "LeNet": "classic",
    "AlexNet": "classic",
    "PlainResNet": "scratch",
    "Frozen": "frozen",
    "LinearProbe": "probes.linear_probe",
    "NearestNeighbors": "probes.nearest_neighbors",
    "FineTuned": "finetune",
    "Distilled": "distillation",
    "PartialTransfer": "partial_transfer",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"headstart.models.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
