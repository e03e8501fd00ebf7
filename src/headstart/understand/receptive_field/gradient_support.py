"""Receptive fields by a second way: gradients of the network made positive and linear.

With weights of one sign, activations and normalisations left out and averages in place of maxima, nothing can cancel
and nothing is ever off: a unit's gradient is then positive at exactly the pixels that it sees. It knows nothing of
kernels and strides, so it can be held against the arithmetic of ``receptive_field``. What sees all of the image
(global pooling, and the gates made of it) is cut off, since that is told apart there too.
"""

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from headstart.errors import HeadstartError
from headstart.networks.call_recorder import CallRecorder
from headstart.networks.copying import clone_network
from headstart.networks.isolation import isolated_execution
from headstart.understand.receptive_field.fields import ReceptiveField, ReceptiveFields
from headstart.understand.receptive_field.footprint import COLUMNS, ROWS, dimension_size
from headstart.understand.receptive_field.window_rules import to_pair


def _parse_names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Their first argument comes out as it is.
IDENTITY_FUNCTIONS = _parse_names(
    """
    prelu hardswish logsigmoid softsign tanhshrink softmax softmin log_softmax gumbel_softmax detach rpow mod floordiv
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout
    batch_norm instance_norm group_norm layer_norm rms_norm local_response_norm normalize
    """
)
# What comes from the image in all of their arguments is added up; a gate of the network's own has no say.
SUMMED_FUNCTIONS = _parse_names("iadd imul isub itruediv multiply radd rtruediv truediv")
# Of two tensors from the image, they sum over one of them whole: attention.
MATMUL_FUNCTIONS = _parse_names("matmul rmatmul bmm baddbmm einsum")
REDUCTION_FUNCTIONS = _parse_names(
    """
    mean sum nansum amax amin max min norm linalg_vector_norm vector_norm matrix_norm logsumexp std var std_mean
    var_mean
    """
)


NUM_CHECKED_LAYERS = 4  # layers that both ways are asked about


class LinearizedNetwork:
    """A network made positive and linear, run on one image: each of its convolutions weighs all that it reads alike.

    Args:
        network: stays as it was.
        shape: (C, H, W) of an image.

    Raises:
        HeadstartError: it does not run so.
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
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return HeadstartError(f"{self._network_name} does not run made linear: {reason}")

    def _record_output(self, name: str, _kind: str, output: object, _layer: bool) -> None:
        if isinstance(output, Tensor):
            self._outputs[name] = output

    def has_map(self, layer: ReceptiveField) -> bool:
        """Whether the layer gives a map, as it stands, that can be asked here."""
        return layer.name in self._outputs and layer.shape[1] * layer.shape[2] > 1

    def pixel_weights(self, layer: ReceptiveField, i: int, j: int) -> Tensor:
        """How much each pixel weighs in unit (i, j) of a layer: float64 (H, W), sum 1; 0 where it does not count.

        Where the unit sees the image only by what sees all of it, every pixel weighs the same.

        Raises:
            HeadstartError: the network has no gradients.
        """
        unit, found = select_unit(self._outputs[layer.name], layer, i, j), None
        if unit.requires_grad:
            try:
                [found] = torch.autograd.grad(unit.sum(), self._image, retain_graph=True, allow_unused=True)
            except Exception as error:
                raise self._build_error(error) from error
        total = torch.ones_like(self._image)[0, 0] if found is None else found[0].abs().sum(0)
        return (total / total.sum()).cpu() if total.any() else total.cpu()


def select_unit(output: Tensor, layer: ReceptiveField, i: int, j: int) -> Tensor:
    """Unit (i, j) of what a layer gives for N images, (N, C), wherever its rows, columns and images lie."""
    sizes = [dimension_size(dim) for dim in layer.dims]
    # The one dimension that is longer than for one image holds the images, outermost.
    images = next((k for k, size in enumerate(sizes) if output.shape[k] != size), 0)
    before = [factor for dim in layer.dims[:images] for factor in dim]
    behind = [factor for dim in layer.dims[images:] for factor in dim]
    output = output.reshape(*(each.size for each in before), -1, *(each.size for each in behind))
    at = {ROWS: i, COLUMNS: j}
    chosen = [at.get(factor.axis, slice(None)) for factor in (*before, *behind)]
    return output.movedim(len(before), 0)[:, *chosen].flatten(1)


def gradient_support(network: nn.Module, shape: tuple[int, int, int], layer: ReceptiveField, i: int, j: int) -> Tensor:
    """The pixels that unit (i, j) of a layer sees, bool (H, W), by gradients."""
    return LinearizedNetwork(network, shape).pixel_weights(layer, i, j) > 0


def compare_with_gradients(fields: ReceptiveFields, linearized: LinearizedNetwork) -> tuple[int, list[str]]:
    """How many layers were asked in both ways, corner and centre unit of each, and those whose pixels differ."""
    known = [each for each in fields.fields if linearized.has_map(each) and each.is_leaf]
    picked = (
        [known[round(k * (len(known) - 1) / max(NUM_CHECKED_LAYERS - 1, 1))] for k in range(NUM_CHECKED_LAYERS)]
        if known
        else []
    )
    unequal = []
    for each in dict.fromkeys(picked):
        for i, j in {(0, 0), (each.shape[1] // 2, each.shape[2] // 2)}:
            if not torch.equal(fields.pixels(each.name, i, j), linearized.pixel_weights(each, i, j) > 0):
                unequal.append(each.name)
    return len(dict.fromkeys(picked)), sorted(set(unequal))


class _LinearizeMode(TorchFunctionMode):
    """Calls a linear, positive function in place of each that is not."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "").strip("_")
        live = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor) and each.requires_grad]
        if not live:
            return func(*args, **kwargs)
        if name in IDENTITY_FUNCTIONS:
            return live[0]
        if name in SUMMED_FUNCTIONS or (_is_pointwise(name) and (len(live) > 1 or name not in REDUCTION_FUNCTIONS)):
            tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, Tensor)]
            shape = torch.broadcast_shapes(*(each.shape for each in tensors))
            return sum(each.expand(shape) for each in live)
        if name.startswith("conv") and len(args) > 1 and isinstance(args[1], Tensor):
            alike = torch.full_like(args[1], 1 / args[1].shape[0 if "transpose" in name else 1], dtype=args[0].dtype)
            return func(args[0], alike, None, *args[3:], **{key: kwargs[key] for key in kwargs if key != "bias"})
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
        out = func(*args, **kwargs)
        if not _is_global_reduction(name, args, kwargs, out):
            return out
        return tuple(each.detach() for each in out) if isinstance(out, tuple) else out.detach()


def _attend_to_self(query: Tensor, like: Tensor) -> Tensor:
    """What each query sees by itself, in as many numbers as the last dimension of ``like`` has."""
    return query.mean(-1, keepdim=True).expand(*query.shape[:-1], like.shape[-1])


@cache
def _is_pointwise(name: str) -> bool:
    """Whether PyTorch tags an operation of this name as one that goes unit by unit."""
    operation = getattr(torch.ops.aten, name, None)
    overloads = operation.overloads() if operation else ()
    return any(torch.Tag.pointwise in getattr(operation, each).tags for each in overloads)


def _replace_max_pool(name: str, func: Any, args: Any, kwargs: Any) -> Any:
    """An average over the windows of a maximum."""
    maximum = func(*args, **kwargs)
    if isinstance(maximum, tuple):  # with the places of the maxima
        return _average_windows(name, args, kwargs, maximum[0]), *maximum[1:]
    return _average_windows(name, args, kwargs, maximum)


def _average_windows(name: str, args: Any, kwargs: Any, maximum: Tensor) -> Tensor:
    if name.startswith("adaptive"):
        out = F.adaptive_avg_pool2d(args[0], args[1] if len(args) > 1 else kwargs["output_size"])
        return out.detach() if math.prod(out.shape[-2:]) == 1 else out
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    given = dict(zip(names, args[1:], strict=False)) | {name: kwargs[name] for name in names if name in kwargs}
    images = args[0] if args else kwargs["input"]
    kernel, spread = to_pair(given["kernel_size"]), to_pair(given.get("dilation", 1))
    stride, padding = to_pair(given.get("stride") or kernel), to_pair(given.get("padding", 0))
    if spread == (1, 1):
        return F.avg_pool2d(images, kernel, stride, padding, bool(given.get("ceil_mode", False)))
    count = images.shape[-3]
    beyond = [  # by which the last window hangs over
        max(0, (maximum.shape[k] - 1) * stride[k] + (kernel[k] - 1) * spread[k] + 1 - images.shape[k] - 2 * padding[k])
        for k in (-2, -1)
    ]
    weight = images.new_ones(count, 1, *kernel)
    return F.conv2d(F.pad(images, (0, beyond[1], 0, beyond[0])), weight, None, stride, padding, spread, count)


def _is_global_reduction(name: str, args: Any, kwargs: Any, out: Any) -> bool:
    """Whether a function takes all of the image together: two dimensions at once or all, or a pool to one unit."""
    if name.startswith("adaptive"):
        return isinstance(out, Tensor) and math.prod(out.shape[-2:]) == 1
    if name not in REDUCTION_FUNCTIONS:
        return False
    # The first number that a norm takes is its order.
    given = [kwargs["dim"]] if "dim" in kwargs else list(args[1 + name.endswith("norm") :])
    over = next((each for each in given if isinstance(each, (int, tuple, list))), None)
    return over is None or (isinstance(over, (tuple, list)) and len(over) > 1)
