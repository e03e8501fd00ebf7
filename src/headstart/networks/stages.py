"""Where a network's stages end, and what they give: the depths at which features are looked at."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.copying import clone_network
from headstart.networks.hooks import forward_hooks

BATCH_SIZE = 32  # images that go through a network together


@dataclass(frozen=True)
class _ModuleCall:
    """A module's latest call: when it ended, and the sizes of the maps that went in and came out; None: no map."""

    order: int
    input_size: tuple[int, int] | None
    output_size: tuple[int, int] | None


def find_stages(network: nn.Module, shape: tuple[int, int, int]) -> list[str]:
    """The modules that are last to give a map of their size, for each size in the order in which it is left.

    A block that makes its maps smaller once belongs to the size that it ends with, whatever it does within: timm's
    ResNets have ``act1`` and ``layer1`` to ``layer4``. The single numbers of global pooling and squeeze-excite are no
    stage.

    Args:
        network: any network of 2-D convolutions; it stays as it is.
        shape: of an image: (C, H, W).

    Returns:
        Qualified names, as ``network.get_submodule`` takes them.

    Raises:
        HeadstartError: the network does not take such images, or none of its modules gives maps (N, C, H, W).
    """
    network = clone_network(network)
    calls = _record_calls(network, shape)
    ends: dict[tuple[int, int], tuple[int, str]] = {}
    for name in _find_stage_modules(network, "", calls):
        call = calls[name]
        assert call.output_size is not None
        if call.order >= ends.get(call.output_size, (0, ""))[0]:
            ends[call.output_size] = call.order, name
    if not ends:
        raise HeadstartError(f"{type(network).__name__}: none of its modules gives maps (N, C, H, W)")
    return [name for _, name in sorted(ends.values())]


def capture_activations(
    network: nn.Module,
    images: Tensor,
    names: Sequence[str],
    transform: Callable[[Tensor], Tensor] = Tensor.clone,
) -> dict[str, Tensor]:
    """What the modules give for the images, in eval mode and without gradients.

    Args:
        network: stays as it is.
        images: float32 (N, C, H, W), as the network takes them.
        names: of modules that give one tensor (N, …); of one that is called again and again, its last call counts.
        keep: what to keep of each output, (n, …) to another (n, …): means, some channels; all of it where nothing is
            said. It must not share the output's memory: an in-place operation may follow.

    Returns:
        Name to what was kept, (N, …), in the order of ``names``.
    """
    network = clone_network(network)
    given: dict[str, list[Tensor]] = {name: [] for name in names}
    last: dict[str, Tensor] = {}

    def note(name: str, _module: nn.Module, _taken: Tensor, output: Tensor) -> None:
        last[name] = transform(output)

    with forward_hooks({name: network.get_submodule(name) for name in names}, note), torch.no_grad():
        for some in images.split(BATCH_SIZE):
            # Channels last: a CPU computes depthwise convolutions and those of few channels a third faster so.
            network(some.contiguous(memory_format=torch.channels_last))
            for name, kept in last.items():
                given[name].append(kept)
    return {name: torch.cat(parts) for name, parts in given.items()}


def _record_calls(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, _ModuleCall]:
    calls: dict[str, _ModuleCall] = {}

    def note(name: str, _module: nn.Module, taken: object, output: object) -> None:
        calls[name] = _ModuleCall(len(calls) + 1, _map_size(taken), _map_size(output))

    try:
        with forward_hooks(dict(network.named_modules()), note), torch.no_grad():
            network(torch.zeros(1, *shape))
    except RuntimeError as wrong:
        reason = str(wrong).splitlines()[0]
        raise HeadstartError(f"{type(network).__name__}: does not take images of {shape}: {reason}") from wrong
    return calls


def _map_size(value: object) -> tuple[int, int] | None:
    return (value.shape[2], value.shape[3]) if isinstance(value, Tensor) and value.ndim == 4 else None


def _find_stage_modules(module: nn.Module, name: str, calls: dict[str, _ModuleCall]) -> Iterator[str]:
    """The largest modules under ``module`` that give a map and make it smaller at most once."""
    for part, child in module.named_children():
        path = f"{name}.{part}" if name else part
        call = calls.get(path)
        if call is None or call.output_size is None or len(_map_sizes(child, path, calls)) > 2:
            yield from _find_stage_modules(child, path, calls)
        elif not isinstance(child, nn.Identity) and (
            call.output_size != (1, 1) or _is_reduced_by_convolution(child, path, calls)
        ):
            yield path


def _map_sizes(module: nn.Module, name: str, calls: dict[str, _ModuleCall]) -> set[tuple[int, int] | None]:
    """The sizes of maps that go in, come out, and come out of convolutions within."""
    convolved = {call.output_size for call in _convolution_calls(module, name, calls)} - {(1, 1)}
    return convolved | {calls[name].input_size, calls[name].output_size}


def _is_reduced_by_convolution(module: nn.Module, name: str, calls: dict[str, _ModuleCall]) -> bool:
    """Whether a convolution, not a pooling, is what made single numbers of larger maps."""
    return any(call.output_size == (1, 1) != call.input_size for call in _convolution_calls(module, name, calls))


def _convolution_calls(module: nn.Module, name: str, calls: dict[str, _ModuleCall]) -> list[_ModuleCall]:
    within = (f"{name}.{part}" if part else name for part, m in module.named_modules() if isinstance(m, nn.Conv2d))
    return [calls[path] for path in within if path in calls]
