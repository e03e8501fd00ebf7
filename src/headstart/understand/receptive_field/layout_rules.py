"""Rules for operations that rearrange a tensor's units: views, permutations, slices, concatenation."""

from collections.abc import Callable, Sequence

from headstart.understand.receptive_field.axis import Window
from headstart.understand.receptive_field.footprint import (
    DimensionFactor,
    Footprint,
    Footprints,
    PropagationRule,
    UnsupportedUseError,
    apply_windows,
    channel_dimension,
    dimension_size,
    footprint_union,
    image_axes,
    image_inputs,
    input_footprint,
)
from headstart.understand.receptive_field.tracing import Call


def _propagate_cat(call: Call, footprints: Footprints) -> Footprint:
    inputs = image_inputs(call, footprints)
    shape = call.outputs[0].shape
    concat_dim = call.arguments["dim"] % len(shape)
    if any(image_axes([footprint.dims[concat_dim]]) for footprint in inputs):
        raise UnsupportedUseError("along a map")
    return footprint_union(shape, inputs, concat_dim)


def _propagate_stack(call: Call, footprints: Footprints) -> Footprint:
    shape = call.outputs[0].shape
    k = call.arguments["dim"] % len(shape)
    inputs = image_inputs(call, footprints)
    expanded = [each.with_dims((*each.dims[:k], channel_dimension(1), *each.dims[k:])) for each in inputs]
    union = footprint_union(shape, expanded, k)
    sources = tuple(source for each in inputs for source in each.as_source())
    return Footprint(union.dims, union.axes, union.whole_image, sources)


def _propagate_identity(call: Call, footprints: Footprints) -> Footprint:
    source = image_inputs(call, footprints)[0]
    if tuple(dimension_size(dim) for dim in source.dims) != call.outputs[0].shape:
        raise UnsupportedUseError("that changes sizes")
    if call.name == "as_strided" and image_axes(source.dims):
        raise UnsupportedUseError("of a map")
    return source


def _propagate_reshape(call: Call, footprints: Footprints) -> Footprint:
    source = input_footprint(call, footprints, "self")
    rest = [factor for dim in source.dims for factor in dim if factor.axis or factor.size > 1]
    dims = []
    shape = call.outputs[0].shape
    for k, size in enumerate(shape):
        dim: list[DimensionFactor] = []
        while rest and dimension_size(tuple(dim)) < size:
            factor, missing = rest.pop(0), size // dimension_size(tuple(dim))
            if factor.size > missing:
                if factor.axis or factor.size % missing:
                    raise UnsupportedUseError(f"that parts {factor.axis or 'channels unevenly'}")
                rest.insert(0, DimensionFactor("", factor.size // missing))
                factor = DimensionFactor("", missing)
            dim.append(factor)
        # A map of one unit is still a map: its rows and columns go to a dimension of size 1 or join the one before.
        while rest and rest[0].size == 1 and (not dim or k == len(shape) - 1 or 1 not in shape[k + 1 :]):
            dim.append(rest.pop(0))
        if dimension_size(tuple(dim)) != size:
            raise UnsupportedUseError("that parts a map")
        dims.append(tuple(dim) or channel_dimension(1))
    return source.with_dims(dims)


def _make_permute_rule(order: Callable[[Call, int], Sequence[int]]) -> Callable[[Call, Footprints], Footprint]:
    def propagate_permutation(call: Call, footprints: Footprints) -> Footprint:
        source = input_footprint(call, footprints, "self")
        return source.with_dims([source.dims[k] for k in order(call, len(source.dims))])

    return propagate_permutation


def _transpose_order(call: Call, count: int) -> list[int]:
    order = list(range(count))
    if count > 1:
        a, b = (call.arguments.get(name, k) % count for k, name in enumerate(("dim0", "dim1")))
        order[a], order[b] = b, a
    return order


def _propagate_expand(call: Call, footprints: Footprints) -> Footprint:
    return footprint_union(call.outputs[0].shape, [input_footprint(call, footprints, "self")])


def _slice_footprint(source: Footprint, shape: tuple[int, ...], dim: int, start: int, step: int = 1) -> Footprint:
    """The footprint of units start, start + step, … along a dimension."""
    if not image_axes([source.dims[dim]]):
        return source.with_dims((*source.dims[:dim], channel_dimension(shape[dim]), *source.dims[dim + 1 :]))

    def build_window(num_outputs: int, num_inputs: int) -> Window:
        return Window(num_outputs, num_inputs, lambda i: [i * step + start], input_period=step)

    return apply_windows(shape, source, {dim: build_window})


def _propagate_slice(call: Call, footprints: Footprints) -> Footprint:
    source = input_footprint(call, footprints, "self")
    dim = call.arguments["dim"] % len(source.dims)
    size, start = dimension_size(source.dims[dim]), call.arguments["start"] or 0
    start = min(max(start + size if start < 0 else start, 0), size)
    return _slice_footprint(source, call.outputs[0].shape, dim, start, call.arguments["step"])


def _propagate_split(call: Call, footprints: Footprints) -> list[Footprint | None]:
    source = input_footprint(call, footprints, "self")
    dim, start, parts = call.arguments["dim"] % len(source.dims), 0, []
    for output in call.outputs:
        parts.append(_slice_footprint(source, output.shape, dim, start))
        start += output.shape[dim]
    return list(parts)


def _propagate_select(call: Call, footprints: Footprints) -> Footprint:
    source = input_footprint(call, footprints, "self")
    dim = call.arguments["dim"] % len(source.dims)
    if image_axes([source.dims[dim]]):
        raise UnsupportedUseError("of single rows, columns or pixels")
    return source.with_dims(source.dims[:dim] + source.dims[dim + 1 :])


def _propagate_unbind(call: Call, footprints: Footprints) -> list[Footprint | None]:
    return [_propagate_select(call, footprints)] * len(call.outputs)


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
    "unbind": _propagate_unbind,
    "select": _propagate_select,
}
