"""Layers of a network and their outputs, read by forward hooks that are removed afterwards."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from headstart.networks.copying import clone_network

T = TypeVar("T")
CAPTURE_BATCH_SIZE = 32


@dataclass(frozen=True)
class LayerInfo:
    """A layer and its shapes in a forward pass.

    Args:
        name: as in ``named_modules``.
        module: the layer.
        input_shape: of its first input without the batch dimension; () if that is no tensor.
        output_shape: of its output without the batch dimension; () if that is no tensor.
    """

    name: str
    module: nn.Module
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


def list_layers(
    network: nn.Module, images: Tensor, module_types: tuple[type[nn.Module], ...] = (nn.Conv2d,)
) -> list[LayerInfo]:
    """The layers of these types in the order of their calls for the first image; of a repeated layer the last call."""
    layers: dict[str, LayerInfo] = {}

    def record(name: str, module: nn.Module, layer_input: Any, output: Any) -> None:
        layers.pop(name, None)
        layers[name] = LayerInfo(name, module, _shape_of(layer_input), _shape_of(output))

    modules = {name: module for name, module in network.named_modules() if isinstance(module, module_types)}
    with forward_hooks(modules, record), torch.no_grad():
        network(images[:1])
    return list(layers.values())


def _shape_of(value: Any) -> tuple[int, ...]:
    return tuple(value.shape[1:]) if isinstance(value, Tensor) else ()


def capture_outputs(
    network: nn.Module, images: Tensor, names: Sequence[str], transform: Callable[[Tensor], Tensor] = Tensor.clone
) -> dict[str, Tensor]:
    """The outputs of modules in one forward pass, with gradients unless they are disabled.

    Args:
        network: its mode and parameters are not changed.
        images: float32 (N, C, H, W), as the network takes them.
        names: of modules that return one tensor (N, …). Of a repeated module the last call counts.
        transform: what to keep of an output. It must not share the output's memory: an in-place ReLU may follow.

    Returns:
        Name to output, in the order of ``names``.
    """
    outputs: dict[str, Tensor] = {}

    def record(name: str, _module: nn.Module, _input: Any, output: Tensor) -> None:
        outputs[name] = transform(output)

    with forward_hooks({name: network.get_submodule(name) for name in names}, record):
        network(images)
    return {name: outputs[name] for name in names if name in outputs}


def capture_activations(
    network: nn.Module, images: Tensor, names: Sequence[str], transform: Callable[[Tensor], Tensor] = Tensor.clone
) -> dict[str, Tensor]:
    """The outputs of modules in eval mode and without gradients, batch by batch; arguments as ``capture_outputs``."""
    copy = clone_network(network)
    with torch.no_grad():
        # Channels last: on a CPU, depthwise convolutions and those of few channels take a third less time.
        batches = [
            capture_outputs(copy, batch.contiguous(memory_format=torch.channels_last), names, transform)
            for batch in images.split(CAPTURE_BATCH_SIZE)
        ]
        return {name: torch.cat([batch[name] for batch in batches]) for name in names}


def select_milestones(layers: Sequence[LayerInfo], count: int = 6) -> list[LayerInfo]:
    """The first layer of each map size and the last layer: at most ``count``, evenly spaced."""
    first: dict[tuple[int, ...], LayerInfo] = {}
    for layer in layers:
        first.setdefault(layer.output_shape[1:], layer)
    return pick_evenly(list(dict.fromkeys([*first.values(), *layers[-1:]])), count)


def pick_evenly(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` items, evenly spaced, with the first and the last."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


@contextmanager
def forward_hooks(modules: dict[str, nn.Module], record: Callable[[str, nn.Module, Any, Any], None]) -> Iterator[None]:
    """Calls ``record(name, module, first input or None, output)`` after each call of the modules."""

    def build_hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, output: record(name, module, inputs[0] if inputs else None, output)

    handles = [module.register_forward_hook(build_hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
