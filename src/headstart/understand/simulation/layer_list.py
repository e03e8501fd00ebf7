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

from headstart.understand.receptive_field.fields import Field, receptive_fields
from headstart.understand.receptive_field.tracing import Call, Fixed, Graph, Point, Value, traced
from headstart.understand.receptive_field.window_rules import pair

WINDOWED = {"convolution": "conv", "max_pool2d_with_indices": "max", "avg_pool2d": "avg"}
GLOBAL = {"mean", "amax", "_adaptive_avg_pool2d", "adaptive_max_pool2d"}
DENSE = {"addmm", "mm"}
# What changes neither how many units there are nor what they read.
PLAIN = {
    "native_batch_norm", "native_layer_norm", "native_group_norm", "view", "_unsafe_view", "reshape", "permute",
    "transpose", "t", "contiguous", "clone", "alias", "detach", "squeeze", "unsqueeze", "_to_copy", "_softmax",
    "_log_softmax", "hardswish", "as_strided",
}  # fmt: skip

Pair = tuple[int, ...]  # rows, columns
Layer = dict[str, Any]


@dataclass(frozen=True)
class _Place:
    """Where the list stands: what a unit sees there, an axis each, as the page reckons it."""

    out: Pair
    field: Pair = (1, 1)
    jump: Pair = (1, 1)
    first: Pair = (0, 0)

    def after(self, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil: bool = False) -> "_Place":
        axes = range(2)
        free = [self.out[a] + 2 * padding[a] - dilation[a] * (kernel[a] - 1) - 1 for a in axes]
        out = [-(-free[a] // stride[a]) + 1 if ceil else free[a] // stride[a] + 1 for a in axes]
        return _Place(
            # PyTorch: a last window that would begin in the padding behind is left out.
            tuple(out[a] - (ceil and (out[a] - 1) * stride[a] >= self.out[a] + padding[a]) for a in axes),
            tuple(self.field[a] + (kernel[a] - 1) * dilation[a] * self.jump[a] for a in axes),
            tuple(self.jump[a] * stride[a] for a in axes),
            tuple(self.first[a] - padding[a] * self.jump[a] for a in axes),
        )

    def agrees(self, field: Field) -> bool:
        """One unit alone has no neighbour to step to."""
        steps = all(n == 1 or s == j for n, s, j in zip(self.out, field.stride, self.jump, strict=True))
        begins = tuple(-p for p in field.padding) == self.first
        return field.local and self.out == field.shape[1:] and self.field == field.size and begins and steps


def layer_list(title: str, network: nn.Module, shape: tuple[int, int, int]) -> dict[str, Any]:
    """A network as ``simulation`` takes it: title, size, channels, layers, and notes on what is not drawn.

    Each layer has a name, all names of places with the same field, and its number of parameters.

    Args:
        network: stays as it was.
        shape: (C, H, W) of an image.

    Raises:
        HeadstartError: the network cannot be traced, or does something whose field is not known.
    """
    graph = traced(network, shape)
    fields = {field.name: field for field in receptive_fields(network, shape)}
    layers, notes = _walked(graph, network, fields)
    return {"title": title, "size": list(shape[1:]), "channels": shape[0], "layers": layers, "notes": notes}


def _walked(graph: Graph, network: nn.Module, fields: dict[str, Field]) -> tuple[list[Layer], list[str]]:
    points: dict[Value, list[Point]] = {}
    for point in graph.points:
        points.setdefault(point.value, []).append(point)
    parts = {point.name for point in graph.points if not point.layer}
    layers: list[Layer] = []
    gates: list[str] = []
    end: str | None = None
    now, start, counted = _Place(graph.image.shape[2:]), graph.image, set[str]()
    waiting: list[Call] = []
    for calls, value in _segments(graph):
        waiting = [*waiting, *calls]
        names = [point.name for point in points.get(value, ())]
        field = next((fields[name] for name in names if name in fields), None)
        found = _layer(waiting, start, now, field)
        if found is None and field is None:
            continue  # no name tells what is seen here: the next place may
        gates += [call.where for call in waiting if _gates(call)]
        if found is None or not _true(found, field, layers):
            end = next(iter(names), waiting[-1].where or waiting[-1].name)
            break
        layer, now = found
        modules = {call.where for call in waiting} - counted
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
    return [_named(layer, parts) for layer in layers], _notes(gates, end)


def _true(found: tuple[Layer, _Place], field: Field | None, layers: list[Layer]) -> bool:
    """Whether the page's reckoning is that of the receptive fields; what has seen a whole map goes on seeing it."""
    layer, place = found
    kind = (layer or (layers[-1] if layers else {})).get("kind")
    if field is None or (kind in ("gap", "dense") and not field.local):
        return True
    return place.agrees(field) or (kind in ("gap", "dense") and field.shape[1:] == (1, 1))


def _named(layer: Layer, parts: set[str]) -> Layer:
    """By the first name of its place; what stands for several modules by that of the module that holds them."""
    names = layer["names"]
    if layer["kind"] in ("residual", "block"):
        names = [name for name in names if name in parts] or names
    return layer | ({"name": names[0]} if names else {})


def _notes(gates: list[str], end: str | None) -> list[str]:
    notes = []
    if gates:
        more = f" and {len(gates) - 1} more" if len(gates) > 1 else ""
        notes.append(f"Gates see the whole image ({gates[0]}{more}); the page leaves that out.")
    if end is not None:
        notes.append(f"The page draws the network up to {end}, for which it has no layer.")
    return notes


def _segments(graph: Graph) -> Iterator[tuple[list[Call], Value]]:
    """The calls between one place that all goes through and the next, and the tensor there."""
    needed = {graph.calls[-1].outputs[0]} if graph.calls else set()
    calls: list[Call] = []
    for call in reversed(graph.calls):
        if needed & set(call.outputs):
            calls.insert(0, call)
            needed |= set(call.values())
    uses = {value: t for t, call in enumerate(calls) for value in call.values()}
    alive: set[Value] = {graph.image}
    segment: list[Call] = []
    for t, call in enumerate(calls):
        segment.append(call)
        alive = {value for value in alive | set(call.outputs) if uses.get(value, -1) > t}
        last = t == len(calls) - 1
        if last or (len(alive) == 1 and alive & set(call.outputs)):
            yield segment, call.outputs[0] if last else next(iter(alive))
            segment = []


def _layer(calls: list[Call], start: Value, now: _Place, field: Field | None) -> tuple[Layer, _Place] | None:
    """The layer of these calls and where it leads, an empty one where nothing changes, or None."""
    if all(_plain(call) for call in calls):
        return {}, now
    busy = [call for call in calls if not _plain(call)]
    whole = now.after(kernel=now.out, stride=now.out, padding=(0, 0), dilation=(1, 1))
    if len(busy) == 1 and busy[0].name in WINDOWED:
        layer = {"kind": WINDOWED[busy[0].name], **_window(busy[0])}
        return layer, _slid(now, layer)
    if len(busy) == 1 and busy[0].name in GLOBAL and (field is None or not field.local):
        return {"kind": "gap"}, whole
    if len(busy) == 1 and busy[0].name in DENSE:
        if field is not None and field.local and field.shape[1:] != (1, 1):
            return {"kind": "conv", **_window(busy[0])}, now
        return {"kind": "dense"}, whole
    return _residual(calls, start, now) or (_block(now, field) if field is not None else None)


def _plain(call: Call) -> bool:
    """A sum or product of several tensors is none: what each of them sees comes together there."""
    alone = len(set(call.values())) == 1
    kept = call.outputs[0].shape
    same = call.name in GLOBAL and kept == next(iter(call.values())).shape and kept[-2:] != (1, 1)
    return alone and (call.name in PLAIN or torch.Tag.pointwise in call.tags or same)


def _window(call: Call) -> Layer:
    a = call.arguments
    if call.name in DENSE:
        return {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
    kernel = a["weight"].shape[2:] if "weight" in a and isinstance(a["weight"], Fixed) else pair(a["kernel_size"])
    stride, padding = pair(a["stride"] or kernel), pair(a["padding"])
    more = {"groups": a["groups"]} if a.get("groups", 1) > 1 else {"ceil": True} if a.get("ceil_mode") else {}
    return {"kernel": kernel, "stride": stride, "padding": padding, "dilation": pair(a.get("dilation", 1)), **more}


def _slid(now: _Place, layer: Layer) -> _Place:
    kernel, stride, padding, dilation = (layer[key] for key in ("kernel", "stride", "padding", "dilation"))
    return now.after(kernel, stride, padding, dilation, layer.get("ceil", False))


def _gates(call: Call) -> bool:
    """Whether a map is multiplied by one number a channel."""
    values = list(call.values())
    return call.name == "mul" and len(values) == 2 and any(value.shape[-2:] == (1, 1) for value in values)


def _residual(calls: list[Call], start: Value, now: _Place) -> tuple[Layer, _Place] | None:
    """Convolutions beside a shortcut of at most one 1×1 convolution, all padded to keep their size but for a stride."""
    makers = {value: call for call in calls for value in call.outputs}
    joins = [call for call in calls if call.name == "add" and len(set(call.values())) == 2]
    if len(joins) != 1:
        return None
    ways = [_way(value, start, makers) for value in joins[0].values()]
    tail = [call for call in calls if call is not joins[0] and calls.index(call) > calls.index(joins[0])]
    if None in ways or not all(_plain(call) for call in tail):
        return None
    windows = [[_window(call) for call in way or () if not _plain(call)] for way in ways]
    shortcut, main = sorted(windows, key=_reach)
    wide = [window for window in main if window["kernel"] != (1, 1)]
    strides = [tuple(_product(way)) for way in (main, shortcut)]
    if _reach(shortcut) or strides[0] != strides[1] or (not wide and strides[0] != (1, 1)):
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
        now = now.after(kernel, strides[0] if i == 0 else (1, 1), same, dilation)
    return layer, now


def _way(value: Value, start: Value, makers: dict[Value, Call]) -> list[Call] | None:
    """The calls from ``start`` to a tensor, where they are plain ones and convolutions one after another."""
    way: list[Call] = []
    while value is not start:
        call = makers.get(value)
        if call is None:
            return None
        values = list(call.values())
        if _gates(call):
            values = [each for each in values if each.shape[-2:] != (1, 1)] or values
        elif not _plain(call):
            if call.name not in {"convolution", *DENSE}:
                return None
            way.insert(0, call)
        if len(set(values)) != 1:
            return None
        value = values[0]
    return way


def _reach(windows: list[Layer]) -> int:
    return sum(sum(window["kernel"]) - 2 for window in windows)


def _product(windows: list[Layer]) -> list[int]:
    steps = [1, 1]
    for window in windows:
        steps = [step * s for step, s in zip(steps, window["stride"], strict=True)]
    return steps


def _block(now: _Place, field: Field) -> tuple[Layer, _Place] | None:
    """All that lies between as one window of the same outermost edges."""
    if not field.local:
        return None
    axes = range(2)
    parts = [
        [(field.size[a] - now.field[a]) / now.jump[a] + 1 for a in axes],
        [field.stride[a] / now.jump[a] for a in axes],
        [(field.padding[a] + now.first[a]) / now.jump[a] for a in axes],
    ]
    least = (1, 1, 0)
    if any(n != int(n) or n < low for pair, low in zip(parts, least, strict=True) for n in pair):
        return None
    kernel, stride, padding = ((int(pair[0]), int(pair[1])) for pair in parts)
    if (kernel, stride, padding) == ((1, 1), (1, 1), (0, 0)):
        return {}, replace(now)
    layer = {"kind": "block", "kernel": kernel, "stride": stride, "padding": padding, "dilation": (1, 1)}
    return layer, _slid(now, layer)
