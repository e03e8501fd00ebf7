"""Operations that only lay a tensor's units otherwise: views, permutations, parts, tensors put together."""

from collections.abc import Callable, Sequence

from headstart.understand.receptive_field.axis import Window
from headstart.understand.receptive_field.footprint import (
    Factor,
    Rule,
    Seen,
    UnknownUseError,
    image_along,
    length_of,
    only,
    other,
    united,
    windowed,
)
from headstart.understand.receptive_field.tracing import Call, Value


def _cat(call: Call, of: dict[Value, Seen | None]) -> Seen:
    inputs = [of[value] for value in call.values()]
    shape = call.outputs[0].shape
    channel = call.arguments["dim"] % len(shape)
    if any(each is not None and image_along([each.dims[channel]]) for each in inputs):
        raise UnknownUseError("along a map")
    return united(shape, [each for each in inputs if each is not None], channel)


def _stacked(call: Call, of: dict[Value, Seen | None]) -> Seen:
    shape = call.outputs[0].shape
    k = call.arguments["dim"] % len(shape)
    inputs = [each for each in (of[value] for value in call.values()) if each is not None]
    placed = [Seen((*s.dims[:k], other(1), *s.dims[k:]), s.axes, s.whole, s.local()) for s in inputs]
    whole = united(shape, placed, k)
    return Seen(whole.dims, whole.axes, whole.whole, tuple(source for each in inputs for source in each.local()))


def _same(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = next(each for each in (of[value] for value in call.values()) if each is not None)
    if tuple(length_of(dim) for dim in source.dims) != call.outputs[0].shape:
        raise UnknownUseError("that changes sizes")
    if call.name == "as_strided" and image_along(source.dims):
        raise UnknownUseError("of a map")
    return source


def _reshaped(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = only(call, of, "self")
    left = [factor for dim in source.dims for factor in dim if factor.along or factor.size > 1]
    dims = []
    shape = call.outputs[0].shape
    for k, size in enumerate(shape):
        dim: list[Factor] = []
        while left and length_of(tuple(dim)) < size:
            factor, need = left.pop(0), size // length_of(tuple(dim))
            if factor.size > need:
                if factor.along or factor.size % need:
                    raise UnknownUseError(f"that parts {factor.along or 'channels unevenly'}")
                left.insert(0, Factor("", factor.size // need))
                factor = Factor("", need)
            dim.append(factor)
        # A map of a single unit still is one: its rows and columns stay where their size is 1, or with what is before.
        while left and left[0].size == 1 and (not dim or k == len(shape) - 1 or 1 not in shape[k + 1 :]):
            dim.append(left.pop(0))
        if length_of(tuple(dim)) != size:
            raise UnknownUseError("that parts a map")
        dims.append(tuple(dim) or other(1))
    return Seen(tuple(dims), source.axes, source.whole, source.local())


def _rearranged(order: Callable[[Call, int], Sequence[int]]) -> Callable[[Call, dict[Value, Seen | None]], Seen]:
    def rule(call: Call, of: dict[Value, Seen | None]) -> Seen:
        source = only(call, of, "self")
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
    return united(call.outputs[0].shape, [only(call, of, "self")])


def _part(source: Seen, shape: tuple[int, ...], dim: int, start: int, step: int = 1) -> Seen:
    """Units start, start + step, … along a dimension."""
    if not image_along([source.dims[dim]]):
        dims = (*source.dims[:dim], other(shape[dim]), *source.dims[dim + 1 :])
        return Seen(dims, source.axes, source.whole, source.local())
    call = Call("slice", frozenset(), {}, (Value(shape),), "")
    return windowed(
        call,
        source,
        {dim: lambda units, taken: Window(units, taken, lambda i: [i * step + start], down=step)},
    )


def _slice(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source, a = only(call, of, "self"), call.arguments
    dim = a["dim"] % len(source.dims)
    size, start = length_of(source.dims[dim]), a["start"] or 0
    start = min(max(start + size if start < 0 else start, 0), size)
    return _part(source, call.outputs[0].shape, dim, start, a["step"])


def _split(call: Call, of: dict[Value, Seen | None]) -> list[Seen | None]:
    source = only(call, of, "self")
    dim, start, parts = call.arguments["dim"] % len(source.dims), 0, []
    for output in call.outputs:
        parts.append(_part(source, output.shape, dim, start))
        start += output.shape[dim]
    return list(parts)


def _selected(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = only(call, of, "self")
    dim = call.arguments["dim"] % len(source.dims)
    if image_along([source.dims[dim]]):
        raise UnknownUseError("of single rows, columns or pixels")
    dims = source.dims[:dim] + source.dims[dim + 1 :]
    return Seen(dims, source.axes, source.whole, source.local())


ARRANGEMENTS: dict[str, Rule] = {
    "cat": _cat,
    "stack": _stacked,
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
        _same,
    ),
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze", "unsqueeze"), _reshaped),
    "permute": _rearranged(lambda call, count: call.arguments["dims"]),
    **dict.fromkeys(("transpose", "t"), _rearranged(_transposition)),
    "expand": _expanded,
    "slice": _slice,
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "unbind": lambda call, of: [_selected(call, of)] * len(call.outputs),
    "select": _selected,
}
