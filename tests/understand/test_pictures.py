import torch

from headstart.understand.pictures import color_heatmap, draw_frame, render_image, rescale_contrast, tile_images


class TestTileImages:
    def test_tiles_row_by_row_with_gaps(self):
        images = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 2, 2)
        whole = tile_images(images, columns=2)
        assert whole.shape == (1, 5, 5)
        assert whole[0, 0].tolist() == [0, 0, 255, 1, 1] and whole[0, 4].tolist() == [2, 2, 255, 255, 255]


class TestRescaleContrast:
    def test_rescales_each_image(self):
        pair = rescale_contrast(torch.tensor([[0.0, 1.0], [5.0, 7.0]]).view(2, 1, 1, 2))
        assert pair.flatten().tolist() == [0, 255, 0, 255]


class TestRenderImage:
    def test_escapes_the_description(self):
        markup = render_image(torch.zeros(1, 2, 3, dtype=torch.uint8), '"><script>', scale=4)
        assert "<script>" not in markup and 'width="12" height="8"' in markup and 'alt="' in markup


class TestColorHeatmap:
    def test_accepts_a_map_of_zeros(self):
        assert color_heatmap(torch.zeros(2, 2)).shape == (3, 2, 2)


class TestDrawFrame:
    def test_stays_within_its_box(self):
        canvas = torch.zeros(3, 9, 9, dtype=torch.uint8)
        draw_frame(canvas, (1, 2, 7, 8), (10, 20, 30))
        assert canvas[:, 1, 2].tolist() == canvas[:, 6, 7].tolist() == [10, 20, 30]
        assert canvas[:, 2, 3].tolist() == canvas[:, 5, 6].tolist() == [255, 255, 255]
        assert canvas[0, 0].sum() == canvas[0, 7].sum() == canvas[0, :, 8].sum() == canvas[0, 3:5, 4:6].sum() == 0
