"""Numbers and lists as texts."""

import numpy as np
import pytest

from headstart.reporting import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (254592, "255 k"), (22246400, "22.2 M"), (1102393344, "1.10 G"), (7, "7"), (999_999, "1.00 M")],
)
def test_format_si_has_three_digits(value, text):
    assert formats.format_si(value) == text


def test_format_signed_points_has_no_negative_zero():
    assert formats.format_signed_points(-0.0001) == "+0.0" and formats.format_signed_points(-0.001) == "−0.1"


@pytest.mark.parametrize(("difference", "text"), [(0.01, "1 point"), (0.015, "1.5 points"), (0.1, "10 points")])
def test_format_points_has_its_unit(difference, text):
    assert formats.format_points(difference) == text


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (180, "3 min"), (7500, "2 h 5 min")])
def test_format_duration_has_two_units_at_most(seconds, text):
    assert formats.format_duration(seconds) == text


@pytest.mark.parametrize(("items", "text"), [([], ""), (["a"], "a"), (["a", "b", "c"], "a, b and c")])
def test_join_with_and_makes_a_list(items, text):
    assert formats.join_with_and(items) == text


def test_to_json_value_converts_numpy_and_nan():
    value = {1: (np.float64(0.5), float("nan")), "n": [np.int64(3), True, None, np.inf]}
    assert formats.to_json_value(value) == {"1": [0.5, None], "n": [3, True, None, None]}
