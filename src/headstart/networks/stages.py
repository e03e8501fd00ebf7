"""Where a network's stages end, and what they give: the depths at which features are looked at."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.errors import HeadstartError
from headstart.networks.hooks import listening
from headstart.understand.subject import copied

AT_ONCE = 32  # images that go through a network together


@dataclass(frozen=True)
class _Call:
    """A module's latest call: when it ended, and the sizes of the maps that went in and came out; None: no map."""

    turn: int
    taken: tuple[int, int] | None
    given: tuple[int, int] | None


def stages(network: nn.Module, shape: tuple[int, int, int]) -> list[str]:
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
    network = copied(network)
    calls = _calls(network, shape)
    ends: dict[tuple[int, int], tuple[int, str]] = {}
    for name in _units(network, "", calls):
        call = calls[name]
        assert call.given is not None
        if call.turn >= ends.get(call.given, (0, ""))[0]:
            ends[call.given] = call.turn, name
    if not ends:
        raise HeadstartError(f"{type(network).__name__}: none of its modules gives maps (N, C, H, W)")
    return [name for _, name in sorted(ends.values())]


def activations(
    network: nn.Module,
    images: Tensor,
    names: Sequence[str],
    keep: Callable[[Tensor], Tensor] = Tensor.clone,
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
    network = copied(network)
    given: dict[str, list[Tensor]] = {name: [] for name in names}
    last: dict[str, Tensor] = {}

    def note(name: str, _module: nn.Module, _taken: Tensor, output: Tensor) -> None:
        last[name] = keep(output)

    with listening({name: network.get_submodule(name) for name in names}, note), torch.no_grad():
        for some in images.split(AT_ONCE):
            # Channels last: a CPU computes depthwise convolutions and those of few channels a third faster so.
            network(some.contiguous(memory_format=torch.channels_last))
            for name, kept in last.items():
                given[name].append(kept)
    return {name: torch.cat(parts) for name, parts in given.items()}


def _calls(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, _Call]:
    calls: dict[str, _Call] = {}

    def note(name: str, _module: nn.Module, taken: object, output: object) -> None:
        calls[name] = _Call(len(calls) + 1, _size(taken), _size(output))

    try:
        with listening(dict(network.named_modules()), note), torch.no_grad():
            network(torch.zeros(1, *shape))
    except RuntimeError as wrong:
        reason = str(wrong).splitlines()[0]
        raise HeadstartError(f"{type(network).__name__}: does not take images of {shape}: {reason}") from wrong
    return calls


def _size(value: object) -> tuple[int, int] | None:
    return (value.shape[2], value.shape[3]) if isinstance(value, Tensor) and value.ndim == 4 else None


def _units(module: nn.Module, name: str, calls: dict[str, _Call]) -> Iterator[str]:
    """The largest modules under ``module`` that give a map and make it smaller at most once."""
    for part, child in module.named_children():
        path = f"{name}.{part}" if name else part
        call = calls.get(path)
        if call is None or call.given is None or len(_sizes(child, path, calls)) > 2:
            yield from _units(child, path, calls)
        elif not isinstance(child, nn.Identity) and (call.given != (1, 1) or _convolved_away(child, path, calls)):
            yield path


def _sizes(module: nn.Module, name: str, calls: dict[str, _Call]) -> set[tuple[int, int] | None]:
    """The sizes of maps that go in, come out, and come out of convolutions within."""
    convolved = {call.given for call in _convolutions(module, name, calls)} - {(1, 1)}
    return convolved | {calls[name].taken, calls[name].given}


def _convolved_away(module: nn.Module, name: str, calls: dict[str, _Call]) -> bool:
    """Whether a convolution, not a pooling, is what made single numbers of larger maps."""
    return any(call.given == (1, 1) != call.taken for call in _convolutions(module, name, calls))


def _convolutions(module: nn.Module, name: str, calls: dict[str, _Call]) -> list[_Call]:
    within = (f"{name}.{part}" if part else name for part, m in module.named_modules() if isinstance(m, nn.Conv2d))
    return [calls[path] for path in within if path in calls]
