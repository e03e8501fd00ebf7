"""Propagates footprints through tensor operations: the rule of each supported operation.

An operation without a rule is an error, so fields are never guessed.
"""

import torch

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.footprint import (
    Footprint,
    Footprints,
    PropagationRule,
    UnsupportedUseError,
    channel_dimension,
    footprint_union,
    image_axes,
    image_inputs,
    input_footprint,
    loses_image_axes,
)
from headstart.understand.receptive_field.layout_rules import LAYOUT_RULES
from headstart.understand.receptive_field.tracing import Call, Value
from headstart.understand.receptive_field.window_rules import WINDOW_RULES, reduce_dimensions


def propagate(call: Call, footprints: Footprints) -> list[Footprint | None]:
    """The footprints of a call's outputs; None for one that does not depend on the image.

    Raises:
        HeadstartError: the operation is not supported; names it and its module.
    """
    try:
        if call.name in SHAPE_ONLY_OPERATIONS or not image_inputs(call, footprints):
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
    except UnsupportedUseError as error:
        use = f" {error}" if str(error) else ""
        where = f" in {call.module_name}" if call.module_name else ""
        message = f"the operation {call.name}{use}{where} is not known: receptive fields end there"
        raise HeadstartError(message) from None


def _propagate_reduction(call: Call, footprints: Footprints) -> Footprint:
    source = image_inputs(call, footprints)[0]
    reduced = call.arguments.get("dim")
    if reduced is None or reduced == ():
        reduced = range(len(source.dims))
    return reduce_dimensions(source, [reduced] if isinstance(reduced, int) else reduced, call)


def _propagate_pointwise(call: Call, footprints: Footprints) -> Footprint:
    return footprint_union(call.outputs[0].shape, image_inputs(call, footprints))


def _propagate_normalization(call: Call, footprints: Footprints) -> Footprint:
    """A normalization sees the whole image where it computes statistics over the image."""
    source = input_footprint(call, footprints, "input")
    if call.name == "native_group_norm":
        normalized = source.dims
    elif "normalized_shape" in call.arguments:
        normalized = source.dims[len(source.dims) - len(call.arguments["normalized_shape"]) :]
    else:
        # PyTorch runs instance normalization as batch normalization with the batch's statistics.
        normalized = source.dims if call.arguments.get("training") else ()
    return source.with_dims(source.dims, whole_image=bool(image_axes(normalized)))


def _propagate_softmax(call: Call, footprints: Footprints) -> Footprint:
    source = input_footprint(call, footprints, "self")
    return source.with_dims(source.dims, whole_image=bool(image_axes([source.dims[call.arguments["dim"]]])))


def _propagate_matmul(call: Call, footprints: Footprints) -> Footprint:
    """A matrix product sees all of the dimension that it sums over."""
    operands = [call.arguments[name] for name in MATMUL_OPERANDS[call.name]]
    left, right = (footprints.get(operand) if isinstance(operand, Value) else None for operand in operands)
    shape = call.outputs[0].shape
    whole_image = any(operand is not None and operand.whole_image for operand in (left, right))
    local: Footprint | None = None
    dims = [channel_dimension(size) for size in shape]
    for operand, summed_dim, kept_dim in ((left, -1, -2), (right, -2, -1)):
        if operand is None:
            continue
        # Where both operands are maps, each unit of the first reads all of the second.
        if loses_image_axes([operand.dims[summed_dim]]) or (local is not None and operand.axes is not None):
            whole_image = True
        elif operand.axes is not None:
            local = operand
            dims[kept_dim] = operand.dims[kept_dim]
            dims[: len(shape) - 2] = operand.dims[: len(shape) - 2]
    return Footprint(tuple(dims), local.axes if local else None, whole_image, local.as_source() if local else ())


def _propagate_attention(call: Call, footprints: Footprints) -> Footprint:
    query, keys = input_footprint(call, footprints, "query"), input_footprint(call, footprints, "key")
    dims = (*query.dims[:-1], channel_dimension(call.outputs[0].shape[-1]))
    return query.with_dims(dims, whole_image=bool(image_axes(keys.dims)))


MATMUL_OPERANDS = {
    "addmm": ("mat1", "mat2"),
    "mm": ("self", "mat2"),
    "bmm": ("self", "mat2"),
    "baddbmm": ("batch1", "batch2"),
}
# Operations whose result depends on a tensor's size alone.
SHAPE_ONLY_OPERATIONS = {f"{kind}_like" for kind in ("empty", "zeros", "ones", "full", "rand", "randn")} | {
    f"new_{kind}" for kind in ("empty", "zeros", "ones", "full")
}


PROPAGATION_RULES: dict[str, PropagationRule] = {
    **WINDOW_RULES,
    **LAYOUT_RULES,
    # Pointwise operations and reductions without PyTorch's tag.
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
