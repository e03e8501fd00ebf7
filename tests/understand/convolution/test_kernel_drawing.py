import torch

from headstart.understand.convolution.kernel_drawing import format_short_number, render_kernel_positions
from headstart.understand.convolution.sliding_sum import SOBEL, build_square_image


def test_the_picture_shows_every_sum_and_reads_out_what_it_is():
    markup = render_kernel_positions(build_square_image()[0, 0], torch.tensor(SOBEL))
    assert markup.startswith("<svg") and "The 9 places of the kernel" in markup
    for total in ("sum 3", "sum 4", "sum 0", "sum −3", "sum −4"):
        assert total in markup
    assert len(markup) < 40_000


def test_numbers_have_a_true_minus_and_no_minus_zero():
    assert [format_short_number(v) for v in (-0.0, -4.0, 0.5)] == ["0", "−4", "0.5"]
