"""Receptive fields by gradients of a linearized network: an independent check of the arithmetic in ``fields``.

The network gets equal positive weights, no activations and no normalizations, and averages in place of maxima. Then
nothing cancels and no unit is off, so a unit's gradient is positive at exactly the pixels that it sees. Operations that
see the whole image (global pooling and the gates computed from it) are cut off, as ``fields`` reports them apart.
"""

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from headstart.errors import HeadstartError, first_line
from headstart.networks.call_recorder import CallRecorder
from headstart.networks.copying import clone_network
from headstart.networks.hooks import pick_evenly
from headstart.networks.isolation import isolated_execution
from headstart.understand.receptive_field.fields import ReceptiveField, ReceptiveFields
from headstart.understand.receptive_field.footprint import to_pair


def _parse_names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Replaced by their first argument.
IDENTITY_FUNCTIONS = _parse_names(
    """
    prelu hardswish logsigmoid softsign tanhshrink softmax softmin log_softmax gumbel_softmax detach rpow mod floordiv
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    batch_norm instance_norm group_norm layer_norm rms_norm local_response_norm normalize
    """
)
# Replaced by the sum of the arguments that depend on the image.
SUMMED_FUNCTIONS = _parse_names("iadd imul isub itruediv multiply radd rtruediv truediv")
# Cut off where both arguments depend on the image: attention.
MATMUL_FUNCTIONS = _parse_names("matmul rmatmul bmm baddbmm einsum")
REDUCTION_FUNCTIONS = _parse_names(
    """
    mean sum nansum amax amin max min norm linalg_vector_norm vector_norm matrix_norm logsumexp std var std_mean
    var_mean
    """
)

NUM_CHECKED_LAYERS = 4


class LinearizedNetwork:
    """A network with uniform positive weights and no nonlinearities, run on one image.

    Args:
        network: not changed.
        shape: (C, H, W) of an image.

    Raises:
        HeadstartError: it does not run linearized.

    Example:
        >>> LinearizedNetwork(network, (3, 64, 64)).pixel_weights(field, *field.center_unit)
    """

    def __init__(self, network: nn.Module, shape: tuple[int, int, int]) -> None:
        self._network_name = type(network).__name__
        copy = clone_network(network).requires_grad_(False).double()
        self._outputs: dict[str, Tensor] = {}
        device = next(copy.parameters(), torch.zeros(())).device
        if device.type == "meta":
            raise HeadstartError(
                f"{self._network_name} is on the device meta, without values, and gradients need some: "
                "give network.to_empty(device='cpu')"
            )
        self._image = torch.full((1, *shape), 0.5, dtype=torch.float64, device=device, requires_grad=True)
        try:
            with (
                isolated_execution(device),
                torch.enable_grad(),
                _LinearizeMode(),
                CallRecorder(copy, self._record_output),
            ):
                copy(self._image)
        except Exception as error:
            raise self._build_error(error) from error

    def _build_error(self, error: Exception) -> HeadstartError:
        return HeadstartError(f"{self._network_name} does not run linearized: {first_line(error)}")

    def _record_output(self, name: str, _kind: str, output: object, _is_leaf: bool) -> None:
        if isinstance(output, Tensor):
            self._outputs[name] = output

    def has_map(self, layer: ReceptiveField) -> bool:
        """Whether the layer outputs a map of more than one unit here."""
        return layer.name in self._outputs and layer.shape[1] * layer.shape[2] > 1

    def pixel_weights(self, layer: ReceptiveField, i: int, j: int) -> Tensor:
        """The weight of each pixel in unit (i, j) of a layer: float64 (H, W), ≥ 0, sum 1; all 0 if it sees none.

        The weights are equal where the unit sees the image only by global operations.

        Raises:
            HeadstartError: the network has no gradients.
        """
        unit, gradient = layer.select_unit(self._outputs[layer.name], i, j), None
        if unit.requires_grad:
            try:
                [gradient] = torch.autograd.grad(unit.sum(), self._image, retain_graph=True, allow_unused=True)
            except Exception as error:
                raise self._build_error(error) from error
        weights = torch.ones_like(self._image)[0, 0] if gradient is None else gradient[0].abs().sum(0)
        return (weights / weights.sum()).cpu() if weights.any() else weights.cpu()


def compare_with_gradients(fields: ReceptiveFields, linearized: LinearizedNetwork) -> tuple[int, list[str]]:
    """Compares the pixels of corner and center units of a few layers between both methods.

    Returns:
        The number of compared layers and the names of those whose pixels differ.
    """
    maps = [layer for layer in fields.fields if linearized.has_map(layer) and layer.is_leaf]
    compared = pick_evenly(maps, NUM_CHECKED_LAYERS)
    unequal = {
        layer.name
        for layer in compared
        for i, j in {(0, 0), layer.center_unit}
        if not torch.equal(fields.pixels(layer.name, i, j), linearized.pixel_weights(layer, i, j) > 0)
    }
    return len(compared), sorted(unequal)


class _LinearizeMode(TorchFunctionMode):
    """Replaces each nonlinear or signed function by a linear one with positive weights."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        live = [tensor for tensor in tensors if tensor.requires_grad]
        if not live:
            return func(*args, **kwargs)
        if name in IDENTITY_FUNCTIONS:
            return live[0]
        if name in SUMMED_FUNCTIONS or (_is_pointwise(name) and (len(live) > 1 or name not in REDUCTION_FUNCTIONS)):
            shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors))
            return sum(tensor.expand(shape) for tensor in live)
        if name.startswith("conv") and len(args) > 1 and isinstance(args[1], Tensor):
            fan = args[1].shape[0 if "transpose" in name else 1]
            uniform = torch.full_like(args[1], 1 / fan, dtype=args[0].dtype)
            return func(args[0], uniform, None, *args[3:], **{key: kwargs[key] for key in kwargs if key != "bias"})
        if name == "linear":
            return F.linear(args[0], torch.full_like(args[1], 1 / args[1].shape[1], dtype=args[0].dtype))
        if name == "scaled_dot_product_attention":
            return _attend_to_self(args[0], args[2] if len(args) > 2 else kwargs["value"])
        if name == "multi_head_attention_forward":
            return args[0], None
        if name in MATMUL_FUNCTIONS and len(live) > 1:
            return func(*args, **kwargs).detach()
        if "max_pool" in name:
            return _replace_max_pool(name, func, args, kwargs)
        output = func(*args, **kwargs)
        if not _is_global_reduction(name, args, kwargs, output):
            return output
        return tuple(part.detach() for part in output) if isinstance(output, tuple) else output.detach()


def _attend_to_self(query: Tensor, value: Tensor) -> Tensor:
    """The mean of each query, repeated over the channels of ``value``: attention to the query's own place."""
    return query.mean(-1, keepdim=True).expand(*query.shape[:-1], value.shape[-1])


@cache
def _is_pointwise(name: str) -> bool:
    """Whether PyTorch tags an operation of this name as pointwise."""
    operation = getattr(torch.ops.aten, name, None)
    overloads = operation.overloads() if operation else ()
    return any(torch.Tag.pointwise in getattr(operation, overload).tags for overload in overloads)


def _replace_max_pool(name: str, func: Any, args: Any, kwargs: Any) -> Any:
    """The average over the windows of a max pool, with the maxima's indices if the function returns them."""
    maximum = func(*args, **kwargs)
    if isinstance(maximum, tuple):
        return _average_windows(name, args, kwargs, maximum[0]), *maximum[1:]
    return _average_windows(name, args, kwargs, maximum)


def _average_windows(name: str, args: Any, kwargs: Any, maximum: Tensor) -> Tensor:
    if name.startswith("adaptive"):
        output = F.adaptive_avg_pool2d(args[0], args[1] if len(args) > 1 else kwargs["output_size"])
        return output.detach() if math.prod(output.shape[-2:]) == 1 else output
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    settings = dict(zip(names, args[1:], strict=False)) | {name: kwargs[name] for name in names if name in kwargs}
    images = args[0] if args else kwargs["input"]
    kernel, dilation = to_pair(settings["kernel_size"]), to_pair(settings.get("dilation", 1))
    stride, padding = to_pair(settings.get("stride") or kernel), to_pair(settings.get("padding", 0))
    if dilation == (1, 1):
        return F.avg_pool2d(images, kernel, stride, padding, bool(settings.get("ceil_mode", False)))
    bottom, right = (  # pixels by which the last window exceeds the padded map
        max(
            0, (maximum.shape[k] - 1) * stride[k] + (kernel[k] - 1) * dilation[k] + 1 - images.shape[k] - 2 * padding[k]
        )
        for k in (-2, -1)
    )
    channels = images.shape[-3]
    weight = images.new_ones(channels, 1, *kernel)
    return F.conv2d(F.pad(images, (0, right, 0, bottom)), weight, None, stride, padding, dilation, channels)


def _is_global_reduction(name: str, args: Any, kwargs: Any, output: Any) -> bool:
    """Whether a function reduces the whole image: over two dimensions or all, or by a pool to one unit."""
    if name.startswith("adaptive"):
        return isinstance(output, Tensor) and math.prod(output.shape[-2:]) == 1
    if name not in REDUCTION_FUNCTIONS:
        return False
    # The first number of a norm is its order.
    candidates = [kwargs["dim"]] if "dim" in kwargs else list(args[1 + name.endswith("norm") :])
    dims = next((value for value in candidates if isinstance(value, (int, tuple, list))), None)
    return dims is None or (isinstance(dims, (tuple, list)) and len(dims) > 1)
