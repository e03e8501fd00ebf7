"""Which modules of a network belong to which of its stages."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from headstart.errors import HeadstartError


def modules_by_stage(network: nn.Module, stages: Sequence[str]) -> list[list[str]]:
    """The modules of each stage, and those behind the last one, by their qualified names.

    A module belongs to the stage within which the last of its own modules stands; so what lies within a module of a
    stage is of that stage or an earlier one, and the network itself is of the last portion.

    Args:
        network: whose modules are registered in the order in which they are used, as timm's and torchvision's are.
        stages: the module with which each stage ends, in order (``headstart.networks.stages``).

    Returns:
        One list more than there are stages.

    Raises:
        HeadstartError: the stages do not stand in the network in this order.
    """
    ends: dict[str, int] = {}
    for position, (name, _) in enumerate(network.named_modules()):
        parts = name.split(".") if name else []
        for depth in range(len(parts) + 1):
            ends[".".join(parts[:depth])] = position
    limits = [ends.get(name, -1) for name in stages]
    if any(later <= earlier for earlier, later in pairwise([-1, *limits])):
        raise HeadstartError(
            f"{type(network).__name__}: its modules do not stand in the order of their use, so that no stage has "
            f"modules of its own ({', '.join(stages)}); register them in that order"
        )
    found: list[list[str]] = [[] for _ in range(len(stages) + 1)]
    for name, end in ends.items():
        found[sum(end > limit for limit in limits)].append(name)
    return found


def direct_tensor_names(network: nn.Module, modules: Sequence[str]) -> list[str]:
    """The parameters and buffers that these modules hold themselves, as ``network.state_dict()`` names them."""
    own = []
    for name in modules:
        module = network.get_submodule(name)
        own += [key for key, _ in module.named_parameters(name, recurse=False)]
        own += [key for key, _ in module.named_buffers(name, recurse=False)]
    return own
