"""What passes through a network's layers: their shapes and their maps, recorded by hooks that are gone afterwards."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """A layer as an image passed it.

    Args:
        name: as ``named_modules`` has it.
        module: the layer itself.
        taken: shape of its input, without the batch.
        given: shape of its output, without the batch.
    """

    name: str
    module: nn.Module
    taken: tuple[int, ...]
    given: tuple[int, ...]


def layers(network: nn.Module, images: Tensor, kinds: tuple[type[nn.Module], ...] = (nn.Conv2d,)) -> list[Layer]:
    """The layers of these kinds in the order in which the first image passes them; each once, as it was last used."""
    passed: dict[str, Layer] = {}

    def note(name: str, module: nn.Module, taken: Tensor, given: Tensor) -> None:
        passed[name] = Layer(name, module, tuple(taken.shape[1:]), tuple(given.shape[1:]))

    with listening({n: m for n, m in network.named_modules() if isinstance(m, kinds)}, note), torch.no_grad():
        network(images[:1])
    return list(passed.values())


def maps(network: nn.Module, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """What the named layers give for ``images``; open to gradients where torch records them."""
    kept: dict[str, Tensor] = {}

    def note(name: str, _module: nn.Module, _taken: Tensor, given: Tensor) -> None:
        # Copied, since a ReLU that works in place would change it.
        kept[name] = given.clone()

    with listening({name: network.get_submodule(name) for name in names}, note):
        network(images)
    return kept


def milestones(found: Sequence[Layer], count: int = 6) -> list[Layer]:
    """The first layer of each map size, and the last layer: at most ``count``."""
    first: dict[tuple[int, ...], Layer] = {}
    for layer in found:
        first.setdefault(layer.given[1:], layer)
    return spread(list(dict.fromkeys([*first.values(), *found[-1:]])), count)


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of the items, evenly spread, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


@contextmanager
def listening(modules: dict[str, nn.Module], note: Callable[[str, nn.Module, Any, Any], None]) -> Iterator[None]:
    """While it is on, tells ``note`` of each call of the modules: name, module, first input (None without), output."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, taken, given: note(name, module, taken[0] if taken else None, given)

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
