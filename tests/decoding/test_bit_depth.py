"""One depth for a data set: which value is white."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.decoding import bit_depth as depths
from headstart.decoding.bit_depth import DepthError, Extent, PixelError

HIGHEST = st.lists(st.integers(0, 65535), min_size=1, max_size=6)


def whole(*highest):
    return [Extent(is_float=False, low=0, high=high) for high in highest]


def floating(low, high):
    return Extent(is_float=True, low=low, high=high)


def chosen(extents):
    return depths.choose_depth(extents, [f"{i}.tif" for i in range(len(extents))])


class TestChooseDepth:
    @given(highest=HIGHEST, random=st.randoms())
    def test_smallest_that_holds_all_in_any_order(self, highest, random):
        depth = chosen(whole(*highest))
        white = depths.WHITE_VALUES[depth]
        assert max(highest) <= white
        smaller = [w for w in depths.INTEGER_WHITE.values() if w < white]
        assert not smaller or max(smaller) < max(highest)
        random.shuffle(highest)
        assert chosen(whole(*highest)) == depth

    @pytest.mark.parametrize(
        ("low", "high", "depth"),
        [(0, 1, "float1"), (-0.1, 1.0001, "float1"), (0, 0.6, "float1"), (0, 255, "float255"), (0, 200, "float255"),
         (-8, 260, "float255"), (0, 65535, "float65535"), (0, 40000, "float65535")],
    )  # fmt: skip
    def test_float_ranges(self, low, high, depth):
        assert chosen([floating(low, high), floating(0, high / 9)]) == depth

    @pytest.mark.parametrize("high", [0, 0.3, 1.5, 40, 100, 400, 4095, 90_000, 1e30])
    def test_rejects_other_float_ranges(self, high):
        with pytest.raises(DepthError, match=r"0\.tif.*cannot be told; scale"):
            chosen([floating(0, high)])

    def test_rejects_more_than_16_bits(self):
        with pytest.raises(DepthError, match=r"70,000 \(in 1\.tif\): more than 16 bits"):
            chosen(whole(3, 70_000))

    def test_rejects_floats_beside_whole_numbers(self):
        with pytest.raises(DepthError, match=r"1 of 2 .* floating point \(such as 1\.tif\)"):
            chosen([*whole(255), floating(0, 1)])

    def test_rejects_16_bit_color_of_few_bits(self):
        color = Extent(is_float=False, low=0, high=4095, is_color=True)
        with pytest.raises(DepthError, match="only the upper 8 of 16 bits"):
            chosen([color])
        assert chosen([color, *whole(65535)]) == "uint16"


class TestDescribeDepth:
    def test_names_the_values_and_the_range(self):
        assert depths.describe_depth(whole(4031, 900), "uint12", 2) == (
            "images deeper than 8 bits, values up to 4,031: read as 12 bits, 0 to 4,095"
        )

    def test_counts_the_deep_images_among_others(self):
        assert depths.describe_depth(whole(255), "uint8", 9).startswith("1 of 9 are images deeper than 8 bits")

    def test_says_that_few_images_need_the_depth(self):
        text = depths.describe_depth(whole(65535, *[4000] * 40), "uint16", 41)
        assert text.endswith("; only 1 of 41 need so many, the others end at 16,383")

    def test_says_what_is_clipped(self):
        text = depths.describe_depth([floating(-0.01, 1.0001)], "float1", 1)
        assert text == (
            "floating-point images, values from -0.01 to 1.0001: read as 0 to 1, what lies outside is clipped"
        )


class TestResolveDepth:
    @pytest.mark.parametrize(
        ("extent", "depth", "text"),
        [(*whole(9), None, "knows no range"), (*whole(5000), "uint12", "0 to 4,095"), (*whole(1), "float1", "0 to 1"),
         (floating(0, 1), "uint12", "0 to 4,095"), (floating(0, 255), "float1", "from 0 to 255"),
         (floating(-3, 1), "float1", "from -3 to 1"), (Extent(False, 0, 65535, is_color=True), "uint12", "upper 8")],
    )  # fmt: skip
    def test_rejects_values_of_another_range(self, extent, depth, text):
        with pytest.raises(PixelError, match=text):
            depths.resolve_depth(extent, depth)

    @pytest.mark.parametrize("is_color", [True, False])
    def test_takes_full_range_for_16_bits_where_no_depth_is_known(self, is_color):
        assert depths.resolve_depth(Extent(False, 0, 65535, is_color=is_color), None) == "uint16"
        with pytest.raises(PixelError, match="knows no range"):
            depths.resolve_depth(Extent(False, 0, 16383, is_color=is_color), None)


class TestMeasureExtent:
    @pytest.mark.parametrize(
        ("values", "text"),
        [([1, np.nan], "NaN"), ([1, np.inf], "infinite"), ([-np.inf, 1], "infinite"), ([], "no pixels")],
    )
    def test_rejects_what_is_no_brightness(self, values, text):
        with pytest.raises(PixelError, match=text):
            depths.measure_extent(np.array(values, dtype=np.float32))

    def test_rejects_negative_whole_numbers(self):
        with pytest.raises(PixelError, match="below 0"):
            depths.measure_extent(np.array([-1, 3]))
