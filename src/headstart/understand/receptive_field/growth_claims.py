"""The lesson's sentences about fields, judged by what the convolutions of a network add to them."""

from collections.abc import Sequence
from functools import cache
from statistics import fmean

from headstart.understand.claims import Claim
from headstart.understand.convolution.kernel_drawing import format_short_number
from headstart.understand.receptive_field.growth import (
    FieldGrowth,
    find_stacks,
    growth_by_stride,
    is_plain_stack,
    stack_field_sizes,
    stacks_verdict,
    stride_growth_verdict,
    theoretical_stack_field,
)

CLAIMS = {
    "stacks-see-3-5-7": "One 3×3 layer sees 3×3 pixels, two on top of each other 5×5, three 7×7.",
    "strides-widen-faster": "Pooling and strides make fields grow faster than further layers do.",
}
OTHER_RUN_COMMAND = "headstart understand OTHER_RUN --only receptive_field"


def build_growth_claims(layers: Sequence[FieldGrowth], reason: str = "") -> list[Claim]:
    """The lesson's sentences about fields.

    Args:
        layers: what the network's convolutions add to the field.
        reason: why nothing is known of them; empty where it is.
    """
    return [_build_stack_claim(find_stacks(layers), reason), _build_stride_claim(layers, reason)]


@cache  # for the claim, and for the numbers beside it
def cumulative_stack_fields(layers: str) -> tuple[int, ...]:
    """What the first one, two, … of these layers see, in pixels, as :func:`stack` builds them."""
    return tuple(theoretical_stack_field(list(layers[: n + 1])) for n in range(len(layers)))


def _build_stack_claim(stacks: list[list[FieldGrowth]], reason: str) -> Claim:
    name = "stacks-see-3-5-7"
    none = reason or "no two 3×3 layers of this network lie on top of each other, with their fields within the image"
    told = "; ".join(_describe_stack(run) for run in stacks)
    return Claim(
        name,
        CLAIMS[name],
        stacks_verdict([stack_field_sizes(run) for run in stacks], [is_plain_stack(run) for run in stacks]),
        f"your stacks, by gradients, in units of the map that each begins on: {told}" if stacks else none,
        f"layers built for it: {_join_sizes(cumulative_stack_fields('333'))}; with stride 2 in the first {_join_sizes(cumulative_stack_fields('s33'))}",
        command="" if stacks else OTHER_RUN_COMMAND,
    )


def _join_sizes(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _describe_stack(stack: list[FieldGrowth]) -> str:
    """What the layers of a stack see, and what of their own makes that more than 3, 5 and 7: a layer's dilation, or
    its stride where another reads it."""
    sees = ", ".join(
        f"{each.layer.name} {size}×{size}" for each, size in zip(stack, stack_field_sizes(stack), strict=True)
    )
    own = [(each, "stride", each.layer_stride) for each in stack[:-1]] + [
        (each, "dilation", each.layer_dilation) for each in stack
    ]
    more = [f"{each.layer.name} of {what} {size}" for each, what, size in own if size > 1]
    return f"{sees} ({', '.join(more)} in it)" if more else sees


def _build_stride_claim(layers: Sequence[FieldGrowth], reason: str) -> Claim:
    name, adds = "strides-widen-faster", growth_by_stride(layers)
    none = reason or "no convolutions before and behind a stride, with their fields within the image"
    without = {
        stride: fmean(each.increment_per_weight / each.input_stride for each in layers if each.input_stride == stride) for stride in adds
    }  # fmt: skip
    return Claim(
        name,
        CLAIMS[name],
        stride_growth_verdict(list(adds.values())),
        "pixels that a convolution of yours adds to the field for each further weight along its kernel, by gradients: "
        + _format_by_stride(adds)
        if len(adds) > 1
        else none,
        f"the same kernels without any stride before them: {_format_by_stride(without)}" if len(adds) > 1 else "",
        command="" if len(adds) > 1 else OTHER_RUN_COMMAND,
    )


def _format_by_stride(adds: dict[int | float, float]) -> str:
    return ", ".join(
        f"{format_short_number(round(pixels, 1))} at stride {format_short_number(stride)}"
        for stride, pixels in adds.items()
    )
