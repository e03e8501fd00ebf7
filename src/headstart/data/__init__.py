"""Images as a model gets them: sources (torch-free), their split, and the LightningDataModule."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.data.datamodule import ImageDataModule as ImageDataModule
    from headstart.data.digits import Digits as Digits
    from headstart.data.image_folder import ImageFolder as ImageFolder
    from headstart.data.image_source import ImageSource as ImageSource
    from headstart.data.mnist import MNIST as MNIST
    from headstart.data.split import available_budgets as available_budgets

_HOMES = {
    "ImageSource": "image_source",
    "available_budgets": "split",
    "ImageFolder": "image_folder",
    "Digits": "digits",
    "MNIST": "mnist",
    "ImageDataModule": "datamodule",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    # Only the module needs torch, which takes seconds to import.
    if name in _HOMES:
        return getattr(import_module(f"headstart.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
