"""Rules for operations that read windows of their input: convolutions, pools, padding, resizing, reductions."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor, gcd, prod

from headstart.understand.receptive_field.axis import Window
from headstart.understand.receptive_field.footprint import (
    Footprint,
    Footprints,
    PropagationRule,
    UnsupportedUseError,
    apply_windows,
    channel_dimension,
    dimension_size,
    image_axes,
    input_footprint,
    loses_image_axes,
    to_pair,
)
from headstart.understand.receptive_field.tracing import Call, Constant

WindowBuilder = Callable[[int, int], Window]  # from the numbers of output and input units


def sliding_window(kernel: int, stride: int, padding: int, dilation: int) -> WindowBuilder:
    """The window of a convolution or pool."""
    taps = range(0, kernel * dilation, dilation)

    def build_window(num_outputs: int, num_inputs: int) -> Window:
        return Window(
            num_outputs, num_inputs, lambda i: [i * stride - padding + tap for tap in taps], input_period=stride
        )

    return build_window


def _transposed_window(kernel: int, stride: int, padding: int, dilation: int) -> WindowBuilder:
    def input_indices(i: int) -> list[int]:
        places = [i + padding - tap * dilation for tap in range(kernel)]
        return [place // stride for place in places if place % stride == 0]

    def build_window(num_outputs: int, num_inputs: int) -> Window:
        if not all(input_indices(i) for i in range(stride)):
            raise UnsupportedUseError("that leaves gaps between its units")
        return Window(num_outputs, num_inputs, input_indices, output_period=stride)

    return build_window


def _propagate_convolution(call: Call, footprints: Footprints) -> Footprint:
    source, weight = input_footprint(call, footprints, "input"), call.arguments["weight"]
    if image_axes(source.dims[:2]):
        raise UnsupportedUseError("across a map")
    if not isinstance(weight, Constant):
        raise UnsupportedUseError("by weights that depend on the image")
    make_builder = _transposed_window if call.arguments["transposed"] else sliding_window
    settings = [call.arguments[name] for name in ("stride", "padding", "dilation")]
    windows = {
        k: make_builder(weight.shape[k], *(_nth(setting, k - 2) for setting in settings))
        for k in range(2, len(source.dims))
        if image_axes([source.dims[k]])
    }
    return apply_windows(call.outputs[0].shape, source, windows)


def _nth(value: int | Sequence[int], k: int) -> int:
    return value if isinstance(value, int) else value[min(k, len(value) - 1)]


def _propagate_pool(call: Call, footprints: Footprints) -> Footprint:
    source, arguments = input_footprint(call, footprints, "self"), call.arguments
    kernel, padding = to_pair(arguments["kernel_size"]), to_pair(arguments["padding"])
    stride, dilation = to_pair(arguments["stride"], kernel), to_pair(arguments.get("dilation", 1))
    first = len(source.dims) - 2
    windows = {first + k: sliding_window(kernel[k], stride[k], padding[k], dilation[k]) for k in range(2)}
    return apply_windows(call.outputs[0].shape, source, windows)


def _propagate_adaptive_pool(call: Call, footprints: Footprints) -> Footprint:
    source = input_footprint(call, footprints, "self")
    map_dims = (len(source.dims) - 2, len(source.dims) - 1)
    if prod(call.outputs[0].shape[-2:]) == 1:
        return reduce_dimensions(source, map_dims, call)

    def build_window(num_outputs: int, num_inputs: int) -> Window:
        common = gcd(num_outputs, num_inputs)
        return Window(
            num_outputs,
            num_inputs,
            lambda i: range(i * num_inputs // num_outputs, -(-(i + 1) * num_inputs // num_outputs)),
            output_period=num_outputs // common,
            input_period=num_inputs // common,
        )

    return apply_windows(call.outputs[0].shape, source, dict.fromkeys(map_dims, build_window))


def reduce_dimensions(source: Footprint, reduced: Sequence[int], call: Call) -> Footprint:
    """The footprint after a reduction of some dimensions to one number."""
    reduced = [k % len(source.dims) for k in reduced]
    if loses_image_axes([source.dims[k] for k in reduced]):
        source = Footprint(source.dims, None, True)
    keeps_dims = len(call.outputs[0].shape) == len(source.dims)
    return source.with_dims(
        [
            channel_dimension(1) if k in reduced else dim
            for k, dim in enumerate(source.dims)
            if keeps_dims or k not in reduced
        ]
    )


def _propagate_interpolation(call: Call, footprints: Footprints) -> Footprint:
    source = input_footprint(call, footprints, "self" if "self" in call.arguments else "input")
    align_corners = call.arguments.get("align_corners")  # None: nearest
    scales = [call.arguments.get(name) for name in ("scales_h", "scales_w")]
    input_sizes = [dimension_size(dim) for dim in source.dims[-2:]]
    if not align_corners:
        for scale, output, size in zip(scales, call.outputs[0].shape[-2:], input_sizes, strict=True):
            if scale and abs(size * scale - output) > 1e-6:
                raise UnsupportedUseError(
                    "by a scale that the sizes do not have (recompute_scale_factor=True takes theirs)"
                )

    def build_window(num_outputs: int, num_inputs: int) -> Window:
        is_aligned = bool(align_corners) and num_outputs > 1 and num_inputs > 1
        pace = Fraction(num_inputs - 1, num_outputs - 1) if is_aligned else Fraction(num_inputs, num_outputs)

        def input_indices(i: int) -> list[int]:
            if align_corners is None:
                return [floor(i * pace)]
            place = i * pace if align_corners else (i + Fraction(1, 2)) * pace - Fraction(1, 2)
            return [floor(place)] if place == floor(place) else [floor(place), floor(place) + 1]

        def border_index(unit: int) -> int:
            return min(max(unit, 0), num_inputs - 1)

        return Window(num_outputs, num_inputs, input_indices, pace.denominator, pace.numerator, border_index)

    return apply_windows(call.outputs[0].shape, source, dict.fromkeys(range(2, len(source.dims)), build_window))


def _propagate_padding(call: Call, footprints: Footprints) -> Footprint:
    source = input_footprint(call, footprints, "self")
    amounts = call.arguments["pad"] if "pad" in call.arguments else call.arguments["padding"]

    def make_builder(before: int) -> WindowBuilder:
        def build_window(num_outputs: int, num_inputs: int) -> Window:
            last = num_inputs - 1
            border_indices: dict[str, Callable[[int], int]] = {
                "reflection_pad2d": lambda unit: last - abs(last - abs(unit)),
                "replication_pad2d": lambda unit: min(max(unit, 0), last),
            }
            border_index = border_indices.get(call.name)
            return Window(num_outputs, num_inputs, lambda i: [i - before], border_index=border_index)

        return build_window

    windows = {len(source.dims) - 1 - k: make_builder(amounts[2 * k]) for k in range(len(amounts) // 2)}
    return apply_windows(call.outputs[0].shape, source, windows)


def _propagate_pixel_shuffle(call: Call, footprints: Footprints) -> Footprint:
    source = input_footprint(call, footprints, "self")
    up, down = call.arguments.get("upscale_factor", 1), call.arguments.get("downscale_factor", 1)

    def build_window(num_outputs: int, num_inputs: int) -> Window:
        return Window(num_outputs, num_inputs, lambda i: [i * down // up + tap for tap in range(down)], up, down)

    windows = {len(source.dims) - 2: build_window, len(source.dims) - 1: build_window}
    return apply_windows(call.outputs[0].shape, source, windows)


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
