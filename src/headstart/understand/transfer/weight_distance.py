"""How far training moved the weights of each stage from where it began."""

from collections.abc import Sequence

from torch import Tensor, nn

from headstart.networks.stages import direct_tensor_names, modules_by_stage


def relative_weight_change(before: nn.Module, after: nn.Module, stages: Sequence[str]) -> list[float]:
    """The length of the change over the length of the weights before, ‖after − before‖ / ‖before‖, of each stage.

    Parameters count, BatchNorm's statistics do not: they follow the images without any training.

    Args:
        before, after: the same architecture; both stay as they are.
        stages: the module with which each stage ends, in order (``headstart.networks.stages``).

    Returns:
        A number for each stage, and one for what stands behind the last: NaN where that holds no parameters.

    Raises:
        HeadstartError: the stages do not stand in the network in this order.
    """
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    changes = []
    for modules in modules_by_stage(after, stages):
        names = [name for name in direct_tensor_names(after, modules) if name in new]
        start = _norm([old[name] for name in names])
        moved = _norm([new[name] - old[name] for name in names])
        changes.append(moved / start if start else float("inf") if moved else float("nan"))
    return changes


def _norm(some: Sequence[Tensor]) -> float:
    return float(sum(float(one.detach().double().square().sum()) for one in some)) ** 0.5
