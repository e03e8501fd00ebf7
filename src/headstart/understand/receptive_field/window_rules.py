"""Operations that read their input through windows: convolutions, pools, padding, maps made larger or smaller."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor, gcd, prod
from typing import Any

from headstart.understand.receptive_field.axis import Window
from headstart.understand.receptive_field.footprint import (
    Footprint,
    PropagationRule,
    UnsupportedUseError,
    apply_windows,
    channel_dimension,
    dimension_size,
    image_axes,
    input_footprint,
    loses_image_axes,
)
from headstart.understand.receptive_field.tracing import Call, Constant, Value


def to_pair(value: Any, fallback: Any = None) -> tuple[int, int]:
    """What an operation takes for rows and columns, as one number for both or one each."""
    value = fallback if value in ((), [], None) else value
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def sliding_window(kernel: int, stride: int, padding: int, dilation: int) -> Callable[[int, int], Window]:
    """A convolution's or a pool's window."""

    def window(units: int, taken: int) -> Window:
        reach = range(0, kernel * dilation, dilation)
        return Window(units, taken, lambda i: [i * stride - padding + tap for tap in reach], input_period=stride)

    return window


def _transposed_window(kernel: int, stride: int, padding: int, dilation: int) -> Callable[[int, int], Window]:
    def window(units: int, taken: int) -> Window:
        def reads(i: int) -> list[int]:
            places = [i + padding - tap * dilation for tap in range(kernel)]
            return [place // stride for place in places if place % stride == 0]

        if not all(reads(i) for i in range(stride)):
            raise UnsupportedUseError("that leaves gaps between its units")
        return Window(units, taken, reads, output_period=stride)

    return window


def _propagate_convolution(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source, a = input_footprint(call, footprints, "input"), call.arguments
    spatial = [k for k in range(2, len(source.dims)) if image_axes([source.dims[k]])]
    if image_axes(source.dims[:2]) or not isinstance(a["weight"], Constant):
        raise UnsupportedUseError(
            "across a map" if image_axes(source.dims[:2]) else "by weights that depend on the image"
        )
    shape = sliding_window if not a["transposed"] else _transposed_window
    return apply_windows(
        call,
        source,
        {
            k: shape(a["weight"].shape[k], *(_nth(a[name], k - 2) for name in ("stride", "padding", "dilation")))
            for k in spatial
        },
    )


def _nth(value: Any, k: int) -> int:
    return value if isinstance(value, int) else value[min(k, len(value) - 1)]


def _propagate_pool(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    a = call.arguments
    source = input_footprint(call, footprints, "self")
    kernel = to_pair(a["kernel_size"])
    stride, padding, dilation = to_pair(a["stride"], kernel), to_pair(a["padding"]), to_pair(a.get("dilation", 1))
    first = len(source.dims) - 2
    return apply_windows(
        call, source, {first + k: sliding_window(kernel[k], stride[k], padding[k], dilation[k]) for k in range(2)}
    )


def _propagate_adaptive_pool(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source = input_footprint(call, footprints, "self")
    given = call.outputs[0].shape[-2:]
    if prod(given) == 1:
        return reduce_dimensions(source, (len(source.dims) - 2, len(source.dims) - 1), call)

    def window(units: int, taken: int) -> Window:
        common = gcd(units, taken)
        return Window(
            units,
            taken,
            lambda i: range(i * taken // units, -(-(i + 1) * taken // units)),
            output_period=units // common,
            input_period=taken // common,
        )

    return apply_windows(call, source, {len(source.dims) - 2: window, len(source.dims) - 1: window})


def reduce_dimensions(source: Footprint, over: Sequence[int], call: Call) -> Footprint:
    """All of some dimensions becomes one number."""
    over = [k % len(source.dims) for k in over]
    if loses_image_axes([source.dims[k] for k in over]):
        source = Footprint(source.dims, None, True)
    kept = len(call.outputs[0].shape) == len(source.dims)
    dims = [channel_dimension(1) if k in over else dim for k, dim in enumerate(source.dims) if kept or k not in over]
    return Footprint(tuple(dims), source.axes, source.whole_image, source.as_source())


def _propagate_interpolation(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source, corners = (
        input_footprint(call, footprints, "self" if "self" in call.arguments else "input"),
        call.arguments.get("align_corners"),
    )
    scales = [call.arguments.get(name) for name in ("scales_h", "scales_w")]
    sizes = zip(call.outputs[0].shape[-2:], (dimension_size(dim) for dim in source.dims[-2:]), strict=True)
    if not corners and any(
        scale and abs(taken * scale - units) > 1e-6 for scale, (units, taken) in zip(scales, sizes, strict=True)
    ):
        raise UnsupportedUseError("by a scale that the sizes do not have (recompute_scale_factor=True takes theirs)")

    def window(units: int, taken: int) -> Window:
        whole = bool(corners) and units > 1 and taken > 1
        pace = Fraction(taken - 1, units - 1) if whole else Fraction(taken, units)

        def reads(i: int) -> list[int]:
            if corners is None:
                return [floor(i * pace)]
            place = i * pace if corners else (i + Fraction(1, 2)) * pace - Fraction(1, 2)
            return [floor(place)] if place == floor(place) else [floor(place), floor(place) + 1]

        return Window(units, taken, reads, pace.denominator, pace.numerator, lambda unit: min(max(unit, 0), taken - 1))

    return apply_windows(call, source, dict.fromkeys(range(2, len(source.dims)), window))


def _propagate_padding(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source = input_footprint(call, footprints, "self")
    amounts = call.arguments["pad"] if "pad" in call.arguments else call.arguments["padding"]
    edges: dict[str, Callable[[int], Callable[[int], int]]] = {
        "reflection_pad2d": lambda taken: lambda unit: (taken - 1) - abs((taken - 1) - abs(unit)),
        "replication_pad2d": lambda taken: lambda unit: min(max(unit, 0), taken - 1),
    }

    def padding(before: int) -> Callable[[int, int], Window]:
        def window(units: int, taken: int) -> Window:
            edge = edges[call.name](taken) if call.name in edges else None
            return Window(units, taken, lambda i: [i - before], border_index=edge)

        return window

    return apply_windows(
        call, source, {len(source.dims) - 1 - k: padding(amounts[2 * k]) for k in range(len(amounts) // 2)}
    )


def _propagate_pixel_shuffle(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source = input_footprint(call, footprints, "self")
    up, down = call.arguments.get("upscale_factor", 1), call.arguments.get("downscale_factor", 1)

    def window(units: int, taken: int) -> Window:
        return Window(units, taken, lambda i: [i * down // up + tap for tap in range(down)], up, down)

    return apply_windows(call, source, {len(source.dims) - 2: window, len(source.dims) - 1: window})


WINDOW_RULES: dict[str, PropagationRule] = {
    "convolution": _propagate_convolution,
    "max_pool2d_with_indices": _propagate_pool,
    "avg_pool2d": _propagate_pool,
    "_adaptive_avg_pool2d": _propagate_adaptive_pool,
    "adaptive_max_pool2d": _propagate_adaptive_pool,
    "upsample_nearest2d": _propagate_interpolation,
    "upsample_bilinear2d": _propagate_interpolation,
    "constant_pad_nd": _propagate_padding,
    "reflection_pad2d": _propagate_padding,
    "replication_pad2d": _propagate_padding,
    "pixel_shuffle": _propagate_pixel_shuffle,
    "pixel_unshuffle": _propagate_pixel_shuffle,
}
