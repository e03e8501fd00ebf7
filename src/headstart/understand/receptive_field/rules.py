"""What each tensor operation sees of the image: the words that the arithmetic of receptive fields knows.

An operation that is not in these lists is named, never guessed.
"""

import torch

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.footprint import (
    Rule,
    Seen,
    UnknownUseError,
    gone,
    image_along,
    only,
    other,
    united,
)
from headstart.understand.receptive_field.layout_rules import ARRANGEMENTS
from headstart.understand.receptive_field.tracing import Call, Value
from headstart.understand.receptive_field.window_rules import WINDOWS, pooled


def seen(call: Call, of: dict[Value, Seen | None]) -> list[Seen | None]:
    """What the outputs of a call see; None for one that no image changes.

    Raises:
        HeadstartError: names an operation that is not known.
    """
    inputs = [each for each in (of[value] for value in call.values()) if each is not None]
    try:
        if call.name in SIZES_ONLY or not inputs:
            return [None] * len(call.outputs)
        rule = RULES.get(call.name)
        if rule is None and torch.Tag.pointwise in call.tags:
            rule = _pointwise
        if rule is None and torch.Tag.reduction in call.tags:
            rule = _reduced
        if rule is None:
            raise UnknownUseError
        result = rule(call, of)
        return result if isinstance(result, list) else [result] * len(call.outputs)
    except UnknownUseError as use:
        where = f" in {call.where}" if call.where else ""
        how = f" {use}" if str(use) else ""
        message = f"the operation {call.name}{how}{where} is not known: receptive fields end there"
        raise HeadstartError(message) from None


def _reduced(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = next(each for each in (of[value] for value in call.values()) if each is not None)
    over = call.arguments.get("dim")
    if over is None or over == ():
        over = range(len(source.dims))
    return pooled(source, [over] if isinstance(over, int) else over, call)


def _pointwise(call: Call, of: dict[Value, Seen | None]) -> Seen:
    return united(call.outputs[0].shape, [each for each in (of[value] for value in call.values()) if each is not None])


def _normalised(call: Call, of: dict[Value, Seen | None]) -> Seen:
    """Normalisation: over the image where it takes its statistics from it."""
    source = only(call, of, "input")
    if call.name == "native_group_norm":
        over = source.dims
    elif "normalized_shape" in call.arguments:
        over = source.dims[len(source.dims) - len(call.arguments["normalized_shape"]) :]
    else:
        # Instance normalisation, which PyTorch writes as batch normalisation of a batch's statistics.
        over = source.dims if call.arguments.get("training") else ()
    return Seen(source.dims, source.axes, source.whole or bool(image_along(over)), source.local())


def _softmax(call: Call, of: dict[Value, Seen | None]) -> Seen:
    source = only(call, of, "self")
    return Seen(
        source.dims,
        source.axes,
        source.whole or bool(image_along([source.dims[call.arguments["dim"]]])),
        source.local(),
    )


def _product(call: Call, of: dict[Value, Seen | None]) -> Seen:
    """A matrix product: what it sums over is read whole."""
    left, right = (call.arguments[name] for name in PRODUCTS[call.name])
    a, b = (of.get(each) if isinstance(each, Value) else None for each in (left, right))
    shape = call.outputs[0].shape
    # Where both hold a map, each unit of the first reads all of the second.
    whole = any(each is not None and each.whole for each in (a, b))
    kept: Seen | None = None
    dims = [other(size) for size in shape]
    for each, summed, place in ((a, -1, -2), (b, -2, -1)):
        if each is None:
            continue
        if gone([each.dims[summed]]) or (kept is not None and each.axes is not None):
            whole = True
        elif each.axes is not None:
            kept = each
            dims[place] = each.dims[place]
            for k in range(len(shape) - 2):
                dims[k] = each.dims[k]
    return Seen(tuple(dims), kept.axes if kept else None, whole, kept.local() if kept else ())


def _attention(call: Call, of: dict[Value, Seen | None]) -> Seen:
    query, keys = only(call, of, "query"), only(call, of, "key")
    shape = call.outputs[0].shape
    dims = (*query.dims[:-1], other(shape[-1]))
    return Seen(dims, query.axes, query.whole or bool(image_along(keys.dims)), query.local())


PRODUCTS = {"addmm": ("mat1", "mat2"), "mm": ("self", "mat2"), "bmm": ("self", "mat2"), "baddbmm": ("batch1", "batch2")}
# What they give depends on a tensor's size alone.
SIZES_ONLY = {f"{kind}_like" for kind in ("empty", "zeros", "ones", "full", "rand", "randn")} | {
    f"new_{kind}" for kind in ("empty", "zeros", "ones", "full")
}


RULES: dict[str, Rule] = {
    **WINDOWS,
    **ARRANGEMENTS,
    # Those that PyTorch does not tag as such.
    **dict.fromkeys(
        ("hardswish", "_prelu_kernel", "rrelu_with_noise", "log_sigmoid_forward", "floor_divide"), _pointwise
    ),
    **dict.fromkeys(("mean", "sum", "amax", "amin", "var", "var_mean", "std", "linalg_vector_norm", "max"), _reduced),
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"), _normalised
    ),
    **dict.fromkeys(("native_group_norm", "native_layer_norm", "_fused_rms_norm"), _normalised),
    **dict.fromkeys(("_softmax", "_safe_softmax", "_log_softmax"), _softmax),
    **dict.fromkeys(PRODUCTS, _product),
    **dict.fromkeys(
        (
            "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_cudnn_attention",
        ),
        _attention,
    ),
}
