"""An image of any shape becomes a square: cut, whole on gray, or squashed."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from headstart.decoding.square import PAD_GRAY, RESIZE_MODES, make_square

RED, BLUE = (200, 30, 30), (30, 30, 200)


def halves(size):
    """Red on the left or above, blue on the right or below, along the longer side."""
    image = Image.new("RGB", size, RED)
    width, height = size
    image.paste(BLUE, (width // 2, 0, width, height) if width > height else (0, height // 2, width, height))
    return image


def noise(height, width):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


class TestMakeSquare:
    @pytest.mark.parametrize("resize", RESIZE_MODES)
    @pytest.mark.parametrize("mode", ["L", "RGB"])
    @pytest.mark.parametrize("size", [(40, 30), (30, 40), (7, 9), (1000, 1), (1, 1000), (16, 16)])
    def test_gives_both_sides_the_size(self, resize, mode, size):
        square = make_square(Image.new(mode, size), 16, resize)
        assert square.size == (16, 16) and square.mode == mode

    @pytest.mark.parametrize("side", [9, 16, 40])
    def test_three_ways_are_equal_for_square_images(self, side):
        squares = [np.asarray(make_square(noise(side, side), 16, resize)) for resize in RESIZE_MODES]
        np.testing.assert_array_equal(squares[0], squares[1])
        np.testing.assert_array_equal(squares[0], squares[2])

    @pytest.mark.parametrize("size", [(50, 30), (31, 64), (9, 8)])
    def test_crop_is_that_of_pillow(self, size):
        image = noise(*size)
        expected = ImageOps.fit(image, (16, 16), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(make_square(image, 16, "crop"), expected)

    def test_crop_cuts_off_both_ends(self):
        wide = Image.new("RGB", (48, 16), BLUE)
        wide.paste(RED, (16, 0, 32, 16))
        assert (np.asarray(make_square(wide, 16, "crop")) == RED).all()

    def test_pad_puts_the_whole_image_on_gray(self):
        image = noise(8, 16)
        pixels = np.asarray(make_square(image, 16, "pad"))
        np.testing.assert_array_equal(pixels[4:12], np.asarray(image))
        assert (pixels[:4] == PAD_GRAY).all() and (pixels[12:] == PAD_GRAY).all()

    def test_pad_keeps_the_aspect(self):
        pixels = np.asarray(make_square(Image.new("L", (90, 60), 255), 30, "pad"))
        assert (pixels[5:25] == 255).all() and (pixels[:5] == PAD_GRAY).all() and (pixels[25:] == PAD_GRAY).all()

    def test_pad_centers_upright_images(self):
        pixels = np.asarray(make_square(Image.new("L", (16, 32), 255), 16, "pad"))
        assert (
            (pixels[:, 4:12] == 255).all() and (pixels[:, :4] == PAD_GRAY).all() and (pixels[:, 12:] == PAD_GRAY).all()
        )

    @pytest.mark.parametrize("size", [(64, 16), (16, 64)])
    def test_squash_keeps_both_ends(self, size):
        pixels = np.asarray(make_square(halves(size), 16, "squash"))
        assert (pixels[0, 0] == RED).all() and (pixels[-1, -1] == BLUE).all()
        assert not (pixels == PAD_GRAY).all(axis=2).any()
