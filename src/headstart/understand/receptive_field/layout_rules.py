"""Operations that only lay a tensor's units otherwise: views, permutations, parts, tensors put together."""

from collections.abc import Callable, Sequence

from headstart.understand.receptive_field.axis import Window
from headstart.understand.receptive_field.footprint import (
    DimensionFactor,
    Footprint,
    PropagationRule,
    UnsupportedUseError,
    apply_windows,
    channel_dimension,
    dimension_size,
    footprint_union,
    image_axes,
    input_footprint,
)
from headstart.understand.receptive_field.tracing import Call, Value


def _propagate_cat(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    inputs = [footprints[value] for value in call.input_values()]
    shape = call.outputs[0].shape
    channel = call.arguments["dim"] % len(shape)
    if any(each is not None and image_axes([each.dims[channel]]) for each in inputs):
        raise UnsupportedUseError("along a map")
    return footprint_union(shape, [each for each in inputs if each is not None], channel)


def _propagate_stack(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    shape = call.outputs[0].shape
    k = call.arguments["dim"] % len(shape)
    inputs = [each for each in (footprints[value] for value in call.input_values()) if each is not None]
    placed = [
        Footprint((*s.dims[:k], channel_dimension(1), *s.dims[k:]), s.axes, s.whole_image, s.as_source())
        for s in inputs
    ]
    whole = footprint_union(shape, placed, k)
    return Footprint(
        whole.dims, whole.axes, whole.whole_image, tuple(source for each in inputs for source in each.as_source())
    )


def _propagate_identity(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source = next(each for each in (footprints[value] for value in call.input_values()) if each is not None)
    if tuple(dimension_size(dim) for dim in source.dims) != call.outputs[0].shape:
        raise UnsupportedUseError("that changes sizes")
    if call.name == "as_strided" and image_axes(source.dims):
        raise UnsupportedUseError("of a map")
    return source


def _propagate_reshape(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source = input_footprint(call, footprints, "self")
    left = [factor for dim in source.dims for factor in dim if factor.axis or factor.size > 1]
    dims = []
    shape = call.outputs[0].shape
    for k, size in enumerate(shape):
        dim: list[DimensionFactor] = []
        while left and dimension_size(tuple(dim)) < size:
            factor, need = left.pop(0), size // dimension_size(tuple(dim))
            if factor.size > need:
                if factor.axis or factor.size % need:
                    raise UnsupportedUseError(f"that parts {factor.axis or 'channels unevenly'}")
                left.insert(0, DimensionFactor("", factor.size // need))
                factor = DimensionFactor("", need)
            dim.append(factor)
        # A map of a single unit still is one: its rows and columns stay where their size is 1, or with what is before.
        while left and left[0].size == 1 and (not dim or k == len(shape) - 1 or 1 not in shape[k + 1 :]):
            dim.append(left.pop(0))
        if dimension_size(tuple(dim)) != size:
            raise UnsupportedUseError("that parts a map")
        dims.append(tuple(dim) or channel_dimension(1))
    return Footprint(tuple(dims), source.axes, source.whole_image, source.as_source())


def _make_permute_rule(
    order: Callable[[Call, int], Sequence[int]],
) -> Callable[[Call, dict[Value, Footprint | None]], Footprint]:
    def rule(call: Call, of: dict[Value, Footprint | None]) -> Footprint:
        source = input_footprint(call, of, "self")
        dims = tuple(source.dims[k] for k in order(call, len(source.dims)))
        return Footprint(dims, source.axes, source.whole_image, source.as_source())

    return rule


def _transpose_order(call: Call, count: int) -> list[int]:
    order = list(range(count))
    if count > 1:
        a, b = (call.arguments.get(name, k) % count for k, name in enumerate(("dim0", "dim1")))
        order[a], order[b] = b, a
    return order


def _propagate_expand(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    return footprint_union(call.outputs[0].shape, [input_footprint(call, footprints, "self")])


def _slice_footprint(source: Footprint, shape: tuple[int, ...], dim: int, start: int, step: int = 1) -> Footprint:
    """Units start, start + step, … along a dimension."""
    if not image_axes([source.dims[dim]]):
        dims = (*source.dims[:dim], channel_dimension(shape[dim]), *source.dims[dim + 1 :])
        return Footprint(dims, source.axes, source.whole_image, source.as_source())
    call = Call("slice", frozenset(), {}, (Value(shape),), "")
    return apply_windows(
        call,
        source,
        {dim: lambda units, taken: Window(units, taken, lambda i: [i * step + start], input_period=step)},
    )


def _propagate_slice(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source, a = input_footprint(call, footprints, "self"), call.arguments
    dim = a["dim"] % len(source.dims)
    size, start = dimension_size(source.dims[dim]), a["start"] or 0
    start = min(max(start + size if start < 0 else start, 0), size)
    return _slice_footprint(source, call.outputs[0].shape, dim, start, a["step"])


def _propagate_split(call: Call, footprints: dict[Value, Footprint | None]) -> list[Footprint | None]:
    source = input_footprint(call, footprints, "self")
    dim, start, parts = call.arguments["dim"] % len(source.dims), 0, []
    for output in call.outputs:
        parts.append(_slice_footprint(source, output.shape, dim, start))
        start += output.shape[dim]
    return list(parts)


def _propagate_select(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source = input_footprint(call, footprints, "self")
    dim = call.arguments["dim"] % len(source.dims)
    if image_axes([source.dims[dim]]):
        raise UnsupportedUseError("of single rows, columns or pixels")
    dims = source.dims[:dim] + source.dims[dim + 1 :]
    return Footprint(dims, source.axes, source.whole_image, source.as_source())


LAYOUT_RULES: dict[str, PropagationRule] = {
    "cat": _propagate_cat,
    "stack": _propagate_stack,
    **dict.fromkeys(
        (
            "alias",
            "detach",
            "_to_copy",
            "clone",
            "contiguous",
            "as_strided",
            "native_channel_shuffle",
            "channel_shuffle",
        ),
        _propagate_identity,
    ),
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze", "unsqueeze"), _propagate_reshape),
    "permute": _make_permute_rule(lambda call, count: call.arguments["dims"]),
    **dict.fromkeys(("transpose", "t"), _make_permute_rule(_transpose_order)),
    "expand": _propagate_expand,
    "slice": _propagate_slice,
    **dict.fromkeys(("split", "split_with_sizes"), _propagate_split),
    "unbind": lambda call, of: [_propagate_select(call, of)] * len(call.outputs),
    "select": _propagate_select,
}
