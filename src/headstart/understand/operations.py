"""What each tensor operation sees of the image: the words that the arithmetic of receptive fields knows.

A tensor's dimensions are told apart by what runs along them: the image's rows, its columns, or something else
(channels). So a map may lie in any order, be flattened and be unfolded again. An operation that is not in these lists
is named, never guessed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, gcd, prod
from typing import Any, NamedTuple

import torch

from headstart.errors import HeadstartError
from headstart.understand.axis import Axis, Window
from headstart.understand.graph import Call, Fixed, Value

ROWS, COLUMNS = "rows", "columns"


class Factor(NamedTuple):
    along: str
    size: int


Dimension = tuple[Factor, ...]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a tensor's units see of the image.

    Args:
        dims: what runs along each dimension, several things where it was flattened.
        axes: what they see along rows and columns; None where nothing is left but what sees all of the image.
        whole: whether something on the way saw all of the image.
        sources: the tensors that they read it from, and how along rows and columns; None for unit by unit.
    """

    dims: tuple[Dimension, ...]
    axes: tuple[Axis, Axis] | None
    whole: bool = False
    sources: tuple[tuple["Seen", Window | None, Window | None], ...] = ()

    def length(self, along: str) -> int:
        return prod(factor.size for dim in self.dims for factor in dim if factor.along == along)

    def local(self) -> tuple[tuple["Seen", None, None], ...]:
        return ((self, None, None),) if self.axes else ()


class _UnknownError(Exception):
    """A known operation in a use that is not known."""


def seen(call: Call, of: dict[Value, Seen | None]) -> list[Seen | None]:
    """What the outputs of a call see; None for one that no image changes.

    Raises:
        HeadstartError: names an operation that is not known.
    """
    inputs = [each for each in (of[value] for value in call.values()) if each is not None]
    try:
        if call.name in SIZES_ONLY or not inputs:
            return [None] * len(call.outputs)
        rule = RULES.get(call.name)
        if rule is None and torch.Tag.pointwise in call.tags:
            rule = _pointwise
        if rule is None and torch.Tag.reduction in call.tags:
            rule = _reduced
        if rule is None:
            raise _UnknownError
        result = rule(call, of)
        return result if isinstance(result, list) else [result] * len(call.outputs)
    except _UnknownError as use:
        where = f" in {call.where}" if call.where else ""
        how = f" {use}" if str(use) else ""
        message = f"the operation {call.name}{how}{where} is not known: receptive fields end there"
        raise HeadstartError(message) from None


def _other(size: int) -> Dimension:
    return (Factor("", size),)


def _size(dim: Dimension) -> int:
    return prod(factor.size for factor in dim)


def _along(dims: Sequence[Dimension]) -> set[str]:
    return {factor.along for dim in dims for factor in dim} - {""}


def _only(call: Call, of: dict[Value, Seen | None], name: str) -> Seen:
    value = call.arguments[name]
    found = of.get(value) if isinstance(value, Value) else None
    if found is None:
        raise _UnknownError(f"without a map as its {name}")
    return found


def _gone(whole: Sequence[Dimension], lost: Sequence[Dimension]) -> bool:
    """Whether all of the image is lost from the dimensions; losing rows alone or columns alone is not known."""
    if not _along(lost):
        return False
    if _along(lost) != {ROWS, COLUMNS}:
        raise _UnknownError(f"over {' and '.join(_along(lost))} alone")
    return True


def _windowed(call: Call, source: Seen, windows: dict[int, Callable[[int, int], Window]]) -> Seen:
    """``windows`` by dimension, each made from the units given and taken along it."""
    dims, axes = list(source.dims), dict(zip((ROWS, COLUMNS), source.axes or (None, None), strict=True))
    ways: dict[str, Window | None] = {ROWS: None, COLUMNS: None}
    given = call.outputs[0].shape
    for k in range(len(given)):
        if _along([dims[k]]) and k in windows:
            if len(dims[k]) != 1:
                raise _UnknownError("over a flattened map")
            along, axis = dims[k][0].along, axes[dims[k][0].along]
            window = windows[k](given[k], dims[k][0].size)
            dims[k] = (Factor(along, given[k]),)
            if axis is not None:
                axes[along], ways[along] = axis.through(window), window
        elif not _along([dims[k]]):
            dims[k] = _other(given[k])
        elif _size(dims[k]) != given[k]:
            raise _UnknownError("across a flattened map")
    rows, columns = axes[ROWS], axes[COLUMNS]
    if rows is None or columns is None:
        return Seen(tuple(dims), None, source.whole)
    return Seen(tuple(dims), (rows, columns), source.whole, ((source, ways[ROWS], ways[COLUMNS]),))


def _pair(value: Any, fallback: Any = None) -> tuple[int, int]:
    value = fallback if value in ((), None) else value
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def sliding(kernel: int, stride: int, padding: int, dilation: int) -> Callable[[int, int], Window]:
    """A convolution's or a pool's window."""

    def window(units: int, taken: int) -> Window:
        reach = range(0, kernel * dilation, dilation)
        return Window(units, taken, lambda i: [i * stride - padding + tap for tap in reach], down=stride)

    return window


def _transposed(kernel: int, stride: int, padding: int, dilation: int) -> Callable[[int, int], Window]:
    def window(units: int, taken: int) -> Window:
        def reads(i: int) -> list[int]:
            places = [i + padding - tap * dilation for tap in range(kernel)]
            return [place // stride for place in places if place % stride == 0] or [(i + padding) // stride]

        return Window(units, taken, reads, up=stride)

    return window


def _convolution(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source, a = _only(call, of, "input"), call.arguments
    spatial = [k for k in range(2, len(source.dims)) if _along([source.dims[k]])]
    if _along(source.dims[:2]) or not isinstance(a["weight"], Fixed):
        raise _UnknownError("across a map" if _along(source.dims[:2]) else "by weights that depend on the image")
    shape = sliding if not a["transposed"] else _transposed
    return _windowed(
        call,
        source,
        {
            k: shape(a["weight"].shape[k], *(_nth(a[name], k - 2) for name in ("stride", "padding", "dilation")))
            for k in spatial
        },
    )


def _nth(value: Any, k: int) -> int:
    return value if isinstance(value, int) else value[min(k, len(value) - 1)]


def _pool(call: Call, of: dict[Value, Seen | None]) -> Seen:
    a = call.arguments
    source = _only(call, of, "self")
    kernel = _pair(a["kernel_size"])
    stride, padding, dilation = _pair(a["stride"], kernel), _pair(a["padding"]), _pair(a.get("dilation", 1))
    first = len(source.dims) - 2
    return _windowed(
        call, source, {first + k: sliding(kernel[k], stride[k], padding[k], dilation[k]) for k in range(2)}
    )


def _adaptive(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = _only(call, of, "self")
    given = call.outputs[0].shape[-2:]
    if prod(given) == 1:
        return _global(source, (len(source.dims) - 2, len(source.dims) - 1), call)

    def window(units: int, taken: int) -> Window:
        common = gcd(units, taken)
        return Window(
            units,
            taken,
            lambda i: range(i * taken // units, -(-(i + 1) * taken // units)),
            up=units // common,
            down=taken // common,
        )

    return _windowed(call, source, {len(source.dims) - 2: window, len(source.dims) - 1: window})


def _global(source: Seen, over: Sequence[int], call: Call) -> Seen:
    """All of some dimensions becomes one number."""
    over = [k % len(source.dims) for k in over]
    if _gone(source.dims, [source.dims[k] for k in over]):
        source = Seen(source.dims, None, True)
    kept = len(call.outputs[0].shape) == len(source.dims)
    dims = [_other(1) if k in over else dim for k, dim in enumerate(source.dims) if kept or k not in over]
    return Seen(tuple(dims), source.axes, source.whole, source.local())


def _reduced(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = next(each for each in (of[value] for value in call.values()) if each is not None)
    over = call.arguments.get("dim")
    if over is None or over == ():
        over = range(len(source.dims))
    return _global(source, [over] if isinstance(over, int) else over, call)


def _interpolated(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source, corners = (
        _only(call, of, "self" if "self" in call.arguments else "input"),
        call.arguments.get("align_corners"),
    )

    def window(units: int, taken: int) -> Window:
        whole = bool(corners) and units > 1 and taken > 1
        pace = Fraction(taken - 1, units - 1) if whole else Fraction(taken, units)

        def reads(i: int) -> list[int]:
            if corners is None:
                return [floor(i * pace)]
            place = i * pace if corners else (i + Fraction(1, 2)) * pace - Fraction(1, 2)
            return [floor(place)] if place == floor(place) else [floor(place), floor(place) + 1]

        return Window(units, taken, reads, pace.denominator, pace.numerator, lambda unit: min(max(unit, 0), taken - 1))

    return _windowed(call, source, dict.fromkeys(range(2, len(source.dims)), window))


def _padded(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = _only(call, of, "self")
    amounts = call.arguments["pad"] if "pad" in call.arguments else call.arguments["padding"]
    edges: dict[str, Callable[[int], Callable[[int], int]]] = {
        "reflection_pad2d": lambda taken: lambda unit: (taken - 1) - abs((taken - 1) - abs(unit)),
        "replication_pad2d": lambda taken: lambda unit: min(max(unit, 0), taken - 1),
    }

    def padding(before: int) -> Callable[[int, int], Window]:
        def window(units: int, taken: int) -> Window:
            edge = edges[call.name](taken) if call.name in edges else None
            return Window(units, taken, lambda i: [i - before], edge=edge)

        return window

    return _windowed(
        call, source, {len(source.dims) - 1 - k: padding(amounts[2 * k]) for k in range(len(amounts) // 2)}
    )


def _shuffled(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = _only(call, of, "self")
    up, down = call.arguments.get("upscale_factor", 1), call.arguments.get("downscale_factor", 1)

    def window(units: int, taken: int) -> Window:
        return Window(units, taken, lambda i: [i * down // up + tap for tap in range(down)], up, down)

    return _windowed(call, source, {len(source.dims) - 2: window, len(source.dims) - 1: window})


def _pointwise(call: Call, of: dict[Value, Seen | None]) -> Seen:
    return _united(call.outputs[0].shape, [each for each in (of[value] for value in call.values()) if each is not None])


def _united(shape: tuple[int, ...], inputs: list[Seen], channel: int | None = None) -> Seen:
    """Units that read all of some tensors, which lie over each other as broadcasting has it.

    Args:
        channel: the dimension along which they stand one after the other instead.
    """
    dims: list[Dimension] = [_other(size) for size in shape]
    for each in inputs:
        for k, dim in enumerate(each.dims, start=len(shape) - len(each.dims)):
            if _along([dim]) and _size(dim) == shape[k] and not _along([dims[k]]):
                dims[k] = dim
    axes, sources, whole = None, [], any(each.whole for each in inputs)
    for each in (each for each in inputs if each.axes is not None):
        assert each.axes is not None
        own = [(k, d) for k, d in enumerate(each.dims, start=len(shape) - len(each.dims)) if _along([d])]
        if any(_size(dim) == 1 and shape[k] > 1 for k, dim in own):
            whole = True  # a map of one unit, spread over many
            continue
        if channel in [k for k, _ in own] or any(dims[k] != dim for k, dim in own):
            raise _UnknownError("of maps that lie otherwise")
        if axes is None:
            axes = each.axes
        else:
            rows, columns = axes[0].joined(each.axes[0]), axes[1].joined(each.axes[1])
            if rows is None or columns is None:
                raise _UnknownError("of maps of other strides")
            axes = rows, columns
        sources.append((each, None, None))
    return Seen(tuple(dims), axes, whole, tuple(sources))


def _cat(call: Call, of: dict[Value, Seen | None]) -> Seen:
    inputs = [of[value] for value in call.values()]
    shape = call.outputs[0].shape
    channel = call.arguments["dim"] % len(shape)
    if any(each is not None and _along([each.dims[channel]]) for each in inputs):
        raise _UnknownError("along a map")
    return _united(shape, [each for each in inputs if each is not None], channel)


def _stacked(call: Call, of: dict[Value, Seen | None]) -> Seen:
    shape = call.outputs[0].shape
    k = call.arguments["dim"] % len(shape)
    inputs = [each for each in (of[value] for value in call.values()) if each is not None]
    placed = [Seen((*s.dims[:k], _other(1), *s.dims[k:]), s.axes, s.whole, s.local()) for s in inputs]
    return _united(shape, placed, k)


def _same(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = next(each for each in (of[value] for value in call.values()) if each is not None)
    if tuple(_size(dim) for dim in source.dims) != call.outputs[0].shape:
        raise _UnknownError("that changes sizes")
    return source


def _reshaped(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = _only(call, of, "self")
    left = [factor for dim in source.dims for factor in dim if factor.along or factor.size > 1]
    dims = []
    shape = call.outputs[0].shape
    for k, size in enumerate(shape):
        dim: list[Factor] = []
        while left and _size(tuple(dim)) < size:
            factor, need = left.pop(0), size // _size(tuple(dim))
            if factor.size > need:
                if factor.along or factor.size % need:
                    raise _UnknownError(f"that parts {factor.along or 'channels unevenly'}")
                left.insert(0, Factor("", factor.size // need))
                factor = Factor("", need)
            dim.append(factor)
        # A map of a single unit still is one: its rows and columns stay where their size is 1, or with what is before.
        while left and left[0].size == 1 and (not dim or k == len(shape) - 1 or 1 not in shape[k + 1 :]):
            dim.append(left.pop(0))
        if _size(tuple(dim)) != size:
            raise _UnknownError("that parts a map")
        dims.append(tuple(dim) or _other(1))
    return Seen(tuple(dims), source.axes, source.whole, source.local())


def _rearranged(order: Callable[[Call, int], Sequence[int]]) -> Callable[[Call, dict[Value, Seen | None]], Seen]:
    def rule(call: Call, of: dict[Value, Seen | None]) -> Seen:
        source = _only(call, of, "self")
        dims = tuple(source.dims[k] for k in order(call, len(source.dims)))
        return Seen(dims, source.axes, source.whole, source.local())

    return rule


def _transposition(call: Call, count: int) -> list[int]:
    order = list(range(count))
    if count > 1:
        a, b = (call.arguments.get(name, k) % count for k, name in enumerate(("dim0", "dim1")))
        order[a], order[b] = b, a
    return order


def _expanded(call: Call, of: dict[Value, Seen | None]) -> Seen:
    return _united(call.outputs[0].shape, [_only(call, of, "self")])


def _part(source: Seen, shape: tuple[int, ...], dim: int, start: int, step: int = 1) -> Seen:
    """Units start, start + step, … along a dimension."""
    if not _along([source.dims[dim]]):
        dims = (*source.dims[:dim], _other(shape[dim]), *source.dims[dim + 1 :])
        return Seen(dims, source.axes, source.whole, source.local())
    call = Call("slice", frozenset(), {}, (Value(shape),), "")
    return _windowed(
        call,
        source,
        {dim: lambda units, taken: Window(units, taken, lambda i: [i * step + start], down=step)},
    )


def _slice(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source, a = _only(call, of, "self"), call.arguments
    dim = a["dim"] % len(source.dims)
    size, start = _size(source.dims[dim]), a["start"] or 0
    start = min(max(start + size if start < 0 else start, 0), size)
    return _part(source, call.outputs[0].shape, dim, start, a["step"])


def _split(call: Call, of: dict[Value, Seen | None]) -> list[Seen | None]:
    source = _only(call, of, "self")
    dim, start, parts = call.arguments["dim"] % len(source.dims), 0, []
    for output in call.outputs:
        parts.append(_part(source, output.shape, dim, start))
        start += output.shape[dim]
    return list(parts)


def _selected(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = _only(call, of, "self")
    dim = call.arguments["dim"] % len(source.dims)
    if _along([source.dims[dim]]):
        raise _UnknownError("of single rows, columns or pixels")
    dims = source.dims[:dim] + source.dims[dim + 1 :]
    return Seen(dims, source.axes, source.whole, source.local())


def _normalised(call: Call, of: dict[Value, Seen | None]) -> Seen:
    """Normalisation: over the image where it takes its statistics from it."""
    source = _only(call, of, "input")
    if call.name == "native_group_norm":
        over = source.dims
    elif "normalized_shape" in call.arguments:
        over = source.dims[len(source.dims) - len(call.arguments["normalized_shape"]) :]
    else:
        # Instance normalisation, which PyTorch writes as batch normalisation of a batch's statistics.
        over = source.dims if call.arguments.get("training") else ()
    return Seen(source.dims, source.axes, source.whole or bool(_along(over)), source.local())


def _softmax(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = _only(call, of, "self")
    return Seen(
        source.dims, source.axes, source.whole or bool(_along([source.dims[call.arguments["dim"]]])), source.local()
    )


def _product(call: Call, of: dict[Value, Seen | None]) -> Seen:
    """A matrix product: what it sums over is read whole."""
    left, right = (call.arguments[name] for name in PRODUCTS[call.name])
    a, b = (of.get(each) if isinstance(each, Value) else None for each in (left, right))
    shape = call.outputs[0].shape
    # Where both hold a map, each unit of the first reads all of the second.
    whole = any(each is not None and each.whole for each in (a, b))
    kept: Seen | None = None
    dims = [_other(size) for size in shape]
    for each, summed, place in ((a, -1, -2), (b, -2, -1)):
        if each is None:
            continue
        if _gone(each.dims, [each.dims[summed]]) or (kept is not None and each.axes is not None):
            whole = True
        elif each.axes is not None:
            kept = each
            dims[place] = each.dims[place]
            for k in range(len(shape) - 2):
                dims[k] = each.dims[k]
    return Seen(tuple(dims), kept.axes if kept else None, whole, kept.local() if kept else ())


def _attention(call: Call, of: dict[Value, Seen | None]) -> Seen:
    query, keys = _only(call, of, "query"), _only(call, of, "key")
    shape = call.outputs[0].shape
    dims = (*query.dims[:-1], _other(shape[-1]))
    return Seen(dims, query.axes, query.whole or bool(_along(keys.dims)), query.local())


PRODUCTS = {"addmm": ("mat1", "mat2"), "mm": ("self", "mat2"), "bmm": ("self", "mat2"), "baddbmm": ("batch1", "batch2")}
# What they give depends on a tensor's size alone.
SIZES_ONLY = {f"{kind}_like" for kind in ("empty", "zeros", "ones", "full", "rand", "randn")} | {
    f"new_{kind}" for kind in ("empty", "zeros", "ones", "full")
}
Rule = Callable[[Call, dict[Value, Seen | None]], Seen | list[Seen | None]]
RULES: dict[str, Rule] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _pool,
    "avg_pool2d": _pool,
    "_adaptive_avg_pool2d": _adaptive,
    "adaptive_max_pool2d": _adaptive,
    "upsample_nearest2d": _interpolated,
    "upsample_bilinear2d": _interpolated,
    "constant_pad_nd": _padded,
    "reflection_pad2d": _padded,
    "replication_pad2d": _padded,
    "pixel_shuffle": _shuffled,
    "pixel_unshuffle": _shuffled,
    "cat": _cat,
    "stack": _stacked,
    "hardswish": _pointwise,
    **dict.fromkeys(
        ("alias", "detach", "_to_copy", "clone", "contiguous", "as_strided", "native_channel_shuffle"), _same
    ),
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze", "unsqueeze"), _reshaped),
    "permute": _rearranged(lambda call, count: call.arguments["dims"]),
    **dict.fromkeys(("transpose", "t"), _rearranged(_transposition)),
    "expand": _expanded,
    "slice": _slice,
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "unbind": lambda call, of: [_selected(call, of)] * len(call.outputs),
    "select": _selected,
    **dict.fromkeys(("mean", "sum", "amax", "amin", "var", "var_mean", "std", "linalg_vector_norm", "max"), _reduced),
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"), _normalised
    ),
    **dict.fromkeys(("native_group_norm", "native_layer_norm", "_fused_rms_norm"), _normalised),
    **dict.fromkeys(("_softmax", "_log_softmax", "cumsum"), _softmax),
    **dict.fromkeys(PRODUCTS, _product),
    **dict.fromkeys(
        (
            "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_cudnn_attention",
        ),
        _attention,
    ),
}
