"""Operations that read their input through windows: convolutions, pools, padding, maps made larger or smaller."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor, gcd, prod
from typing import Any

from headstart.understand.receptive_field.axis import Window
from headstart.understand.receptive_field.footprint import (
    Rule,
    Seen,
    UnknownUseError,
    gone,
    image_along,
    length_of,
    only,
    other,
    windowed,
)
from headstart.understand.receptive_field.tracing import Call, Fixed, Value


def pair(value: Any, fallback: Any = None) -> tuple[int, int]:
    """What an operation takes for rows and columns, as one number for both or one each."""
    value = fallback if value in ((), [], None) else value
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
            return [place // stride for place in places if place % stride == 0]

        if not all(reads(i) for i in range(stride)):
            raise UnknownUseError("that leaves gaps between its units")
        return Window(units, taken, reads, up=stride)

    return window


def _convolution(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source, a = only(call, of, "input"), call.arguments
    spatial = [k for k in range(2, len(source.dims)) if image_along([source.dims[k]])]
    if image_along(source.dims[:2]) or not isinstance(a["weight"], Fixed):
        raise UnknownUseError("across a map" if image_along(source.dims[:2]) else "by weights that depend on the image")
    shape = sliding if not a["transposed"] else _transposed
    return windowed(
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
    source = only(call, of, "self")
    kernel = pair(a["kernel_size"])
    stride, padding, dilation = pair(a["stride"], kernel), pair(a["padding"]), pair(a.get("dilation", 1))
    first = len(source.dims) - 2
    return windowed(call, source, {first + k: sliding(kernel[k], stride[k], padding[k], dilation[k]) for k in range(2)})


def _adaptive(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = only(call, of, "self")
    given = call.outputs[0].shape[-2:]
    if prod(given) == 1:
        return pooled(source, (len(source.dims) - 2, len(source.dims) - 1), call)

    def window(units: int, taken: int) -> Window:
        common = gcd(units, taken)
        return Window(
            units,
            taken,
            lambda i: range(i * taken // units, -(-(i + 1) * taken // units)),
            up=units // common,
            down=taken // common,
        )

    return windowed(call, source, {len(source.dims) - 2: window, len(source.dims) - 1: window})


def pooled(source: Seen, over: Sequence[int], call: Call) -> Seen:
    """All of some dimensions becomes one number."""
    over = [k % len(source.dims) for k in over]
    if gone([source.dims[k] for k in over]):
        source = Seen(source.dims, None, True)
    kept = len(call.outputs[0].shape) == len(source.dims)
    dims = [other(1) if k in over else dim for k, dim in enumerate(source.dims) if kept or k not in over]
    return Seen(tuple(dims), source.axes, source.whole, source.local())


def _interpolated(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source, corners = (
        only(call, of, "self" if "self" in call.arguments else "input"),
        call.arguments.get("align_corners"),
    )
    scales = [call.arguments.get(name) for name in ("scales_h", "scales_w")]
    sizes = zip(call.outputs[0].shape[-2:], (length_of(dim) for dim in source.dims[-2:]), strict=True)
    if not corners and any(
        scale and abs(taken * scale - units) > 1e-6 for scale, (units, taken) in zip(scales, sizes, strict=True)
    ):
        raise UnknownUseError("by a scale that the sizes do not have (recompute_scale_factor=True takes theirs)")

    def window(units: int, taken: int) -> Window:
        whole = bool(corners) and units > 1 and taken > 1
        pace = Fraction(taken - 1, units - 1) if whole else Fraction(taken, units)

        def reads(i: int) -> list[int]:
            if corners is None:
                return [floor(i * pace)]
            place = i * pace if corners else (i + Fraction(1, 2)) * pace - Fraction(1, 2)
            return [floor(place)] if place == floor(place) else [floor(place), floor(place) + 1]

        return Window(units, taken, reads, pace.denominator, pace.numerator, lambda unit: min(max(unit, 0), taken - 1))

    return windowed(call, source, dict.fromkeys(range(2, len(source.dims)), window))


def _padded(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = only(call, of, "self")
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

    return windowed(call, source, {len(source.dims) - 1 - k: padding(amounts[2 * k]) for k in range(len(amounts) // 2)})


def _shuffled(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = only(call, of, "self")
    up, down = call.arguments.get("upscale_factor", 1), call.arguments.get("downscale_factor", 1)

    def window(units: int, taken: int) -> Window:
        return Window(units, taken, lambda i: [i * down // up + tap for tap in range(down)], up, down)

    return windowed(call, source, {len(source.dims) - 2: window, len(source.dims) - 1: window})


WINDOWS: dict[str, Rule] = {
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
}
