import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.signal import convolve2d, correlate2d
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.convolution.sliding_sum import (
    SOBEL,
    build_square_image,
    convolution_error,
    convolve,
    dilation_verdict,
    edge_detection_verdict,
    output_size,
    padding_verdict,
    sample_output_sizes,
    sliding_sum_verdict,
    stride_halving_verdict,
    window_products,
)

KERNEL = torch.tensor(SOBEL)


def by_hand(**sliding):
    return convolve(build_square_image(), KERNEL[None, None], **sliding)[0, 0]


class TestWindowProducts:
    def test_sum_to_the_convolution(self):
        terms = window_products(build_square_image(), KERNEL[None])[0, 0]
        assert terms[0, 0].tolist() == [[0, 0, 0], [0, 0, 2], [0, 0, 1]]
        assert terms[1, 2].tolist() == [[-1, 0, 0], [-2, 0, 0], [-1, 0, 0]]
        assert terms.sum(dim=(2, 3)).tolist() == by_hand().tolist()


class TestOutputSize:
    def test_is_torchs_for_random_settings(self):
        trials = sample_output_sizes(1000)
        assert len(trials) == 1000 and len({setting for setting, _, _ in trials}) > 900
        assert [formula for _, formula, _ in trials] == [measured for _, _, measured in trials]

    def test_rejects_a_kernel_that_does_not_fit(self):
        with pytest.raises(HeadstartError, match="a kernel of 3 with dilation 3 does not fit into 5 pixels"):
            output_size(5, 3, padding=0, dilation=3)


class TestConvolutionError:
    def test_is_none_for_other_paddings(self):
        assert (
            convolution_error(nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2)) < 1e-12
        )
        assert convolution_error(nn.Conv2d(1, 1, 3, padding="same")) is None
        assert convolution_error(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")) is None


class TestConvolve:
    def test_finds_edges_of_the_square(self):
        assert by_hand().tolist() == [[3, 0, -3], [4, 0, -4], [3, 0, -3]]
        assert by_hand(padding=1)[0].tolist() == [1, 1, 0, -1, -1]
        assert by_hand(stride=2).tolist() == [[3, -3], [3, -3]]
        assert by_hand(dilation=2).tolist() == [[0]]

    @pytest.mark.parametrize("seed", range(40))
    def test_equals_torch_for_random_settings(self, seed):
        draw = np.random.default_rng(seed)
        groups = int(draw.integers(1, 4))
        taken, given = groups * int(draw.integers(1, 4)), groups * int(draw.integers(1, 4))
        kernel, stride, padding, dilation = (
            tuple(map(int, draw.integers(a, b, 2))) for a, b in ((1, 5), (1, 4), (0, 4), (1, 4))
        )
        images = torch.randn(2, taken, 13, 15, dtype=torch.float64)
        weights = torch.randn(given, taken // groups, *kernel, dtype=torch.float64)
        how = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        torch.testing.assert_close(
            convolve(images, weights, **how), F.conv2d(images, weights, **how), rtol=1e-12, atol=1e-12
        )

    def test_is_scipys_correlation(self):
        image, kernel = torch.randn(1, 1, 9, 8, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
        ours = convolve(image, kernel[None, None])[0, 0].numpy()
        np.testing.assert_allclose(ours, correlate2d(image[0, 0], kernel, mode="valid"), atol=1e-12)
        assert not np.allclose(ours, convolve2d(image[0, 0], kernel, mode="valid"))
        np.testing.assert_array_equal(convolve2d(build_square_image()[0, 0], KERNEL, mode="valid"), -by_hand().numpy())

    def test_padding_makes_an_edge(self):
        white = convolve(torch.ones(1, 1, 5, 5), KERNEL[None, None], padding=1)[0, 0]
        assert white[0].tolist() == [3, 0, 0, 0, -3] and white[2].tolist() == [4, 0, 0, 0, -4]


EDGES = torch.tensor([True, False, True]).expand(3, 3)


class TestVerdicts:
    def test_edge_detection(self):
        assert edge_detection_verdict(by_hand(), EDGES) == "depends"
        assert edge_detection_verdict(by_hand().abs(), EDGES) == "holds"
        assert edge_detection_verdict(by_hand().T, EDGES) == "fails"

    def test_sliding_sum(self):
        assert sliding_sum_verdict([1e-12, 0.0]) == "holds"
        assert sliding_sum_verdict([1e-12, 0.1]) == "depends"
        assert sliding_sum_verdict([0.1]) == "fails"
        assert sliding_sum_verdict([]) == "not measured"

    def test_sizes(self):
        assert stride_halving_verdict([(28, 14), (14, 7)]) == "holds"
        assert stride_halving_verdict([(28, 14), (5, 2)]) == "depends"
        assert stride_halving_verdict([(5, 2), (224, 111)]) == "fails"
        assert padding_verdict([(5, 5)]) == "holds"
        assert padding_verdict([(5, 5), (5, 3)]) == "depends"
        assert padding_verdict([(5, 3)]) == "fails"

    def test_dilation(self):
        assert dilation_verdict([3, 5, 7], [9, 9, 9]) == "holds"
        assert dilation_verdict([3, 5, 7], [9, 25, 49]) == "depends"
        assert dilation_verdict([3, 5, 5], [9, 9, 9]) == "fails"
