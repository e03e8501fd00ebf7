"""What passes through a network's layers: their shapes and their maps, recorded by hooks that are gone afterwards."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")


@dataclass(frozen=True)
class LayerInfo:
    """A layer as an image passed it.

    Args:
        name: as ``named_modules`` has it.
        module: the layer itself.
        taken: shape of its input, without the batch.
        given: shape of its output, without the batch.
    """

    name: str
    module: nn.Module
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


def list_layers(
    network: nn.Module, images: Tensor, module_types: tuple[type[nn.Module], ...] = (nn.Conv2d,)
) -> list[LayerInfo]:
    """The layers of these kinds in the order in which the first image passes them; each once, as it was last used."""
    passed: dict[str, LayerInfo] = {}

    def note(name: str, module: nn.Module, taken: Tensor, given: Tensor) -> None:
        passed[name] = LayerInfo(name, module, tuple(taken.shape[1:]), tuple(given.shape[1:]))

    with (
        forward_hooks({n: m for n, m in network.named_modules() if isinstance(m, module_types)}, note),
        torch.no_grad(),
    ):
        network(images[:1])
    return list(passed.values())


def capture_maps(network: nn.Module, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """What the named layers give for ``images``; open to gradients where torch records them."""
    kept: dict[str, Tensor] = {}

    def note(name: str, _module: nn.Module, _taken: Tensor, given: Tensor) -> None:
        # Copied, since a ReLU that works in place would change it.
        kept[name] = given.clone()

    with forward_hooks({name: network.get_submodule(name) for name in names}, note):
        network(images)
    return kept


def select_milestones(layers: Sequence[LayerInfo], count: int = 6) -> list[LayerInfo]:
    """The first layer of each map size, and the last layer: at most ``count``."""
    first: dict[tuple[int, ...], LayerInfo] = {}
    for layer in layers:
        first.setdefault(layer.output_shape[1:], layer)
    return pick_evenly(list(dict.fromkeys([*first.values(), *layers[-1:]])), count)


def pick_evenly(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of the items, evenly spread, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


@contextmanager
def forward_hooks(modules: dict[str, nn.Module], record: Callable[[str, nn.Module, Any, Any], None]) -> Iterator[None]:
    """While it is on, tells ``note`` of each call of the modules: name, module, first input (None without), output."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, taken, given: record(name, module, taken[0] if taken else None, given)

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
