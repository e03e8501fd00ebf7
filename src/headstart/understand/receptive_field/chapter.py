"""Chapter on receptive fields: which pixels decide a unit, counted in two ways."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
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
from headstart.understand.receptive_field.growth_claims import GROWTH_CLAIMS, add_growth_claims, cumulative_stack_fields
from headstart.understand.subject import Subject

PICTURE_WIDTH = 280  # pixels, about, of a picture on the page
MAX_LISTED_LAYERS = 12  # further layers are only counted
# One for each stage, from dark to bright (viridis), ordered for color-blind readers too.
FRAME_COLORS = [(68, 1, 84), (49, 104, 142), (31, 158, 137), (109, 205, 89), (253, 231, 37), (255, 255, 255)]


def build_receptive_field_chapter(
    subject: Subject,
    report_progress: Callable[[str], None],
    linearize: Callable[[nn.Module, tuple[int, int, int]], LinearizedNetwork] = LinearizedNetwork,
) -> Chapter:
    """The fields of the network's layers, over one of its pictures, and the claims about them.

    Args:
        subject: network and images.
        report_progress: called with a line about each step.
        linearize: builds the linearized network that checks the fields.
    """
    chapter = Chapter("receptive_field", "Receptive field: which pixels decide a unit", sentences=GROWTH_CLAIMS)
    shape = subject.image_shape
    report_progress("receptive fields: the operations of the network")
    try:
        fields = ReceptiveFields(subject.network, shape)
        stages = last_fields_per_stride(fields.fields)
    except HeadstartError as error:
        chapter.content.append(f"The fields of this network cannot be counted: {error}.")
        add_growth_claims(chapter, [], str(error))
        chapter.numbers["unknown"] = str(error)
        return chapter
    last = stages[-1]
    chapter.content += [
        "A unit is one number of a layer's map. Its receptive field is the part of the image that can change it. "
        "Nothing outside can, unless an operation sees the whole image at once, which is reported apart. The field "
        "follows from kernels, strides, padding and dilation alone, whatever the weights.",
        _build_stage_table(stages),
        describe_corner_unit(fields.fields, last, shape, fields.pixels(last.name, 0, 0)),
        _draw_frames(subject.pictures[0], stages, (0, 0), "the top-left unit"),
        _draw_frames(subject.pictures[0], stages, None, "the center unit"),
    ]
    report_progress("receptive fields: the first stride doubled")
    doubled = compare_doubled_first_stride(subject.network, shape, fields.fields)
    chapter.content += [
        describe_doubled_stride(doubled),
        *([_build_stride_table(doubled)] if doubled else []),
        describe_global_view(fields.fields, last, fields.pixels(last.name)),
        *describe_fields_beyond_image(fields.fields, shape),
    ]
    report_progress("receptive fields: compared with gradients")
    checked, unequal, layers, reason = 0, list[str](), list[FieldGrowth](), ""
    try:
        linearized = linearize(subject.network, shape)
        checked, unequal = compare_with_gradients(fields, linearized)
        layers = measure_field_growth(subject.network, fields.fields, linearized)
    except HeadstartError as error:
        reason = str(error)
    chapter.content += [_describe_agreement(checked, unequal), *([_build_growth_table(layers)] if layers else [])]
    add_growth_claims(chapter, layers, reason)
    chapter.numbers = {
        "added": [_growth_to_dict(growth) for growth in layers],
        "added_by_stride": growth_by_stride(layers),
        "stacks": [
            dict(zip((growth.layer.name for growth in stack), stack_field_sizes(stack), strict=True))
            for stack in find_stacks(layers)
        ],
        "built": [cumulative_stack_fields("333"), cumulative_stack_fields("s33")],
        "stages": [_field_to_dict(stage) for stage in stages],
        "layers": [_field_to_dict(layer) for layer in fields.fields if layer.is_leaf],
        "first_stride_doubled": doubled,
        "checked_by_gradients": checked,
        "unequal": unequal,
    }
    return chapter


def describe_corner_unit(
    fields: list[ReceptiveField], last: ReceptiveField, shape: tuple[int, int, int], pixels: Tensor
) -> str:
    """Which pixels decide the top-left unit of the last map.

    Args:
        fields: of the network, in order.
        last: the last map.
        shape: (C, H, W) of an image.
        pixels: those that unit (0, 0) sees, bool (H, W).
    """
    top, left, bottom, right = last.box(0, 0)
    beyond = [f"{p} {where}" for p, where in zip(last.padding, ("rows above", "columns left of"), strict=True) if p > 0]
    outside = (
        f" Its field begins {' and '.join(beyond)} the image: there it sees the padding of the maps, mostly zeros. "
        "Padding is the same for every image; but a border between it and the picture can look like an edge, as the "
        "first chapter shows."
        if beyond
        else ""
    )
    area, count = (bottom - top) * (right - left), int(pixels.sum())
    if count == shape[1] * shape[2]:
        which = f"All {shape[1]}×{shape[2]} of them"
    else:
        holes = f" {count} of these {area} pixels, for dilation or strides leave holes;" if count < area else ""
        which = (
            f"Rows {top} to {bottom - 1} and columns {left} to {right - 1} of the image's {shape[1]}×{shape[2]} "
            f"(counted from 0):{holes} "
        )
        if last.whole_image:
            first = next(layer for layer in fields if layer.whole_image)
            which += (
                "no other pixel reaches it by local operations; but an operation that sees the whole image acts on it "
                f"as well, from {first.name} ({first.kind}) on, so that any pixel can move it a little"
            )
        else:
            which += "change any other pixel, and the unit stays as it is"
    neighbor = ""
    if last.shape[1] > 1:
        rows = "row" if last.stride[0] == 1 else "rows"
        neighbor = (
            f" The unit below it sees as many, {_format_size(last)}, {_round_stride(last.stride[0])} {rows} further "
            "down, less what lies outside the image."
        )
    elif last.shape[2] == 1:
        neighbor = (
            f" It is the only unit of that map. Its field is {_format_size(last)}, less what lies outside the image."
        )
    return f"Which pixels decide the top-left unit of the last map, {last.name}? {which}.{outside}{neighbor}"


def describe_global_view(fields: list[ReceptiveField], last: ReceptiveField, pixels: Tensor) -> str:
    """Why the whole image is seen after global pooling, and where operations before it see the whole image.

    Args:
        fields: of the network, in order.
        last: the last map.
        pixels: those that any of its units sees, bool (H, W).
    """
    # A global pool before the last map belongs to a gate, such as squeeze-excite's.
    pool = next((layer for layer in fields[fields.index(last) :] if not layer.is_local), None)
    gate = next((layer for layer in fields if layer.whole_image and layer.is_local), None)
    height, width = last.shape[1:]
    covered = f"{100 * float(pixels.double().mean()):.0f} % of the {'×'.join(map(str, pixels.shape))} pixels"
    if pool is None:
        text = f"Every unit of {last.name} sees its field alone: nothing in this network sees all of the image at once."
    elif height * width == 1:
        text = (
            f"What does {pool.name} see? The map before it is one unit already, and it reads that alone: it sees "
            f"what that unit sees, {covered}. On larger images it would put all units of the map together."
        )
    else:
        how = (
            "each of its numbers weighs them all (global average pooling, which takes their mean, sees as much)"
            if "linear" in pool.kind.lower()
            else "global average pooling takes their mean"
        )
        text = (
            f"Why is the field of {pool.name} the whole image? Because it puts all {height}×{width} units of the map "
            f"before it together: {how}. It sees what any of them sees, and together their fields cover {covered}."
        )
    if gate is not None:
        text += (
            f" From {gate.name} on, an operation that sees the whole image acts on each unit as well (a mean over the "
            "map, as in squeeze-excite gates and group normalization, or attention). It is reported apart here: the "
            "fields in the table are those of local operations."
        )
    return text


def describe_fields_beyond_image(fields: list[ReceptiveField], shape: tuple[int, int, int]) -> list[str | Table]:
    """The layers whose field is larger than the image, and advice."""
    larger = [layer for layer in fields if layer.is_local and is_larger_than_image(layer, shape)]
    beyond = list({layer.size: layer for layer in reversed(larger)}.values())[::-1]
    if not beyond:
        return [f"No layer's field is larger than the image's {shape[1]}×{shape[2]} pixels."]
    rows = [
        (layer.name, _format_size(layer), f"{layer.shape[1]}×{layer.shape[2]}") for layer in beyond[:MAX_LISTED_LAYERS]
    ]
    more = f"; {len(beyond) - MAX_LISTED_LAYERS} further ones are not listed" if len(beyond) > MAX_LISTED_LAYERS else ""
    whole = next((layer for layer in beyond if layer.size[0] > shape[1] and layer.size[1] > shape[2]), None)
    advice = f"From {beyond[0].name} on, a field is longer than the image along an axis. " * (whole is not beyond[0])
    if whole is not None:
        advice += (
            f"From {whole.name} on, a field is larger than the image: its units see all of it, or nearly, and padding "
            "around it, so further layers combine known pixels and add none. "
        )
    if fields and min(beyond[-1].shape[1:]) <= 2:
        advice += (
            f"At the end {_format_unit_count(beyond[-1])} left to say where something is. If "
            "small objects decide, use larger images (data.image_size) or a network with smaller strides."
        )
    else:
        advice += "That is usual in deep networks: their effective fields are smaller, as the next chapter measures."
    return [
        advice,
        Table(f"Layers that see beyond the image, the first at each size{more}", ("layer", "field", "map"), rows),
    ]


def _format_unit_count(layer: ReceptiveField) -> str:
    return "one unit is" if layer.shape[1:] == (1, 1) else f"{layer.shape[1]}×{layer.shape[2]} units are"


def is_larger_than_image(layer: ReceptiveField, shape: tuple[int, int, int]) -> bool:
    """Whether the field is larger than the image along an axis."""
    return layer.size[0] > shape[1] or layer.size[1] > shape[2]


def _build_stage_table(fields: list[ReceptiveField]) -> Table:
    rows = [
        (
            layer.name,
            f"{layer.shape[1]}×{layer.shape[2]}",
            _format_size(layer),
            _round_stride(layer.stride[0]),
            layer.padding[0],
            "yes" if layer.whole_image else "no",
        )
        for layer in fields
    ]
    headers = ("layer", "units", "field", "stride", "begins outside by", "something sees all")
    return Table("The last layer at each stride; fields, strides and padding in pixels of the image", headers, rows)


def _build_growth_table(layers: Sequence[FieldGrowth]) -> Table:
    rows = [
        (
            growth.layer.name,
            "×".join(map(str, growth.kernel)),
            growth.input_stride,
            growth.input_field_size,
            growth.field_size,
            growth.increment,
        )
        for growth in layers
    ]
    headers = ("layer", "kernel", "stride of its input", "field of its input", "its own field", "adds")
    return Table("What convolutions add to the field, by gradients, in pixels: at most three a stride", headers, rows)


def describe_doubled_stride(doubled: list[tuple[str, int, int]]) -> str:
    question = "What does stride 2 in the first layer do to all later fields? "
    if not doubled:
        return question + (
            "From then on neighbouring units lie twice as many pixels apart, so every later layer adds twice as many "
            "pixels to the field. On this network it could not be tried."
        )
    name, size, doubled_size = doubled[-1]
    result = (
        f"Tried on this network, with twice the stride that its first convolution has: {name} would see "
        f"{doubled_size} pixels in place of {size}."
        if doubled_size != size
        else f"On this network there is nothing to double: no layer up to {name} adds to the field behind the first."
    )
    return question + (
        "It doubles whatever they add: behind it, neighbouring units lie twice as many pixels apart, and each later "
        f"kernel steps over units, not pixels. {result} The first layer itself sees what it saw."
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
        return "The fields could not be compared with gradients: this network does not run linearized."
    method = (
        "Both counts are independent: one follows kernels and strides, the other asks by gradients which pixels reach "
        "a unit of the network with positive weights and without nonlinearities, so that nothing cancels."
    )
    if unequal:
        return f"{method} They differ at {', '.join(unequal)}: do not trust the fields there."
    return f"{method} On {checked} layers, at a corner and in the center, they name exactly the same pixels."


def _draw_frames(
    picture: Tensor, fields: list[ReceptiveField], unit: tuple[int, int] | None, unit_name: str
) -> Picture:
    """The fields of a unit in each stage, as frames over a picture; ``unit`` None: the center unit."""
    reduction = -(-picture.shape[2] // (PICTURE_WIDTH // 2))  # large pictures are drawn at 1/2, 1/3, … of their size
    scale = max(1, PICTURE_WIDTH // picture.shape[2])
    canvas = picture if reduction == 1 else avg_pool2d(picture.float(), reduction).byte()
    canvas = canvas.expand(3, -1, -1).repeat_interleave(scale, 1).repeat_interleave(scale, 2).clone()
    for k, layer in reversed(list(enumerate(fields))):
        top, left, bottom, right = (side * scale // reduction for side in layer.box(*(unit or layer.center_unit)))
        draw_frame(
            canvas, (top, left, max(bottom, top + 1), max(right, left + 1)), FRAME_COLORS[min(k, len(FRAME_COLORS) - 1)]
        )
    names = ", ".join(f"{layer.name} {_format_size(layer)}" for layer in fields)
    caption = (
        f"The field of {unit_name} of each stage, from the smallest frame (dark) to the largest (bright): {names}. The "
        "image's border cuts frames that are smaller than their field."
    )
    alt = f"Frames over a picture: the field of {unit_name} in {len(fields)} layers"
    return Picture(render_image(canvas, alt, max(1, round(PICTURE_WIDTH / canvas.shape[2]))), caption)


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
