"""Which pixels decide a unit: the fields of every layer, counted in two ways."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn.functional import avg_pool2d

from headstart.errors import HeadstartError
from headstart.understand.claims import Chapter, Picture, Table
from headstart.understand.pictures import draw_frame, render_image
from headstart.understand.receptive_field.fields import ReceptiveField, ReceptiveFields, last_fields_per_stride
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork, compare_with_gradients
from headstart.understand.receptive_field.growth import (
    FieldGrowth,
    compare_doubled_first_stride,
    find_stacks,
    growth_by_stride,
    measure_field_growth,
    stack_field_sizes,
)
from headstart.understand.receptive_field.growth_claims import CLAIMS, build_growth_claims, cumulative_stack_fields
from headstart.understand.subject import Subject

PICTURE_WIDTH = 280  # pixels, about, of a picture on the page
MAX_LISTED_LAYERS = 12  # layers that are named before the rest is counted
# One for each stage, dark to bright, which the colour-blind can order too.
FRAME_COLORS = [(68, 1, 84), (49, 104, 142), (31, 158, 137), (109, 205, 89), (253, 231, 37), (255, 255, 255)]

__all__ = ["CLAIMS", "build_receptive_field_chapter"]


def build_receptive_field_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """The fields of the subject's layers, over one of its pictures, and the lesson's three sentences about them."""
    told = Chapter("receptive_field", "Receptive field: which pixels decide a unit")
    shape: tuple[int, int, int] = tuple(subject.images.shape[1:])  # type: ignore[assignment]
    report_progress("receptive fields: the operations of the network")
    try:
        sight = ReceptiveFields(subject.network, shape)
        shown_stages = last_fields_per_stride(sight.fields)
    except HeadstartError as reason:
        told.content.append(f"The fields of this network cannot be counted: {reason}.")
        told.claims = build_growth_claims([], str(reason))
        told.numbers["unknown"] = str(reason)
        return told
    last = shown_stages[-1]
    told.content += [
        "A unit is one number of a layer's map. Its receptive field is the part of the image that can change it: "
        "nothing outside can, unless something sees all of the image at once, which is told apart. It follows from "
        "kernels, strides, padding and dilation alone, whatever the weights.",
        _build_stage_table(shown_stages),
        describe_corner_unit(sight.fields, last, shape, sight.pixels(last.name, 0, 0)),
        _draw_frames(subject.pictures[0], shown_stages, (0, 0), "the top-left unit"),
        _draw_frames(subject.pictures[0], shown_stages, None, "the centre unit"),
    ]
    report_progress("receptive fields: the first stride doubled")
    doubled = compare_doubled_first_stride(subject.network, shape, sight.fields)
    told.content += [describe_doubled_stride(doubled), *([_build_stride_table(doubled)] if doubled else [])]
    told.content += [
        describe_global_view(sight.fields, last, sight.pixels(last.name)),
        *describe_fields_beyond_image(sight.fields, shape),
    ]
    report_progress("receptive fields: held against gradients")
    try:
        uniform = LinearizedNetwork(subject.network, shape)
        checked, unequal = compare_with_gradients(sight, uniform)
        layers, unknown = measure_field_growth(subject.network, sight.fields, uniform), ""
    except HeadstartError as reason:
        checked, unequal, layers, unknown = 0, [], [], str(reason)
    told.content += [_describe_agreement(checked, unequal), *([_build_growth_table(layers)] if layers else [])]
    told.claims = build_growth_claims(layers, unknown)
    told.numbers |= {
        "added": [_growth_to_dict(each) for each in layers],
        "added_by_stride": growth_by_stride(layers),
        "stacks": [
            dict(zip((each.layer.name for each in run), stack_field_sizes(run), strict=True))
            for run in find_stacks(layers)
        ],
        "built": [cumulative_stack_fields("333"), cumulative_stack_fields("s33")],
        "stages": [_field_to_dict(each) for each in shown_stages],
        "layers": [_field_to_dict(each) for each in sight.fields if each.is_leaf],
        "first_stride_doubled": doubled,
        "checked_by_gradients": checked,
        "unequal": unequal,
    }
    return told


def describe_corner_unit(
    fields: list[ReceptiveField], last: ReceptiveField, shape: tuple[int, int, int], pixels: Tensor
) -> str:
    """Which pixels decide the top-left unit of the last map.

    Args:
        fields: of the network, in order.
        last: the last map.
        shape: (C, H, W) of an image.
        sees: the pixels that its unit (0, 0) sees, bool (H, W).
    """
    top, left, bottom, right = last.box(0, 0)
    lost = [f"{p} {what}" for p, what in zip(last.padding, ("rows above", "columns left of"), strict=True) if p > 0]
    outside = (
        f" Its field begins {' and '.join(lost)} the image: there it sees what pads the maps, mostly zeros. Those are "
        "the same for every image; but a border between them and the picture can look like an edge, as the first "
        "chapter shows."
        if lost
        else ""
    )
    area, of_them = (bottom - top) * (right - left), int(pixels.sum())
    if of_them == shape[1] * shape[2]:
        which = f"All {shape[1]}×{shape[2]} of them"
    else:
        holes = f" {of_them} of these {area} pixels, for dilation or strides leave holes;" if of_them < area else ""
        which = (
            f"Rows {top} to {bottom - 1} and columns {left} to {right - 1} of the image's {shape[1]}×{shape[2]} "
            f"(counted from 0):{holes} "
        )
        whole = next(each for each in fields if each.whole_image or each is last)
        which += (
            "no other pixel reaches it by the local way; but something that sees all of the image acts on it as well, "
            f"from {whole.name} ({whole.kind}) on, so that any pixel can move it a little"
            if last.whole_image
            else "change any other pixel, and the unit stays as it is"
        )
    rows = "row" if last.stride[0] == 1 else "rows"
    below = (
        f" The unit below it sees as many, {_format_size(last)}, {_round_stride(last.stride[0])} {rows} further down, less what "
        "lies outside the image."
    )
    only = f" It is the only unit of that map, and its field is {_format_size(last)}, less what lies outside the image."
    return (
        f"Which pixels decide the top-left unit of the last map, {last.name}? {which}.{outside}"
        f"{below if last.shape[1] > 1 else only if last.shape[2] == 1 else ''}"
    )


def describe_global_view(fields: list[ReceptiveField], last: ReceptiveField, pixels: Tensor) -> str:
    """Why the whole image is seen after global pooling, and where something sees all of it before.

    Args:
        fields: of the network, in order.
        last: the last map.
        reached: the pixels that any of its units sees, bool (H, W).
    """
    # What pools before the last map is a gate, such as squeeze-excite's.
    pool = next((each for each in fields[fields.index(last) :] if not each.is_local), None)
    early = next((each for each in fields if each.whole_image and each.is_local), None)
    height, width = last.shape[1:]
    covered = f"{100 * float(pixels.double().mean()):.0f} % of the {'×'.join(map(str, pixels.shape))} pixels"
    text = f"Every unit of {last.name} sees its field alone: nothing in this network sees all of the image at once."
    if pool is not None:
        how = (
            "each of its numbers weighs them all (global average pooling, which takes their mean, sees as much)"
            if "linear" in pool.kind.lower()
            else "global average pooling takes their mean"
        )
        text = (
            f"Why is the field of {pool.name} the whole image? Because it puts all {height}×{width} units of the map "
            f"before it together: {how}. It sees what any of them sees, and together their fields cover {covered}."
        )
        if height * width == 1:
            text = (
                f"What does {pool.name} see? The map before it is one unit already, and it reads that alone: it sees "
                f"what that unit sees, {covered}. On larger images it would put all units of the map together."
            )
    if early is not None:
        text += (
            f" From {early.name} on, something that sees all of the image acts on each unit as well (a mean over the "
            "map, as in squeeze-excite gates and group normalisation, or attention). It is told apart here: the fields "
            "in the table are those of the local way."
        )
    return text


def describe_fields_beyond_image(fields: list[ReceptiveField], shape: tuple[int, int, int]) -> list[str | Table]:
    """The layers whose field is larger than the image, and what follows."""
    beyond = list(
        {each.size: each for each in reversed(fields) if each.is_local and is_larger_than_image(each, shape)}.values()
    )[::-1]
    if not beyond:
        return [f"No layer's field is larger than the image's {shape[1]}×{shape[2]} pixels."]
    rows = [(each.name, _format_size(each), f"{each.shape[1]}×{each.shape[2]}") for each in beyond[:MAX_LISTED_LAYERS]]
    more = f"; {len(beyond) - MAX_LISTED_LAYERS} further ones are not listed" if len(beyond) > MAX_LISTED_LAYERS else ""
    whole = next((each for each in beyond if each.size[0] > shape[1] and each.size[1] > shape[2]), None)
    advice = f"From {beyond[0].name} on, a field is longer than the image along an axis. " * (whole is not beyond[0])
    if whole is not None:
        advice += (
            f"From {whole.name} on, a field is larger than the image: its units see all of it, or nearly, and zeros "
            "around it, so that further layers combine what is there and add no new pixels. "
        )
    if fields and min(beyond[-1].shape[1:]) <= 2:
        advice += (
            f"At the end {_format_unit_count(beyond[-1])} left to say where something is. Where "
            "small things decide, show larger images (data.image_size) or take a network with smaller strides."
        )
    else:
        advice += "That is usual in deep networks: what they really look at is smaller, as the next chapter measures."
    return [
        advice,
        Table(f"Layers that see beyond the image, the first at each size{more}", ("layer", "field", "map"), rows),
    ]


def _format_unit_count(layer: ReceptiveField) -> str:
    return "one unit is" if layer.shape[1:] == (1, 1) else f"{layer.shape[1]}×{layer.shape[2]} units are"


def is_larger_than_image(layer: ReceptiveField, shape: tuple[int, int, int]) -> bool:
    return layer.size[0] > shape[1] or layer.size[1] > shape[2]


def _build_stage_table(fields: list[ReceptiveField]) -> Table:
    rows = [
        (
            each.name,
            f"{each.shape[1]}×{each.shape[2]}",
            _format_size(each),
            _round_stride(each.stride[0]),
            each.padding[0],
            "yes" if each.whole_image else "no",
        )
        for each in fields
    ]
    headers = ("layer", "units", "field", "stride", "begins outside by", "something sees all")
    return Table("The last layer at each stride; fields, strides and padding in pixels of the image", headers, rows)


def _build_growth_table(layers: Sequence[FieldGrowth]) -> Table:
    rows = [
        (
            each.layer.name,
            "×".join(map(str, each.kernel)),
            each.input_stride,
            each.input_field_size,
            each.field_size,
            each.increment,
        )
        for each in layers
    ]
    headers = ("layer", "kernel", "stride of what it reads", "field of that", "its own field", "adds")
    return Table("What convolutions add to the field, by gradients, in pixels: at most three a stride", headers, rows)


def describe_doubled_stride(doubled: list[tuple[str, int, int]]) -> str:
    question = "What does stride 2 in the first layer do to all later fields? "
    if not doubled:
        return question + (
            "From then on neighbouring units lie twice as many pixels apart, so every later layer adds twice as many "
            "pixels to the field. On this network it could not be tried."
        )
    name, now, then = doubled[-1]
    tried = (
        f"Tried on this network, with twice the stride that its first convolution has: {name} would see "
        f"{then} pixels in place of {now}."
        if then != now
        else f"On this network there is nothing to double: no layer up to {name} adds to the field behind the first."
    )
    return question + (
        "It doubles whatever they add: behind it, neighbouring units lie twice as many pixels apart, and each later "
        f"kernel steps over units, not pixels. {tried} The first layer itself sees what it saw."
    )


def _build_stride_table(doubled: list[tuple[str, int, int]]) -> Table:
    headers = ("layer", "field", "field with the first stride doubled")
    caption = (
        "Height of fields in pixels, now and with the first stride doubled: that on an image of twice the size, so "
        "that all maps keep theirs"
    )
    return Table(caption, headers, list(doubled))


def _describe_agreement(checked: int, unequal: list[str]) -> str:
    if not checked:
        return "The fields could not be held against gradients: made linear, this network does not run."
    how = (
        "Both counts are independent: one follows kernels and strides, the other asks by gradients which pixels reach "
        "a unit once the network is made positive and linear, so that nothing cancels."
    )
    if unequal:
        return f"{how} They differ at {', '.join(unequal)}: do not trust the fields there."
    return f"{how} On {checked} layers, at a corner and in the centre, they name exactly the same pixels."


def _draw_frames(
    picture: Tensor, fields: list[ReceptiveField], unit: tuple[int, int] | None, unit_name: str
) -> Picture:
    """The fields of a unit in each stage, as frames over a picture; the centre unit's where ``unit`` is None."""
    small = -(-picture.shape[2] // (PICTURE_WIDTH // 2))  # large pictures are drawn at half or a third of their size
    large = max(1, PICTURE_WIDTH // picture.shape[2])
    canvas = picture if small == 1 else avg_pool2d(picture.float(), small).byte()
    canvas = canvas.expand(3, -1, -1).repeat_interleave(large, 1).repeat_interleave(large, 2).clone()
    for k, each in reversed(list(enumerate(fields))):
        i, j = unit or (each.shape[1] // 2, each.shape[2] // 2)
        top, left, bottom, right = (side * large // small for side in each.box(i, j))
        draw_frame(
            canvas, (top, left, max(bottom, top + 1), max(right, left + 1)), FRAME_COLORS[min(k, len(FRAME_COLORS) - 1)]
        )
    names = ", ".join(f"{each.name} {_format_size(each)}" for each in fields)
    caption = (
        f"What {unit_name} of each stage sees, from the smallest frame (dark) to the largest (bright): {names}. A frame that "
        "is smaller than its field is cut by the image's border."
    )
    described = f"Frames over a picture: the field of {unit_name} in {len(fields)} layers"
    return Picture(render_image(canvas, described, max(1, round(PICTURE_WIDTH / canvas.shape[2]))), caption)


def _format_size(layer: ReceptiveField) -> str:
    return f"{layer.size[0]}×{layer.size[1]}"


def _round_stride(stride: int | float) -> int | float:
    return stride if isinstance(stride, int) else round(stride, 2)


def _field_to_dict(layer: ReceptiveField) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": layer.shape,
        "size": layer.size,
        "stride": layer.stride,
        "padding": layer.padding,
        "whole_image": layer.whole_image,
        "local": layer.is_local,
    }


def _growth_to_dict(growth: FieldGrowth) -> dict[str, Any]:
    return {
        "layer": growth.layer.name,
        "kernel": growth.kernel,
        "step": growth.input_stride,
        "read": growth.input_field_size,
        "sees": growth.field_size,
        "adds": growth.increment,
    }
