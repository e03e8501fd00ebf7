"""Relative weight change of each stage by training."""

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from headstart.networks.stages import direct_tensor_names, modules_by_stage


def relative_weight_change(before: nn.Module, after: nn.Module, stages: Sequence[str]) -> list[float]:
    """‖after − before‖ / ‖before‖ of each stage's parameters.

    BatchNorm's running statistics do not count: they follow the images without training.

    Args:
        before, after: networks of one architecture; not changed.
        stages: the module with which each stage ends, in order (``headstart.networks.stages``).

    Returns:
        A number for each stage and one for the layers after the last stage; NaN without parameters.

    Raises:
        HeadstartError: the stages are not in this order in the network.
    """
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    changes = []
    for modules in modules_by_stage(after, stages):
        names = [name for name in direct_tensor_names(after, modules) if name in new]
        length = _norm(old[name] for name in names)
        change = _norm(new[name] - old[name] for name in names)
        changes.append(change / length if length else float("inf") if change else float("nan"))
    return changes


def _norm(tensors: Iterable[Tensor]) -> float:
    return sum(float(tensor.detach().double().square().sum()) for tensor in tensors) ** 0.5
