import torch

from headstart.understand.convolution.kernel_drawing import format_short_number, render_kernel_positions
from headstart.understand.convolution.sliding_sum import SOBEL, build_square_image


class TestRenderKernelPositions:
    def test_shows_every_sum(self):
        markup = render_kernel_positions(build_square_image()[0, 0], torch.tensor(SOBEL))
        assert markup.startswith("<svg") and "The 9 positions of the kernel" in markup
        for total in ("sum 3", "sum 4", "sum 0", "sum −3", "sum −4"):
            assert total in markup
        assert len(markup) < 40_000


class TestFormatShortNumber:
    def test_has_a_minus_and_no_negative_zero(self):
        assert [format_short_number(v) for v in (-0.0, -4.0, 0.5)] == ["0", "−4", "0.5"]
