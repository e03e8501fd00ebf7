"""Models: LightningModules that take raw pixels and an ``ImageSpec``."""

from importlib import import_module
from typing import Any

_MODULES = {
    "Classifier": "classifier",
    "Prediction": "prediction",
    "ScratchCNN": "scratch",
    "ScratchBackbone": "scratch",
    "LeNet": "classic",
    "AlexNet": "classic",
    "PlainResNet": "scratch",
    "Frozen": "frozen",
    "FineTuned": "finetune",
    "Distilled": "distillation",
    "PartialTransfer": "partial_transfer",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"headstart.models.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
