"""Converts a network to the list of layers that the simulation draws.

The network is cut where a single tensor is in use. Between two cuts lies one layer, one residual block, or branches
that the page draws as one window. Each entry is checked against ``receptive_fields``; where the page's arithmetic would
differ, the list ends with a note.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from headstart.understand.receptive_field.fields import ReceptiveField, receptive_fields
from headstart.understand.receptive_field.footprint import to_pair
from headstart.understand.receptive_field.tracing import Call, Constant, Graph, NamedOutput, Value, trace_network

WINDOW_KINDS = {"convolution": "conv", "max_pool2d_with_indices": "max", "avg_pool2d": "avg"}
GLOBAL_REDUCTIONS = {"mean", "amax", "_adaptive_avg_pool2d", "adaptive_max_pool2d"}
DENSE_OPERATIONS = {"addmm", "mm"}
# Operations that keep the number of units and what they see.
UNITWISE_OPERATIONS = {
    "native_batch_norm",
    "native_layer_norm",
    "native_group_norm",
    "view",
    "_unsafe_view",
    "reshape",
    "permute",
    "transpose",
    "t",
    "contiguous",
    "clone",
    "alias",
    "detach",
    "squeeze",
    "unsqueeze",
    "_to_copy",
    "_softmax",
    "_log_softmax",
    "hardswish",
    "as_strided",
}

RowsColumns = tuple[int, ...]  # rows, columns
LayerSpec = dict[str, Any]


@dataclass(frozen=True)
class _FieldState:
    """The field at a cut, (rows, columns) each, as the page computes it."""

    map_size: RowsColumns
    field_size: RowsColumns = (1, 1)
    stride: RowsColumns = (1, 1)
    first_pixel: RowsColumns = (0, 0)

    def apply_window(
        self, kernel: RowsColumns, stride: RowsColumns, padding: RowsColumns, dilation: RowsColumns, ceil: bool = False
    ) -> "_FieldState":
        axes = range(2)
        rest = [self.map_size[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1 for a in axes]
        count = [-(-rest[a] // stride[a]) + 1 if ceil else rest[a] // stride[a] + 1 for a in axes]
        return _FieldState(
            # PyTorch leaves out a last window that would begin in the padding behind the map.
            tuple(count[a] - (ceil and (count[a] - 1) * stride[a] >= self.map_size[a] + padding[a]) for a in axes),
            tuple(self.field_size[a] + (kernel[a] - 1) * dilation[a] * self.stride[a] for a in axes),
            tuple(self.stride[a] * stride[a] for a in axes),
            tuple(self.first_pixel[a] - padding[a] * self.stride[a] for a in axes),
        )

    def is_consistent_with(self, field: ReceptiveField) -> bool:
        """Whether the field is the same; the stride of a single unit does not count."""
        strides = zip(self.map_size, field.stride, self.stride, strict=True)
        return (
            field.is_local
            and self.map_size == field.shape[1:]
            and self.field_size == field.size
            and self.first_pixel == tuple(-padding for padding in field.padding)
            and all(count == 1 or expected == stride for count, expected, stride in strides)
        )


def build_layer_list(title: str, network: nn.Module, shape: tuple[int, int, int]) -> dict[str, Any]:
    """A network for ``render_simulation``: title, size, channels, layers, and notes on what is not drawn.

    Each layer has a name, the names of all outputs with the same field, and its number of parameters.

    Args:
        title: of the network on the page.
        network: not changed.
        shape: (C, H, W) of an image.

    Raises:
        HeadstartError: the network cannot be traced or has an unsupported operation.
    """
    graph = trace_network(network, shape)
    fields = {field.name: field for field in receptive_fields(network, shape)}
    layers, notes = _collect_layers(graph, network, fields)
    return {"title": title, "size": list(shape[1:]), "channels": shape[0], "layers": layers, "notes": notes}


def _collect_layers(
    graph: Graph, network: nn.Module, fields: dict[str, ReceptiveField]
) -> tuple[list[LayerSpec], list[str]]:
    points: dict[Value, list[NamedOutput]] = {}
    for point in graph.named_outputs:
        points.setdefault(point.value, []).append(point)
    parts = {point.name for point in graph.named_outputs if not point.is_leaf}
    layers: list[LayerSpec] = []
    gates: list[str] = []
    end: str | None = None
    state, start, counted = _FieldState(graph.image.shape[2:]), graph.image, set[str]()
    pending: list[Call] = []
    for calls, value in _split_into_segments(graph):
        pending = [*pending, *calls]
        names = [point.name for point in points.get(value, ())]
        field = next((fields[name] for name in names if name in fields), None)
        match = _match_layer(pending, start, state, field)
        if match is None and field is None:
            continue  # no field is known here; the next segment may have one
        gates += [call.module_name for call in pending if _is_gate(call)]
        if match is None or not _is_consistent(match, field, layers):
            end = next(iter(names), pending[-1].module_name or pending[-1].name)
            break
        layer, state = match
        modules = {call.module_name for call in pending} - counted
        counted |= modules
        if layer:
            channels = field.shape[0] if field is not None else value.shape[1]
            layers.append(layer | {"channels": channels, "parameters": 0, "names": []})
        if layers:
            layers[-1]["parameters"] += sum(
                p.numel() for name in modules for p in network.get_submodule(name).parameters(recurse=False)
            )
            layers[-1]["names"] += names
        start, pending = value, []
    return [_name_layer(layer, parts) for layer in layers], _build_notes(gates, end)


def _is_consistent(match: tuple[LayerSpec, _FieldState], field: ReceptiveField | None, layers: list[LayerSpec]) -> bool:
    """Whether the page's field is the known one; after a global layer the whole image stays seen."""
    layer, state = match
    kind = (layer or (layers[-1] if layers else {})).get("kind")
    is_global = kind in ("gap", "dense")
    if field is None or (is_global and not field.is_local):
        return True
    return state.is_consistent_with(field) or (is_global and field.shape[1:] == (1, 1))


def _name_layer(layer: LayerSpec, parts: set[str]) -> LayerSpec:
    """The layer with its first name; a block of several modules has the name of the module that contains them."""
    names = layer["names"]
    if layer["kind"] in ("residual", "block"):
        names = [name for name in names if name in parts] or names
    return layer | ({"name": names[0]} if names else {})


def _build_notes(gates: list[str], end: str | None) -> list[str]:
    notes = []
    if gates:
        others = f" and {len(gates) - 1} more" if len(gates) > 1 else ""
        notes.append(f"Gates see the whole image ({gates[0]}{others}); the page leaves that out.")
    if end is not None:
        notes.append(f"The page draws the network up to {end}, for which it has no layer.")
    return notes


def _split_into_segments(graph: Graph) -> Iterator[tuple[list[Call], Value]]:
    """The calls between each two cuts, and the tensor at the second cut."""
    needed = {graph.calls[-1].outputs[0]} if graph.calls else set()
    calls: list[Call] = []
    for call in reversed(graph.calls):
        if needed & set(call.outputs):
            calls.insert(0, call)
            needed |= set(call.input_values())
    last_uses = {value: t for t, call in enumerate(calls) for value in call.input_values()}
    alive: set[Value] = {graph.image}
    segment: list[Call] = []
    for t, call in enumerate(calls):
        segment.append(call)
        alive = {value for value in alive | set(call.outputs) if last_uses.get(value, -1) > t}
        is_last = t == len(calls) - 1
        if is_last or (len(alive) == 1 and alive & set(call.outputs)):
            yield segment, call.outputs[0] if is_last else next(iter(alive))
            segment = []


def _match_layer(
    calls: list[Call], start: Value, state: _FieldState, field: ReceptiveField | None
) -> tuple[LayerSpec, _FieldState] | None:
    """The layer of these calls, empty if they change no field, and the field behind it; None if the page has none."""
    if all(_is_unitwise(call) for call in calls):
        return {}, state
    busy = [call for call in calls if not _is_unitwise(call)]
    whole = state.apply_window(kernel=state.map_size, stride=state.map_size, padding=(0, 0), dilation=(1, 1))
    if len(busy) == 1 and busy[0].name in WINDOW_KINDS:
        layer = {"kind": WINDOW_KINDS[busy[0].name], **_window_settings(busy[0])}
        return layer, _apply_layer(state, layer)
    if len(busy) == 1 and busy[0].name in GLOBAL_REDUCTIONS and (field is None or not field.is_local):
        return {"kind": "gap"}, whole
    if len(busy) == 1 and busy[0].name in DENSE_OPERATIONS:
        if field is not None and field.is_local and field.shape[1:] != (1, 1):
            return {"kind": "conv", **_window_settings(busy[0])}, state
        return {"kind": "dense"}, whole
    return _match_residual(calls, start, state) or (_match_block(state, field) if field is not None else None)


def _is_unitwise(call: Call) -> bool:
    """Whether a call keeps the units and what they see; not with several inputs, whose fields it unites."""
    inputs = set(call.input_values())
    shape = call.outputs[0].shape
    keeps_map = call.name in GLOBAL_REDUCTIONS and shape == next(iter(inputs)).shape and shape[-2:] != (1, 1)
    return len(inputs) == 1 and (call.name in UNITWISE_OPERATIONS or torch.Tag.pointwise in call.tags or keeps_map)


def _window_settings(call: Call) -> LayerSpec:
    arguments = call.arguments
    if call.name in DENSE_OPERATIONS:
        return {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    weight = arguments.get("weight")
    kernel = weight.shape[2:] if isinstance(weight, Constant) else to_pair(arguments["kernel_size"])
    settings = {
        "kernel": kernel,
        "stride": to_pair(arguments["stride"] or kernel),
        "padding": to_pair(arguments["padding"]),
        "dilation": to_pair(arguments.get("dilation", 1)),
    }
    if arguments.get("groups", 1) > 1:
        return settings | {"groups": arguments["groups"]}
    return settings | ({"ceil": True} if arguments.get("ceil_mode") else {})


def _apply_layer(state: _FieldState, layer: LayerSpec) -> _FieldState:
    kernel, stride, padding, dilation = (layer[key] for key in ("kernel", "stride", "padding", "dilation"))
    return state.apply_window(kernel, stride, padding, dilation, layer.get("ceil", False))


def _is_gate(call: Call) -> bool:
    """Whether a map is multiplied by one number for each channel."""
    values = list(call.input_values())
    return call.name == "mul" and len(values) == 2 and any(value.shape[-2:] == (1, 1) for value in values)


def _match_residual(calls: list[Call], start: Value, state: _FieldState) -> tuple[LayerSpec, _FieldState] | None:
    """Convolutions and a shortcut of at most one 1×1 convolution, padded to keep the map's size but for strides."""
    makers = {value: call for call in calls for value in call.outputs}
    joins = [call for call in calls if call.name == "add" and len(set(call.input_values())) == 2]
    if len(joins) != 1:
        return None
    branches = [_trace_branch(value, start, makers) for value in joins[0].input_values()]
    tail = [call for call in calls if call is not joins[0] and calls.index(call) > calls.index(joins[0])]
    if None in branches or not all(_is_unitwise(call) for call in tail):
        return None
    windows = [[_window_settings(call) for call in branch or () if not _is_unitwise(call)] for branch in branches]
    shortcut, main = sorted(windows, key=_total_reach)
    wide = [window for window in main if window["kernel"] != (1, 1)]
    strides = [tuple(_total_stride(branch)) for branch in (main, shortcut)]
    if _total_reach(shortcut) or strides[0] != strides[1] or (not wide and strides[0] != (1, 1)):
        return None
    if not wide:
        return {}, state
    kernel, dilation = wide[0]["kernel"], wide[0]["dilation"]
    same = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
    alike = all((w["kernel"], w["dilation"], w["padding"]) == (kernel, dilation, same) for w in wide)
    if not alike or wide[0]["stride"] != strides[0] or any(k % 2 == 0 for k in kernel):
        return None
    layer = {"kind": "residual", "count": len(wide), "kernel": kernel, "stride": strides[0], "dilation": dilation}
    for i in range(len(wide)):
        state = state.apply_window(kernel, strides[0] if i == 0 else (1, 1), same, dilation)
    return layer, state


def _trace_branch(value: Value, start: Value, makers: dict[Value, Call]) -> list[Call] | None:
    """The convolutions from ``start`` to a tensor; None if another operation or branch is between them."""
    branch: list[Call] = []
    while value is not start:
        call = makers.get(value)
        if call is None:
            return None
        values = list(call.input_values())
        if _is_gate(call):
            values = [tensor for tensor in values if tensor.shape[-2:] != (1, 1)] or values
        elif not _is_unitwise(call):
            if call.name not in {"convolution", *DENSE_OPERATIONS}:
                return None
            branch.insert(0, call)
        if len(set(values)) != 1:
            return None
        value = values[0]
    return branch


def _total_reach(windows: list[LayerSpec]) -> int:
    return sum(sum(window["kernel"]) - 2 for window in windows)


def _total_stride(windows: list[LayerSpec]) -> list[int]:
    total = [1, 1]
    for window in windows:
        total = [product * stride for product, stride in zip(total, window["stride"], strict=True)]
    return total


def _match_block(state: _FieldState, field: ReceptiveField) -> tuple[LayerSpec, _FieldState] | None:
    """All calls between two cuts as one window with the same outermost edges."""
    if not field.is_local:
        return None
    axes = range(2)
    parts = [
        [(field.size[a] - state.field_size[a]) / state.stride[a] + 1 for a in axes],
        [field.stride[a] / state.stride[a] for a in axes],
        [(field.padding[a] + state.first_pixel[a]) / state.stride[a] for a in axes],
    ]
    least = (1, 1, 0)
    if any(n != int(n) or n < low for pair, low in zip(parts, least, strict=True) for n in pair):
        return None
    kernel, stride, padding = ((int(pair[0]), int(pair[1])) for pair in parts)
    if (kernel, stride, padding) == ((1, 1), (1, 1), (0, 0)):
        return {}, replace(state)
    layer = {"kind": "block", "kernel": kernel, "stride": stride, "padding": padding, "dilation": (1, 1)}
    return layer, _apply_layer(state, layer)
