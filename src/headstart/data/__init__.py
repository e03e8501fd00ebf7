"""Image data sets: torch-free sources, their splits, and LightningDataModules."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headstart.data.datamodule import DigitsDataModule as DigitsDataModule
    from headstart.data.datamodule import ImageDataModule as ImageDataModule
    from headstart.data.datamodule import ImageFolderDataModule as ImageFolderDataModule
    from headstart.data.datamodule import MNISTDataModule as MNISTDataModule
    from headstart.data.digits import Digits as Digits
    from headstart.data.image_folder import ImageFolder as ImageFolder
    from headstart.data.image_source import ImageSource as ImageSource
    from headstart.data.mnist import MNIST as MNIST

_MODULES = {
    "ImageSource": "image_source",
    "ImageFolder": "image_folder",
    "Digits": "digits",
    "MNIST": "mnist",
    **dict.fromkeys(["ImageDataModule", "ImageFolderDataModule", "MNISTDataModule", "DigitsDataModule"], "datamodule"),
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    # The data modules import torch, which takes seconds.
    if name in _MODULES:
        return getattr(import_module(f"headstart.data.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
