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


@pytest.mark.parametrize("name", NAMES)
def test_an_address_brings_the_state_back(js, name):
    given = state(js, name)
    assert js("fromAddress(toAddress(given))", given=given) == given


def test_an_address_keeps_names_whatever_stands_in_them(js):
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
def test_an_address_that_is_none_changes_nothing(js, address):
    assert js("fromAddress(address)", address=address) is None


def test_an_address_asks_for_nothing_that_would_take_forever(js):
    address = js("toAddress(given)", given=state(js, "three"))
    for part, huge in (("1x15x15", "1x99999x15"), ("k3.", "k9999."), ("stack=7.16", "stack=9e9.16")):
        assert part in address
        assert js("fromAddress(address)", address=address.replace(part, huge, 1)) is None


def test_an_average_pool_in_an_address_has_no_dilation_as_it_has_none_in_pytorch(js):
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


def hostile(js, layers, layer):
    return state(
        js, "three", size=[1024, 1024], layers=[js("complete(l)", l=layer)] * layers, layer=layers, unit=[0, 0]
    )


def test_a_hostile_address_is_refused_or_its_network_ends_where_it_grows_beyond_drawing(js):
    wide = {"kind": "conv", "kernel": 64, "padding": 64}
    assert js("fromAddress(toAddress(given))", given=hostile(js, 400, wide)) is None
    problems = js("table(fromAddress(toAddress(given))).map((row) => row.problem)", given=hostile(js, 100, wide))
    assert problems.index("its map would be 2064×2064, wider than the 2048 that are drawn") == 16


def test_the_ways_through_a_huge_network_are_too_many_to_count_and_its_fields_are_not(js):
    given = hostile(js, 100, {"kind": "conv", "kernel": 63, "padding": 31})
    taps = js(
        "((rows) => [work(rows, 100) > MOST_WORK, rows.map((_, l) => trace(rows, l, [512, 512])[0][0].length).at(-1)])"
        "(table(fromAddress(toAddress(given))))",
        given=given,
    )
    assert taps == [True, 1024]


@pytest.mark.parametrize("name", NAMES)
def test_the_ways_through_each_preset_are_few_enough(js, name):
    assert js("((rows) => rows.every((_, l) => work(rows, l) <= MOST_WORK))(table(PRESETS[name]))", name=name)


def test_an_image_has_as_many_channels_as_its_dial_admits(js):
    given = state(js, "three", channels=js("MOST.inputs"))
    assert js("fromAddress(toAddress(given))", given=given) == given
    assert js("fromAddress(toAddress(given))", given={**given, "channels": given["channels"] + 1}) is None
    assert "most: MOST.inputs, value: state.channels" in (TEMPLATE_FOLDER / "page/editor.js").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_pytorch_runs_and_gives_the_same_sizes_and_parameters(js, name, capsys):
    code = js("toTorch(PRESETS[name])", name=name)
    with torch.device("meta"):
        space = {}
        exec(code, space)
    rows = js("table(PRESETS[name])", name=name)
    network = space["network"]
    assert sum(p.numel() for p in network.parameters()) == sum(row["parameters"] for row in rows)
    assert capsys.readouterr().out.strip() == str(torch.Size([2, rows[-1]["channels"], *rows[-1]["out"]]))


def test_the_pytorch_has_every_kind_of_layer_and_each_axis_by_itself(js):
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
