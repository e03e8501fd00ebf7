"""The lesson's sentences about fields, judged by what the convolutions of a network add to them."""

from collections.abc import Sequence
from functools import cache
from statistics import fmean

from headstart.understand.claims import Claim
from headstart.understand.convolution.kernel_drawing import number
from headstart.understand.receptive_field.growth import (
    Added,
    by_stride,
    faster_verdict,
    from_below,
    is_plain,
    stack,
    stacks,
    stacks_verdict,
)

CLAIMS = {
    "stacks-see-3-5-7": "One 3×3 layer sees 3×3 pixels, two on top of each other 5×5, three 7×7.",
    "strides-widen-faster": "Pooling and strides make fields grow faster than further layers do.",
}
OTHER = "headstart understand OTHER_RUN --only receptive_field"


def claims(layers: Sequence[Added], reason: str = "") -> list[Claim]:
    """The lesson's sentences about fields.

    Args:
        layers: what the network's convolutions add to the field.
        reason: why nothing is known of them; empty where it is.
    """
    return [_stacked(stacks(layers), reason), _widened(layers, reason)]


@cache  # for the claim, and for the numbers beside it
def built(layers: str) -> tuple[int, ...]:
    """What the first one, two, … of these layers see, in pixels, as :func:`stack` builds them."""
    return tuple(stack(list(layers[: n + 1])) for n in range(len(layers)))


def _stacked(own: list[list[Added]], reason: str) -> Claim:
    name = "stacks-see-3-5-7"
    none = reason or "no two 3×3 layers of this network lie on top of each other, with their fields within the image"
    told = "; ".join(_run_told(run) for run in own)
    return Claim(
        name,
        CLAIMS[name],
        stacks_verdict([from_below(run) for run in own], [is_plain(run) for run in own]),
        f"your stacks, by gradients, in units of the map that each begins on: {told}" if own else none,
        f"layers built for it: {_listed(built('333'))}; with stride 2 in the first {_listed(built('s33'))}",
        command="" if own else OTHER,
    )


def _listed(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _run_told(run: list[Added]) -> str:
    """What the layers of a stack see, and what of their own makes that more than 3, 5 and 7: a layer's dilation, or
    its stride where another reads it."""
    sees = ", ".join(f"{each.layer.name} {size}×{size}" for each, size in zip(run, from_below(run), strict=True))
    own = [(each, "stride", each.strides) for each in run[:-1]] + [(each, "dilation", each.dilates) for each in run]
    more = [f"{each.layer.name} of {what} {size}" for each, what, size in own if size > 1]
    return f"{sees} ({', '.join(more)} in it)" if more else sees


def _widened(layers: Sequence[Added], reason: str) -> Claim:
    name, adds = "strides-widen-faster", by_stride(layers)
    none = reason or "no convolutions before and behind a stride, with their fields within the image"
    without = {
        stride: fmean(each.a_weight / each.step for each in layers if each.step == stride) for stride in adds
    }  # fmt: skip
    return Claim(
        name,
        CLAIMS[name],
        faster_verdict(list(adds.values())),
        "pixels that a convolution of yours adds to the field for each further weight along its kernel, by gradients: "
        + _at_strides(adds)
        if len(adds) > 1
        else none,
        f"the same kernels without any stride before them: {_at_strides(without)}" if len(adds) > 1 else "",
        command="" if len(adds) > 1 else OTHER,
    )


def _at_strides(adds: dict[int | float, float]) -> str:
    return ", ".join(f"{number(round(pixels, 1))} at stride {number(stride)}" for stride, pixels in adds.items())
