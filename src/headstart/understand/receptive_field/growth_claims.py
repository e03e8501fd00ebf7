"""Claims about the growth of receptive fields: stacks of 3×3 layers see 3, 5, 7; strides make fields grow faster."""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from statistics import fmean

from headstart.understand.claims import Chapter, ClaimVerdict
from headstart.understand.convolution.kernel_drawing import format_short_number
from headstart.understand.decision import decide_by, decide_cases
from headstart.understand.receptive_field.growth import (
    FieldGrowth,
    find_stacks,
    growth_by_stride,
    is_plain_stack,
    stack_field_sizes,
    theoretical_stack_field,
)

GROWTH_CLAIMS = {
    "stacks-see-3-5-7": "One 3×3 layer sees 3×3 pixels, two on top of each other 5×5, three 7×7.",
    "strides-widen-faster": "Pooling and strides make fields grow faster than further layers do.",
}
GROWTH_COMMAND = "headstart understand OTHER_RUN --only receptive_field"


def add_growth_claims(chapter: Chapter, layers: Sequence[FieldGrowth], reason: str = "") -> None:
    """Adds the claims about the growth of fields.

    Args:
        chapter: has the sentences of ``GROWTH_CLAIMS``.
        layers: growth of the field by the network's convolutions.
        reason: why it could not be measured; "": it was.
    """
    _add_stack_claim(chapter, find_stacks(layers), reason)
    _add_stride_claim(chapter, layers, reason)


@cache  # used by the claim and by the chapter's numbers
def cumulative_stack_fields(layers: str) -> tuple[int, ...]:
    """The fields of the first layer, the first two, …, in pixels, as ``theoretical_stack_field`` builds them."""
    return tuple(theoretical_stack_field(list(layers[: n + 1])) for n in range(len(layers)))


def stacks_verdict(sizes: Sequence[Sequence[int]], plain: Sequence[bool]) -> ClaimVerdict:
    """The verdict on the claim that stacked 3×3 layers see 3, 5 and 7 units.

    Fails where a plain stack sees otherwise; depends where only stacks with strides or dilations do.

    Args:
        sizes: fields of the first layer, two and three layers of each stack.
        plain: whether a stack has neither strides nor dilations.
    """
    if not sizes:
        return "not measured"
    matches = [list(size) == [3, 5, 7][: len(size)] for size in sizes]
    return decide_by(
        holds=all(matches), fails=any(is_plain and not match for match, is_plain in zip(matches, plain, strict=True))
    )


def stride_growth_verdict(increments: Sequence[float]) -> ClaimVerdict:
    """The verdict on the claim that a layer adds more at each larger stride.

    Args:
        increments: mean growth by stride, smallest stride first.
    """
    return decide_cases([after > before for before, after in pairwise(increments)])


def _add_stack_claim(chapter: Chapter, stacks: list[list[FieldGrowth]], reason: str) -> None:
    stack_sizes = "; ".join(_describe_stack(stack) for stack in stacks)
    chapter.add_claim(
        "stacks-see-3-5-7",
        stacks_verdict([stack_field_sizes(stack) for stack in stacks], [is_plain_stack(stack) for stack in stacks]),
        f"your stacks, by gradients, in units of the map that each begins on: {stack_sizes}"
        if stacks
        else reason or "no two 3×3 layers of this network lie on top of each other, with their fields within the image",
        f"layers built for it: {_join_sizes(cumulative_stack_fields('333'))}; with stride 2 in the first "
        f"{_join_sizes(cumulative_stack_fields('s33'))}",
        command="" if stacks else GROWTH_COMMAND,
    )


def _join_sizes(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _describe_stack(stack: list[FieldGrowth]) -> str:
    """The fields of a stack's layers, and the strides (but the last layer's) and dilations that enlarge them."""
    sizes = zip((growth.layer.name for growth in stack), stack_field_sizes(stack), strict=True)
    text = ", ".join(f"{name} {size}×{size}" for name, size in sizes)
    settings = [(growth, "stride", growth.layer_stride) for growth in stack[:-1]]
    settings += [(growth, "dilation", growth.layer_dilation) for growth in stack]
    enlarging = [f"{growth.layer.name} of {kind} {value}" for growth, kind, value in settings if value > 1]
    return f"{text} ({', '.join(enlarging)} in it)" if enlarging else text


def _add_stride_claim(chapter: Chapter, layers: Sequence[FieldGrowth], reason: str) -> None:
    growth = growth_by_stride(layers)
    if len(growth) < 2:
        reason = reason or "no convolutions before and behind a stride, with their fields within the image"
        return chapter.add_unmeasured(reason, ["strides-widen-faster"], GROWTH_COMMAND)
    unstrided = {
        stride: fmean(each.increment_per_weight / each.input_stride for each in layers if each.input_stride == stride)
        for stride in growth
    }
    chapter.add_claim(
        "strides-widen-faster",
        stride_growth_verdict(list(growth.values())),
        "pixels that a convolution of yours adds to the field for each further weight along its kernel, by gradients: "
        + _format_by_stride(growth),
        f"the same kernels without any stride before them: {_format_by_stride(unstrided)}",
    )


def _format_by_stride(growth: dict[int | float, float]) -> str:
    return ", ".join(
        f"{format_short_number(round(pixels, 1))} at stride {format_short_number(stride)}"
        for stride, pixels in growth.items()
    )
