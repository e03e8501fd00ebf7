"""What each tensor operation sees of the image: the words that the arithmetic of receptive fields knows.

An operation that is not in these lists is named, never guessed.
"""

import torch

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.footprint import (
    Footprint,
    PropagationRule,
    UnsupportedUseError,
    channel_dimension,
    footprint_union,
    image_axes,
    input_footprint,
    loses_image_axes,
)
from headstart.understand.receptive_field.layout_rules import LAYOUT_RULES
from headstart.understand.receptive_field.tracing import Call, Value
from headstart.understand.receptive_field.window_rules import WINDOW_RULES, reduce_dimensions


def propagate(call: Call, footprints: dict[Value, Footprint | None]) -> list[Footprint | None]:
    """What the outputs of a call see; None for one that no image changes.

    Raises:
        HeadstartError: names an operation that is not known.
    """
    inputs = [each for each in (footprints[value] for value in call.input_values()) if each is not None]
    try:
        if call.name in SHAPE_ONLY_OPERATIONS or not inputs:
            return [None] * len(call.outputs)
        rule = PROPAGATION_RULES.get(call.name)
        if rule is None and torch.Tag.pointwise in call.tags:
            rule = _propagate_pointwise
        if rule is None and torch.Tag.reduction in call.tags:
            rule = _propagate_reduction
        if rule is None:
            raise UnsupportedUseError
        result = rule(call, footprints)
        return result if isinstance(result, list) else [result] * len(call.outputs)
    except UnsupportedUseError as use:
        where = f" in {call.module_name}" if call.module_name else ""
        how = f" {use}" if str(use) else ""
        message = f"the operation {call.name}{how}{where} is not known: receptive fields end there"
        raise HeadstartError(message) from None


def _propagate_reduction(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source = next(each for each in (footprints[value] for value in call.input_values()) if each is not None)
    over = call.arguments.get("dim")
    if over is None or over == ():
        over = range(len(source.dims))
    return reduce_dimensions(source, [over] if isinstance(over, int) else over, call)


def _propagate_pointwise(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    return footprint_union(
        call.outputs[0].shape,
        [each for each in (footprints[value] for value in call.input_values()) if each is not None],
    )


def _propagate_normalization(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    """Normalisation: over the image where it takes its statistics from it."""
    source = input_footprint(call, footprints, "input")
    if call.name == "native_group_norm":
        over = source.dims
    elif "normalized_shape" in call.arguments:
        over = source.dims[len(source.dims) - len(call.arguments["normalized_shape"]) :]
    else:
        # Instance normalisation, which PyTorch writes as batch normalisation of a batch's statistics.
        over = source.dims if call.arguments.get("training") else ()
    return Footprint(source.dims, source.axes, source.whole_image or bool(image_axes(over)), source.as_source())


def _propagate_softmax(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    source = input_footprint(call, footprints, "self")
    return Footprint(
        source.dims,
        source.axes,
        source.whole_image or bool(image_axes([source.dims[call.arguments["dim"]]])),
        source.as_source(),
    )


def _propagate_matmul(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    """A matrix product: what it sums over is read whole."""
    left, right = (call.arguments[name] for name in MATMUL_OPERANDS[call.name])
    a, b = (footprints.get(each) if isinstance(each, Value) else None for each in (left, right))
    shape = call.outputs[0].shape
    # Where both hold a map, each unit of the first reads all of the second.
    whole = any(each is not None and each.whole_image for each in (a, b))
    kept: Footprint | None = None
    dims = [channel_dimension(size) for size in shape]
    for each, summed, place in ((a, -1, -2), (b, -2, -1)):
        if each is None:
            continue
        if loses_image_axes([each.dims[summed]]) or (kept is not None and each.axes is not None):
            whole = True
        elif each.axes is not None:
            kept = each
            dims[place] = each.dims[place]
            for k in range(len(shape) - 2):
                dims[k] = each.dims[k]
    return Footprint(tuple(dims), kept.axes if kept else None, whole, kept.as_source() if kept else ())


def _propagate_attention(call: Call, footprints: dict[Value, Footprint | None]) -> Footprint:
    query, keys = input_footprint(call, footprints, "query"), input_footprint(call, footprints, "key")
    shape = call.outputs[0].shape
    dims = (*query.dims[:-1], channel_dimension(shape[-1]))
    return Footprint(dims, query.axes, query.whole_image or bool(image_axes(keys.dims)), query.as_source())


MATMUL_OPERANDS = {
    "addmm": ("mat1", "mat2"),
    "mm": ("self", "mat2"),
    "bmm": ("self", "mat2"),
    "baddbmm": ("batch1", "batch2"),
}
# What they give depends on a tensor's size alone.
SHAPE_ONLY_OPERATIONS = {f"{kind}_like" for kind in ("empty", "zeros", "ones", "full", "rand", "randn")} | {
    f"new_{kind}" for kind in ("empty", "zeros", "ones", "full")
}


PROPAGATION_RULES: dict[str, PropagationRule] = {
    **WINDOW_RULES,
    **LAYOUT_RULES,
    # Those that PyTorch does not tag as such.
    **dict.fromkeys(
        ("hardswish", "_prelu_kernel", "rrelu_with_noise", "log_sigmoid_forward", "floor_divide"), _propagate_pointwise
    ),
    **dict.fromkeys(
        ("mean", "sum", "amax", "amin", "var", "var_mean", "std", "linalg_vector_norm", "max"), _propagate_reduction
    ),
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"),
        _propagate_normalization,
    ),
    **dict.fromkeys(("native_group_norm", "native_layer_norm", "_fused_rms_norm"), _propagate_normalization),
    **dict.fromkeys(("_softmax", "_safe_softmax", "_log_softmax"), _propagate_softmax),
    **dict.fromkeys(MATMUL_OPERANDS, _propagate_matmul),
    **dict.fromkeys(
        (
            "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_cudnn_attention",
        ),
        _propagate_attention,
    ),
}
