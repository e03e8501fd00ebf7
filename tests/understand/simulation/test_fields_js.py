"""The page's arithmetic: known networks, convolutions by hand, and stacks drawn at random against torch."""

import math
import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from headstart.understand.receptive_field.fields import ReceptiveFields

CONV = {"kind": "conv", "kernel": 3, "padding": 1}


def fields(js, network):
    """(field, jump, padding) across, of each layer."""
    rows = js("table(n).slice(1).map((r) => [r.field[1], r.jump[1], -r.first[1]])", n=network)
    return [tuple(row) for row in rows]


def preset(js, name):
    return js("PRESETS[name]", name=name)


SQUARE = [[int(i in (1, 2, 3) and j in (1, 2, 3)) for j in range(5)] for i in range(5)]
SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]


def drawn_layer(draw, channels):
    """A layer at random; about half of them differ between the axes."""
    kind = draw.choice(["conv", "conv", "conv", "max", "avg", "residual"])

    def pair(low, high, step=1):
        one = draw.randrange(low, high + 1, step)
        return [one, one if draw.random() < 0.5 else draw.randrange(low, high + 1, step)]

    kernel = pair(1, 5, 2) if kind == "residual" else pair(1, 5)
    layer = {"kind": kind, "kernel": kernel, "stride": pair(1, 2), "dilation": pair(1, 2), "channels": channels}
    if kind == "residual":
        return {**layer, "count": draw.randint(1, 2)}
    if kind == "avg":
        layer["dilation"] = [1, 1]
    most = 3 if kind == "conv" else min(kernel) // 2
    return {**layer, "padding": pair(0, most), **({"ceil": True} if kind != "conv" and draw.random() < 0.3 else {})}


def drawn_stack(js, draw):
    """Layers at random that fit each other: the network as the page has it, and its rows."""
    network = {"size": [draw.randint(20, 40), draw.randint(20, 40)], "channels": 1, "layers": []}
    for _ in range(draw.randint(1, 6)):
        longer = {**network, "layers": [*network["layers"], drawn_layer(draw, 1)]}
        if not js("table(n).at(-1).problem", n=longer):
            network = longer
    return network, js("table(n)", n=network)


def agree(network, rows, modules):
    """Asserts that Python's engine has the rows' fields for these modules; gives it and the rows' names in it."""
    sight = ReceptiveFields(modules, (network["channels"], *network["size"]))
    known = {field.name: field for field in sight.fields}
    names = [str(i) for i, module in enumerate(modules) if not isinstance(module, nn.ReLU)]
    for name, row in zip(names, rows[1:], strict=True):
        field = known[name]
        assert row["out"] == list(field.shape[1:]), network
        assert row["field"] == list(field.size), network
        assert [-first for first in row["first"]] == list(field.padding), network
        assert all(n == 1 or j == s for n, j, s in zip(row["out"], row["jump"], field.stride, strict=True)), network
    return sight, names


def taken_away(js, network):
    """What the page's PyTorch makes of a network."""
    space = {}
    exec(js("toTorch(n)", n=network), space)
    return space["network"]


def ones(layer, images):
    """A layer in which every tap weighs 1."""

    def slid(images, kernel, stride, padding, dilation):
        # A last window may hang over the edge: what lies there is no pixel.
        images = F.pad(images, (0, 8, 0, 8)) if layer.get("ceil") else images
        return F.conv2d(images, torch.ones(1, 1, *kernel, dtype=images.dtype), None, stride, padding, dilation)

    kernel, stride, dilation = layer["kernel"], layer["stride"], layer["dilation"]
    if layer["kind"] != "residual":
        return slid(images, kernel, stride, layer["padding"], dilation)
    padding = [d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)]
    main = images
    for i in range(layer["count"]):
        main = slid(main, kernel, stride if i == 0 else [1, 1], padding, dilation)
    return main + slid(images, [1, 1], stride, [0, 0], [1, 1])


class TestFields:
    @pytest.mark.parametrize(
        ("name", "layer", "expected"),
        [
            ("alexnet", -1, (195, 32, 66)),
            ("vgg16", -1, (212, 32, 90)),
            ("resnet18", 9, (435, 32, 217)),
            ("resnet18", 3, (43, 4, 21)),
            ("resnet18", 5, (99, 8, 49)),
            ("resnet18", 7, (211, 16, 105)),
        ],
    )
    def test_match_published_values(self, js, name, layer, expected):
        assert fields(js, preset(js, name))[layer] == expected

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("lesson", [3, 4, 8, 10]),
            ("lenet", [5, 6, 14, 16, 32]),
            ("three", [3, 5, 7]),
            ("dilated", [3, 7, 15, 31, 63]),
        ],
    )
    def test_of_small_networks_match_known_values(self, js, name, expected):
        assert [field for field, _, _ in fields(js, preset(js, name))][: len(expected)] == expected

    def test_of_five_layers_are_11_and_78_with_pools(self, js):
        plain = {"size": [224, 224], "channels": 3, "layers": [CONV] * 5}
        pooled = {**plain, "layers": [CONV, {"kind": "max"}] * 5}
        assert fields(js, plain)[-1][0] == 11
        assert fields(js, pooled)[8][0] == 78

    def test_are_the_image_after_global_layers(self, js):
        for kind in ("gap", "dense"):
            network = {"size": [28, 28], "channels": 1, "layers": [CONV, {"kind": "max"}, {"kind": kind}]}
            (rows, columns), *_ = js("trace(table(n), 3, [0, 0])", n=network)
            assert rows == columns == list(range(28))

    def test_double_after_a_first_stride(self, js):
        network = preset(js, "lesson")
        network["layers"] = network["layers"][:4]
        before = [field for field, _, _ in fields(js, network)]
        network["layers"][0]["stride"] = 2
        assert [field for field, _, _ in fields(js, network)] == [3 + 2 * (field - 3) for field in before]

    def test_have_the_holes_of_dilation(self, js):
        network = {"size": [21, 21], "channels": 1, "layers": [{**CONV, "padding": 2, "dilation": 2}] * 3}
        rows, columns = js("trace(table(n), 3, [10, 10])[0]", n=network)
        assert len(rows) * len(columns) == 49 and (rows[-1] - rows[0] + 1) ** 2 == 169
        assert js("[...paths(table(n), 3, [10, 10]).values].filter(Boolean).length", n=network) == 49

    @pytest.mark.parametrize("block", range(10))
    def test_of_random_stacks_equal_pythons(self, js, block):
        draw = random.Random(block)
        for _ in range(50):
            network, rows = drawn_stack(js, draw)
            if not network["layers"]:
                continue
            sight, names = agree(network, rows, taken_away(js, network))
            layer = len(rows) - 1
            unit = [draw.randrange(n) for n in rows[layer]["out"]]
            seen = torch.zeros(network["size"], dtype=torch.bool)
            down, across = js("trace(table(n), layer, unit)[0]", n=network, layer=layer, unit=unit)
            seen[torch.tensor(down, dtype=torch.long)[:, None], torch.tensor(across, dtype=torch.long)] = True
            assert torch.equal(seen, sight.pixels(names[-1], *unit)), (network, unit)

    @pytest.mark.parametrize("name", ["lesson", "three", "dilated", "lenet", "alexnet", "vgg16", "resnet18"])
    def test_of_presets_equal_pythons(self, js, name):
        network = preset(js, name)
        network["layers"] = [layer for layer in network["layers"] if layer["kind"] not in ("gap", "dense")]
        agree(network, js("table(n)", n=network), taken_away(js, network))

    @pytest.mark.parametrize(
        ("layer", "said"),
        [
            ({"kind": "conv", "kernel": 9}, "does not fit"),
            ({"kind": "max", "kernel": 2, "padding": 2}, "half"),
            ({"kind": "residual", "kernel": 2}, "odd"),
        ],
    )
    def test_end_at_an_invalid_layer_with_a_reason(self, js, layer, said):
        network = {"size": [8, 8], "channels": 1, "layers": [layer, CONV]}
        problems = js("table(n).map((r) => r.problem)", n=network)
        assert problems[0] == "" and said in problems[1] and problems[2]


class TestPaths:
    def test_of_the_lessons_network_are_known(self, js):
        counts = js("[...paths(table(PRESETS.lesson), 4, [3, 3], [1]).values]")
        assert counts == [1, 2, 4, 5, 6, 6, 5, 4, 2, 1] and sum(counts) == 36
        variance = js("spread(paths(table(PRESETS.lesson), 4, [3, 3]), 0).variance")
        assert variance == pytest.approx(4.5833333, abs=1e-6)

    def test_of_vgg16_have_the_known_variance(self, js):
        assert js("spread(paths(table(PRESETS.vgg16), 18, [3, 3]), 1).variance") == pytest.approx(763.9167, abs=1e-4)

    @pytest.mark.parametrize(("depth", "share"), [(2, 0.92), (10, 0.49), (40, 0.26)])
    def test_spread_less_than_the_field_with_depth(self, js, depth, share):
        size = 2 * depth + 1
        network = {"size": [size, size], "channels": 1, "layers": [{"kind": "conv", "kernel": 3}] * depth}
        sigma = js("Math.sqrt(spread(paths(table(n), d, [0, 0]), 0).variance)", n=network, d=depth)
        assert sigma == pytest.approx(math.sqrt(2 * depth / 3))
        assert round(4 * sigma / size, 2) == share

    def test_are_counted_beyond_float_range(self, js):
        block = {"kind": "residual", "kernel": 5, "count": 8}
        network = {"size": [28, 28], "channels": 1, "layers": [block] * 60}
        variance = js("spread(paths(table(n), 60, [14, 14]), 1).variance", n=network)
        assert variance == pytest.approx(41.003, abs=1e-3)  # were they not scaled, it would be null: not a number

    @pytest.mark.parametrize("seed", range(40))
    def test_equal_gradients_with_weights_of_1(self, js, seed):
        draw = random.Random(1000 + seed)
        network, rows = drawn_stack(js, draw)
        out = rows[-1]["out"]
        unit = [draw.randrange(n) for n in out]
        images = torch.zeros(1, 1, *network["size"], dtype=torch.float64, requires_grad=True)
        now = images
        for layer, row in zip(network["layers"], rows[1:], strict=True):
            now = ones(layer, now)[:, :, : row["out"][0], : row["out"][1]]
        expected = torch.autograd.grad(now[0, 0, unit[0], unit[1]], images)[0][0, 0] if network["layers"] else None
        found = js(
            "(({ from, shape, values }) => ({ from, shape, values: [...values] }))(paths(table(n), layer, unit))",
            n=network,
            layer=len(rows) - 1,
            unit=unit,
        )
        if expected is not None:
            whole = torch.zeros(network["size"], dtype=torch.float64)
            (y, x), (h, w) = found["from"], found["shape"]
            whole[y : y + h, x : x + w] = torch.tensor(found["values"], dtype=torch.float64).reshape(h, w)
            assert torch.equal(whole, expected), network


class TestConvolution:
    @pytest.mark.parametrize(
        ("how", "expected"),
        [
            ({}, [[3, 0, -3], [4, 0, -4], [3, 0, -3]]),
            ({"stride": 2}, [[3, -3], [3, -3]]),
            ({"dilation": 2}, [[0]]),
        ],
    )
    def test_sobel_by_hand(self, js, how, expected):
        assert js("convolve(image, kernel, how).output", image=SQUARE, kernel=SOBEL, how=how) == expected

    def test_sobel_by_hand_in_padding(self, js):
        output = js("convolve(image, kernel, { padding: 1 }).output", image=SQUARE, kernel=SOBEL)
        assert output[0] == [1, 1, 0, -1, -1]

    @pytest.mark.parametrize("seed", range(20))
    def test_equals_torchs(self, js, seed):
        draw = random.Random(seed)
        how = {"stride": draw.randint(1, 3), "padding": draw.randint(0, 2), "dilation": draw.randint(1, 2)}
        image = [[draw.randint(-4, 4) for _ in range(5)] for _ in range(5)]
        kernel = [[draw.randint(-4, 4) for _ in range(3)] for _ in range(3)]
        found = js("convolve(image, kernel, how)", image=image, kernel=kernel, how=how)
        expected = F.conv2d(torch.tensor(image)[None, None].float(), torch.tensor(kernel)[None, None].float(), **how)
        assert found["output"] == expected[0, 0].tolist()
        assert all(sum(p["product"] for p in place["products"]) == place["sum"] for place in found["places"])
