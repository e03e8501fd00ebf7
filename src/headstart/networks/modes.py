"""Puts networks into eval mode, for a block of code or for good. Takes any ``torch.nn.Module``; imports no torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def evaluation_mode(network: "nn.Module") -> Iterator[None]:
    """Puts the network into eval mode; afterwards each module has the mode that it had before."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def lock_eval_mode(network: "nn.Module") -> None:
    """Puts the network into eval mode for good: ``train()`` of the network or of a module has no effect.

    A model that overrides its own ``train`` decides for calls to the model alone. Exporters, profilers and people also
    call ``train`` on its parts, and BatchNorm in train mode overwrites its statistics. The lock is a plain attribute,
    so that copies and pickles of the network are locked as well, and no class, tensor or name changes.
    """
    network.eval()
    for module in network.modules():
        module.train = partial(_ignore_mode, module)  # type: ignore[method-assign]


def unlock_eval_mode(network: "nn.Module") -> None:
    """Undoes ``lock_eval_mode``; the modules stay in eval mode until ``train()`` is called."""
    for module in network.modules():
        vars(module).pop("train", None)


def _ignore_mode(module: "nn.Module", mode: bool = True) -> "nn.Module":
    """``train(mode)`` of a locked module, which is in eval mode already."""
    return module
