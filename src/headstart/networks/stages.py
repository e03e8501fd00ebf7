"""Stages of a network: the modules with which they end, and the modules and tensors of each."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import nn

from headstart.errors import HeadstartError, first_line
from headstart.networks.copying import clone_network
from headstart.networks.hooks import LayerInfo, list_layers


def find_stages(network: nn.Module, shape: tuple[int, int, int]) -> list[str]:
    """The last module with an output map of each size, in forward order.

    A block that reduces its maps once belongs to the size it ends with: timm's ResNets have ``act1`` and ``layer1`` to
    ``layer4``. The 1×1 outputs of global pooling and squeeze-excite are no stages.

    Args:
        network: any network of 2-D convolutions; not changed.
        shape: of an image: (C, H, W).

    Returns:
        Names as ``network.get_submodule`` takes them.

    Raises:
        HeadstartError: the network does not take such images, or none of its modules outputs maps (N, C, H, W).
    """
    copy = clone_network(network)
    try:
        calls = {layer.name: layer for layer in list_layers(copy, torch.zeros(1, *shape), (nn.Module,))}
    except RuntimeError as error:
        reason = first_line(error)
        raise HeadstartError(f"{type(network).__name__}: does not take images of {shape}: {reason}") from error
    positions = {name: position for position, name in enumerate(calls)}
    ends: dict[tuple[int, ...], str] = {}
    for name in _iter_stage_modules(copy, "", calls):
        size = _output_size(calls[name])
        if size not in ends or positions[name] > positions[ends[size]]:
            ends[size] = name
    if not ends:
        raise HeadstartError(f"{type(network).__name__}: none of its modules gives maps (N, C, H, W)")
    return sorted(ends.values(), key=positions.__getitem__)


def _input_size(call: LayerInfo) -> tuple[int, ...]:
    """(H, W) of the input map; () if it is none."""
    return call.input_shape[1:] if len(call.input_shape) == 3 else ()


def _output_size(call: LayerInfo) -> tuple[int, ...]:
    """(H, W) of the output map; () if it is none."""
    return call.output_shape[1:] if len(call.output_shape) == 3 else ()


def _iter_stage_modules(module: nn.Module, prefix: str, calls: dict[str, LayerInfo]) -> Iterator[str]:
    """The largest modules under ``module`` that output a map and reduce it at most once."""
    for child_name, child in module.named_children():
        name = f"{prefix}.{child_name}" if prefix else child_name
        size = _output_size(calls[name]) if name in calls else ()
        if not size or len(_map_sizes(child, name, calls)) > 2:
            yield from _iter_stage_modules(child, name, calls)
        elif not isinstance(child, nn.Identity) and (size != (1, 1) or _is_reduced_by_convolution(child, name, calls)):
            yield name


def _map_sizes(module: nn.Module, name: str, calls: dict[str, LayerInfo]) -> set[tuple[int, ...]]:
    """The sizes of the module's input and output and of the outputs of its convolutions."""
    inner = {_output_size(call) for call in _convolution_calls(module, name, calls)} - {(1, 1)}
    return inner | {_input_size(calls[name]), _output_size(calls[name])}


def _is_reduced_by_convolution(module: nn.Module, name: str, calls: dict[str, LayerInfo]) -> bool:
    """Whether a convolution, not a pool, reduces larger maps to 1×1."""
    return any(_output_size(call) == (1, 1) != _input_size(call) for call in _convolution_calls(module, name, calls))


def _convolution_calls(module: nn.Module, name: str, calls: dict[str, LayerInfo]) -> list[LayerInfo]:
    names = [inner for inner, part in module.named_modules(prefix=name) if isinstance(part, nn.Conv2d)]
    return [calls[inner] for inner in names if inner in calls]


def modules_by_stage(network: nn.Module, stages: Sequence[str]) -> list[list[str]]:
    """The names of the modules of each stage, and of those behind the last stage.

    A module belongs to the stage that contains the last of its inner modules. So modules inside a stage's module belong
    to that stage or an earlier one, and the network itself belongs to the last group.

    Args:
        network: registers its modules in forward order, as timm's and torchvision's networks do.
        stages: the module with which each stage ends, in forward order, as from ``find_stages``.

    Returns:
        One list more than there are stages.

    Raises:
        HeadstartError: the stages are registered in another order.
    """
    ends: dict[str, int] = {}
    for position, (name, _) in enumerate(network.named_modules()):
        parts = name.split(".") if name else []
        for depth in range(len(parts) + 1):
            ends[".".join(parts[:depth])] = position
    limits = [ends.get(name, -1) for name in stages]
    if any(later <= earlier for earlier, later in pairwise([-1, *limits])):
        raise HeadstartError(
            f"{type(network).__name__}: its modules are not registered in the order of their use, so its stages "
            f"({', '.join(stages)}) cannot be separated; register them in that order"
        )
    groups: list[list[str]] = [[] for _ in range(len(stages) + 1)]
    for name, end in ends.items():
        groups[sum(end > limit for limit in limits)].append(name)
    return groups


def direct_tensor_names(network: nn.Module, modules: Sequence[str]) -> list[str]:
    """The parameters and buffers that these modules hold directly, with their names in ``network.state_dict()``."""
    names = []
    for name in modules:
        module = network.get_submodule(name)
        names += [key for key, _ in module.named_parameters(name, recurse=False)]
        names += [key for key, _ in module.named_buffers(name, recurse=False)]
    return names
