"""A network as an address and as PyTorch."""

import pytest
import torch
from torch import nn

from headstart.understand.simulation import TEMPLATE_FOLDER

NAMES = ("lesson", "three", "dilated", "lenet", "alexnet", "vgg16", "resnet18")
STATE = {
    "tab": "stack",
    "layer": 3,
    "unit": [2, 5],
    "show": "paths",
    "axis": 0,
    "stack": {"depth": 7, "channels": 16},
    "convolution": {
        "image": [[0, 1, 0.5, -2, 0]] * 5,
        "kernel": [[-1, 0, 1]] * 3,
        "stride": 2,
        "padding": 1,
        "dilation": 2,
        "step": 3,
    },
}


def state(js, name, **more):
    network = js("({ ...PRESETS[name], layers: PRESETS[name].layers.map(complete) })", name=name)
    return {**STATE, **{key: network[key] for key in ("size", "channels", "layers")}, **more}


def hostile(js, layers, layer):
    return state(
        js, "three", size=[1024, 1024], layers=[js("complete(l)", l=layer)] * layers, layer=layers, unit=[0, 0]
    )


class TestAddress:
    @pytest.mark.parametrize("name", NAMES)
    def test_restores_the_state(self, js, name):
        given = state(js, name)
        assert js("fromAddress(toAddress(given))", given=given) == given

    def test_keeps_any_names(self, js):
        name = "läyer_1.~ & <b>/'#=é"
        layers = js("[complete({ kind: 'conv', name, groups: 2, parameters: 12, ceil: true })]", name=name)
        given = state(js, "three", layers=layers, layer=1)
        address = js("toAddress(given)", given=given)
        assert js("fromAddress(address)", address=address) == given
        assert not set(address) & set("<>' \"")

    @pytest.mark.parametrize(
        "address",
        ["", "#top", "#sim", "#sim&in=1x2", "#sim&in=0x28x28&net=&at=0.0.0", "#sim&in=1x28x28&net=magic.k3&at=1.0.0"],
    )
    def test_ignores_an_invalid_address(self, js, address):
        assert js("fromAddress(address)", address=address) is None

    def test_limits_sizes(self, js):
        address = js("toAddress(given)", given=state(js, "three"))
        for part, huge in (("1x15x15", "1x99999x15"), ("k3.", "k9999."), ("stack=7.16", "stack=9e9.16")):
            assert part in address
            assert js("fromAddress(address)", address=address.replace(part, huge, 1)) is None

    def test_average_pools_have_no_dilation(self, js):
        for kind, field in (("avg", 3), ("max", 7)):
            layers = [js("complete(l)", l={"kind": kind, "kernel": 3, "stride": 1})]
            address = js("toAddress(given)", given=state(js, "three", layers=layers, layer=1)).replace(".d1.", ".d3.")
            assert f"net={kind}.k3.s1.p0.d3.c8" in address
            given = js("fromAddress(address)", address=address)
            space = {}
            exec(js("toTorch(given)", given=given), space)
            row = js("table(given)[1]", given=given)
            assert row["field"] == [field, field]
            assert list(space["network"](torch.zeros(1, 1, 15, 15)).shape[2:]) == row["out"]

    def test_limits_hostile_networks(self, js):
        wide = {"kind": "conv", "kernel": 64, "padding": 64}
        assert js("fromAddress(toAddress(given))", given=hostile(js, 400, wide)) is None
        problems = js("table(fromAddress(toAddress(given))).map((row) => row.problem)", given=hostile(js, 100, wide))
        assert problems.index("its map would be 2064×2064, wider than the 2048 that are drawn") == 16

    def test_limits_channels(self, js):
        given = state(js, "three", channels=js("MOST.inputs"))
        assert js("fromAddress(toAddress(given))", given=given) == given
        assert js("fromAddress(toAddress(given))", given={**given, "channels": given["channels"] + 1}) is None
        assert "most: MOST.inputs, value: state.channels" in (TEMPLATE_FOLDER / "page/editor.js").read_text()


class TestPaths:
    def test_of_a_huge_network_are_not_counted(self, js):
        given = hostile(js, 100, {"kind": "conv", "kernel": 63, "padding": 31})
        taps = js(
            "((rows) => [work(rows, 100) > MOST_WORK,"
            " rows.map((_, l) => trace(rows, l, [512, 512])[0][0].length).at(-1)])"
            "(table(fromAddress(toAddress(given))))",
            given=given,
        )
        assert taps == [True, 1024]

    @pytest.mark.parametrize("name", NAMES)
    def test_of_each_preset_are_counted(self, js, name):
        assert js("((rows) => rows.every((_, l) => work(rows, l) <= MOST_WORK))(table(PRESETS[name]))", name=name)


class TestPyTorchCode:
    @pytest.mark.parametrize("name", NAMES)
    def test_runs_with_the_same_sizes_and_parameters(self, js, name, capsys):
        code = js("toTorch(PRESETS[name])", name=name)
        with torch.device("meta"):
            space = {}
            exec(code, space)
        rows = js("table(PRESETS[name])", name=name)
        network = space["network"]
        assert sum(p.numel() for p in network.parameters()) == sum(row["parameters"] for row in rows)
        assert capsys.readouterr().out.strip() == str(torch.Size([2, rows[-1]["channels"], *rows[-1]["out"]]))

    def test_has_every_kind_of_layer_and_axis(self, js):
        layers = [
            {"kind": "conv", "kernel": [3, 5], "stride": [1, 2], "padding": [1, 0], "dilation": [2, 1], "channels": 4},
            {"kind": "conv", "groups": 2, "channels": 4, "kernel": 1},
            {"kind": "avg", "kernel": [2, 1], "ceil": True},
            {"kind": "max", "kernel": 3, "stride": 2, "padding": 1, "ceil": True},
            {"kind": "residual", "kernel": [3, 5], "stride": [2, 1], "dilation": [1, 2], "count": 3, "channels": 6},
            {"kind": "block", "kernel": 3, "padding": 1, "channels": 5, "name": "inception\n'); import os"},
            {"kind": "gap"},
            {"kind": "dense", "channels": 3},
        ]
        network = {"size": [41, 30], "channels": 2, "layers": layers}
        space = {}
        exec(js("toTorch(n)", n=network), space)
        rows = js("table(n)", n=network)
        sizes, now = [], torch.zeros(2, 2, 41, 30)
        for module in space["network"]:
            now = module(now)
            if not isinstance(module, nn.ReLU | nn.Flatten | nn.Linear):
                sizes.append([*now.shape[1:]])
        assert sizes == [[row["channels"], *row["out"]] for row in rows[1:]]
        assert not any(row["problem"] for row in rows)
