"""How a field came about, as the page writes it: what stands there comes to what stands behind it."""

import math

import pytest
import torch
from torch import nn

SIGNS = {"⌊": "math.floor(", "⌈": "math.ceil(", "⌋": ")", "⌉": ")", "−": "-", "·": "*"}
KEPT = "begin behind the input"


def reckoned(js, layer, size=(8, 8)):
    """(name, words, numbers, result) across, of a layer's first window."""
    network = {"size": size, "channels": 1, "layers": [layer]}
    return js(
        "(([before, { steps: [{ window }] }]) => reckoned(before, slid(before, window), window, 1))(table(n))",
        n=network,
    )


def comes_to(numbers):
    for sign, code in SIGNS.items():
        numbers = numbers.replace(sign, code)
    return eval(numbers, {"math": math})


class TestPoolFormula:
    @pytest.mark.parametrize("size", range(4, 12))
    @pytest.mark.parametrize("ceil", [False, True])
    @pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 2, 0), (2, 2, 1), (2, 4, 0), (3, 3, 1), (2, 1, 1)])
    def test_gives_torchs_size(self, js, size, ceil, kernel, stride, padding):
        layer = {"kind": "max", "kernel": kernel, "stride": stride, "padding": padding, "ceil": ceil}
        lines = reckoned(js, layer, (size, size))
        assert [comes_to(numbers) for _, _, numbers, _ in lines] == [result for *_, result in lines]
        pool = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
        assert lines[-1][-1] == pool(torch.zeros(1, 1, size, size)).shape[-1]

    def test_shows_rounding_up(self, js):
        _, words, numbers, result = reckoned(js, {"kind": "max", "kernel": 3, "stride": 2, "ceil": True})[-1]
        assert words == "⌈(input + 2 · padding − dilation · (kernel − 1) − 1) / stride⌉ + 1"
        assert (numbers, result) == ("⌈(8 + 2 · 0 − 1 · (3 − 1) − 1) / 2⌉ + 1", 4)

    def test_mentions_a_left_out_window_only_if_any(self, js):
        pool = {"kind": "max", "kernel": 2, "padding": 1, "ceil": True}
        _, words, numbers, result = reckoned(js, pool, (3, 3))[-1]
        assert KEPT in words and (numbers, result) == ("⌈(3 + 2 · 1 − 1 · (2 − 1) − 1) / 2⌉ + 1 − 1", 2)
        for layer, size in ((pool, (4, 4)), ({**pool, "ceil": False}, (3, 3))):
            assert KEPT not in reckoned(js, layer, size)[-1][1]


class TestConvolutionFormula:
    def test_contains_its_numbers(self, js):
        lines = reckoned(js, {"kind": "conv", "kernel": [1, 5], "stride": [1, 2], "padding": 2, "dilation": 2})
        assert [(name, numbers, result) for name, _, numbers, result in lines] == [
            ("field", "1 + (5 − 1) · 2 · 1", 9),
            ("jump", "1 · 2", 2),
            ("first", "0 − 2 · 1", -2),
            ("output", "⌊(8 + 2 · 2 − 2 · (5 − 1) − 1) / 2⌋ + 1", 2),
        ]
