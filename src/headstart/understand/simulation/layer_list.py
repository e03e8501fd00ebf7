"""A person's network as the list of layers that the simulation draws.

The list is cut where a single tensor carries all that goes on: between two such places lies one layer, one residual
block, or branches that the page draws as one window. Each is checked against the receptive fields that interval
arithmetic finds; where the page's words do not give the same, the list ends and says so.
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
# What changes neither how many units there are nor what they read.
UNITWISE_OPERATIONS = {
    "native_batch_norm", "native_layer_norm", "native_group_norm", "view", "_unsafe_view", "reshape", "permute",
    "transpose", "t", "contiguous", "clone", "alias", "detach", "squeeze", "unsqueeze", "_to_copy", "_softmax",
    "_log_softmax", "hardswish", "as_strided",
}  # fmt: skip

RowsColumns = tuple[int, ...]  # rows, columns
LayerSpec = dict[str, Any]


@dataclass(frozen=True)
class _FieldState:
    """Where the list stands: what a unit sees there, an axis each, as the page reckons it."""

    map_size: RowsColumns
    field_size: RowsColumns = (1, 1)
    stride: RowsColumns = (1, 1)
    first_pixel: RowsColumns = (0, 0)

    def apply_window(
        self, kernel: RowsColumns, stride: RowsColumns, padding: RowsColumns, dilation: RowsColumns, ceil: bool = False
    ) -> "_FieldState":
        axes = range(2)
        free = [self.map_size[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1 for a in axes]
        out = [-(-free[a] // stride[a]) + 1 if ceil else free[a] // stride[a] + 1 for a in axes]
        return _FieldState(
            # PyTorch: a last window that would begin in the padding behind is left out.
            tuple(out[a] - (ceil and (out[a] - 1) * stride[a] >= self.map_size[a] + padding[a]) for a in axes),
            tuple(self.field_size[a] + (kernel[a] - 1) * dilation[a] * self.stride[a] for a in axes),
            tuple(self.stride[a] * stride[a] for a in axes),
            tuple(self.first_pixel[a] - padding[a] * self.stride[a] for a in axes),
        )

    def is_consistent_with(self, field: ReceptiveField) -> bool:
        """One unit alone has no neighbour to step to."""
        steps = all(n == 1 or s == j for n, s, j in zip(self.map_size, field.stride, self.stride, strict=True))
        begins = tuple(-p for p in field.padding) == self.first_pixel
        return (
            field.is_local and self.map_size == field.shape[1:] and self.field_size == field.size and begins and steps
        )


def build_layer_list(title: str, network: nn.Module, shape: tuple[int, int, int]) -> dict[str, Any]:
    """A network as ``simulation`` takes it: title, size, channels, layers, and notes on what is not drawn.

    Each layer has a name, all names of places with the same field, and its number of parameters.

    Args:
        network: stays as it was.
        shape: (C, H, W) of an image.

    Raises:
        HeadstartError: the network cannot be traced, or does something whose field is not known.
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
    now, start, counted = _FieldState(graph.image.shape[2:]), graph.image, set[str]()
    waiting: list[Call] = []
    for calls, value in _split_into_segments(graph):
        waiting = [*waiting, *calls]
        names = [point.name for point in points.get(value, ())]
        field = next((fields[name] for name in names if name in fields), None)
        found = _match_layer(waiting, start, now, field)
        if found is None and field is None:
            continue  # no name tells what is seen here: the next place may
        gates += [call.module_name for call in waiting if _is_gate(call)]
        if found is None or not _is_consistent(found, field, layers):
            end = next(iter(names), waiting[-1].module_name or waiting[-1].name)
            break
        layer, now = found
        modules = {call.module_name for call in waiting} - counted
        counted |= modules
        if layer:
            channels = field.shape[0] if field is not None else value.shape[1]
            layers.append(layer | {"channels": channels, "parameters": 0, "names": []})
        if layers:
            layers[-1]["parameters"] += sum(
                p.numel() for name in modules for p in network.get_submodule(name).parameters(recurse=False)
            )
            layers[-1]["names"] += names
        start, waiting = value, []
    return [_name_layer(layer, parts) for layer in layers], _build_notes(gates, end)


def _is_consistent(found: tuple[LayerSpec, _FieldState], field: ReceptiveField | None, layers: list[LayerSpec]) -> bool:
    """Whether the page's reckoning is that of the receptive fields; what has seen a whole map goes on seeing it."""
    layer, place = found
    kind = (layer or (layers[-1] if layers else {})).get("kind")
    if field is None or (kind in ("gap", "dense") and not field.is_local):
        return True
    return place.is_consistent_with(field) or (kind in ("gap", "dense") and field.shape[1:] == (1, 1))


def _name_layer(layer: LayerSpec, parts: set[str]) -> LayerSpec:
    """By the first name of its place; what stands for several modules by that of the module that holds them."""
    names = layer["names"]
    if layer["kind"] in ("residual", "block"):
        names = [name for name in names if name in parts] or names
    return layer | ({"name": names[0]} if names else {})


def _build_notes(gates: list[str], end: str | None) -> list[str]:
    notes = []
    if gates:
        more = f" and {len(gates) - 1} more" if len(gates) > 1 else ""
        notes.append(f"Gates see the whole image ({gates[0]}{more}); the page leaves that out.")
    if end is not None:
        notes.append(f"The page draws the network up to {end}, for which it has no layer.")
    return notes


def _split_into_segments(graph: Graph) -> Iterator[tuple[list[Call], Value]]:
    """The calls between one place that all goes through and the next, and the tensor there."""
    needed = {graph.calls[-1].outputs[0]} if graph.calls else set()
    calls: list[Call] = []
    for call in reversed(graph.calls):
        if needed & set(call.outputs):
            calls.insert(0, call)
            needed |= set(call.input_values())
    uses = {value: t for t, call in enumerate(calls) for value in call.input_values()}
    alive: set[Value] = {graph.image}
    segment: list[Call] = []
    for t, call in enumerate(calls):
        segment.append(call)
        alive = {value for value in alive | set(call.outputs) if uses.get(value, -1) > t}
        last = t == len(calls) - 1
        if last or (len(alive) == 1 and alive & set(call.outputs)):
            yield segment, call.outputs[0] if last else next(iter(alive))
            segment = []


def _match_layer(
    calls: list[Call], start: Value, now: _FieldState, field: ReceptiveField | None
) -> tuple[LayerSpec, _FieldState] | None:
    """The layer of these calls and where it leads, an empty one where nothing changes, or None."""
    if all(_is_unitwise(call) for call in calls):
        return {}, now
    busy = [call for call in calls if not _is_unitwise(call)]
    whole = now.apply_window(kernel=now.map_size, stride=now.map_size, padding=(0, 0), dilation=(1, 1))
    if len(busy) == 1 and busy[0].name in WINDOW_KINDS:
        layer = {"kind": WINDOW_KINDS[busy[0].name], **_window_settings(busy[0])}
        return layer, _apply_layer(now, layer)
    if len(busy) == 1 and busy[0].name in GLOBAL_REDUCTIONS and (field is None or not field.is_local):
        return {"kind": "gap"}, whole
    if len(busy) == 1 and busy[0].name in DENSE_OPERATIONS:
        if field is not None and field.is_local and field.shape[1:] != (1, 1):
            return {"kind": "conv", **_window_settings(busy[0])}, now
        return {"kind": "dense"}, whole
    return _match_residual(calls, start, now) or (_match_block(now, field) if field is not None else None)


def _is_unitwise(call: Call) -> bool:
    """A sum or product of several tensors is none: what each of them sees comes together there."""
    alone = len(set(call.input_values())) == 1
    kept = call.outputs[0].shape
    same = call.name in GLOBAL_REDUCTIONS and kept == next(iter(call.input_values())).shape and kept[-2:] != (1, 1)
    return alone and (call.name in UNITWISE_OPERATIONS or torch.Tag.pointwise in call.tags or same)


def _window_settings(call: Call) -> LayerSpec:
    a = call.arguments
    if call.name in DENSE_OPERATIONS:
        return {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    kernel = a["weight"].shape[2:] if "weight" in a and isinstance(a["weight"], Constant) else to_pair(a["kernel_size"])
    stride, padding = to_pair(a["stride"] or kernel), to_pair(a["padding"])
    more = {"groups": a["groups"]} if a.get("groups", 1) > 1 else {"ceil": True} if a.get("ceil_mode") else {}
    return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": to_pair(a.get("dilation", 1)), **more}


def _apply_layer(now: _FieldState, layer: LayerSpec) -> _FieldState:
    kernel, stride, padding, dilation = (layer[key] for key in ("kernel", "stride", "padding", "dilation"))
    return now.apply_window(kernel, stride, padding, dilation, layer.get("ceil", False))


def _is_gate(call: Call) -> bool:
    """Whether a map is multiplied by one number a channel."""
    values = list(call.input_values())
    return call.name == "mul" and len(values) == 2 and any(value.shape[-2:] == (1, 1) for value in values)


def _match_residual(calls: list[Call], start: Value, now: _FieldState) -> tuple[LayerSpec, _FieldState] | None:
    """Convolutions beside a shortcut of at most one 1×1 convolution, all padded to keep their size but for a stride."""
    makers = {value: call for call in calls for value in call.outputs}
    joins = [call for call in calls if call.name == "add" and len(set(call.input_values())) == 2]
    if len(joins) != 1:
        return None
    ways = [_trace_branch(value, start, makers) for value in joins[0].input_values()]
    tail = [call for call in calls if call is not joins[0] and calls.index(call) > calls.index(joins[0])]
    if None in ways or not all(_is_unitwise(call) for call in tail):
        return None
    windows = [[_window_settings(call) for call in way or () if not _is_unitwise(call)] for way in ways]
    shortcut, main = sorted(windows, key=_total_reach)
    wide = [window for window in main if window["kernel"] != (1, 1)]
    strides = [tuple(_total_stride(way)) for way in (main, shortcut)]
    if _total_reach(shortcut) or strides[0] != strides[1] or (not wide and strides[0] != (1, 1)):
        return None
    if not wide:
        return {}, now
    kernel, dilation = wide[0]["kernel"], wide[0]["dilation"]
    same = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
    alike = all((w["kernel"], w["dilation"], w["padding"]) == (kernel, dilation, same) for w in wide)
    if not alike or wide[0]["stride"] != strides[0] or any(k % 2 == 0 for k in kernel):
        return None
    layer = {"kind": "residual", "count": len(wide), "kernel": kernel, "stride": strides[0], "dilation": dilation}
    for i in range(len(wide)):
        now = now.apply_window(kernel, strides[0] if i == 0 else (1, 1), same, dilation)
    return layer, now


def _trace_branch(value: Value, start: Value, makers: dict[Value, Call]) -> list[Call] | None:
    """The calls from ``start`` to a tensor, where they are plain ones and convolutions one after another."""
    way: list[Call] = []
    while value is not start:
        call = makers.get(value)
        if call is None:
            return None
        values = list(call.input_values())
        if _is_gate(call):
            values = [each for each in values if each.shape[-2:] != (1, 1)] or values
        elif not _is_unitwise(call):
            if call.name not in {"convolution", *DENSE_OPERATIONS}:
                return None
            way.insert(0, call)
        if len(set(values)) != 1:
            return None
        value = values[0]
    return way


def _total_reach(windows: list[LayerSpec]) -> int:
    return sum(sum(window["kernel"]) - 2 for window in windows)


def _total_stride(windows: list[LayerSpec]) -> list[int]:
    steps = [1, 1]
    for window in windows:
        steps = [step * s for step, s in zip(steps, window["stride"], strict=True)]
    return steps


def _match_block(now: _FieldState, field: ReceptiveField) -> tuple[LayerSpec, _FieldState] | None:
    """All that lies between as one window of the same outermost edges."""
    if not field.is_local:
        return None
    axes = range(2)
    parts = [
        [(field.size[a] - now.field_size[a]) / now.stride[a] + 1 for a in axes],
        [field.stride[a] / now.stride[a] for a in axes],
        [(field.padding[a] + now.first_pixel[a]) / now.stride[a] for a in axes],
    ]
    least = (1, 1, 0)
    if any(n != int(n) or n < low for pair, low in zip(parts, least, strict=True) for n in pair):
        return None
    kernel, stride, padding = ((int(pair[0]), int(pair[1])) for pair in parts)
    if (kernel, stride, padding) == ((1, 1), (1, 1), (0, 0)):
        return {}, replace(now)
    layer = {"kind": "block", "kernel": kernel, "stride": stride, "padding": padding, "dilation": (1, 1)}
    return layer, _apply_layer(now, layer)
