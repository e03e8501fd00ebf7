import torch

from headstart.understand.features.top_patches import channel_peaks, crop_box, crop_top_patches, fit_to_square
from headstart.understand.receptive_field.fields import receptive_fields


class TestChannelPeaks:
    def test_has_response_and_position(self):
        maps = torch.zeros(1, 2, 4, 5)
        maps[0, 0, 1, 2], maps[0, 0, 3, 3], maps[0, 1, 2, 0] = 5.0, 4.0, 1.0
        assert channel_peaks(maps).tolist() == [[[5, 7], [1, 10]]]


class TestCropTopPatches:
    def test_takes_one_patch_of_each_image(self, lesson):
        field = next(each for each in receptive_fields(lesson(), (1, 28, 28)) if each.name == "conv1")
        pictures = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 28, 28)
        peaks = torch.tensor([[[5.0, 30]], [[1.0, 30]], [[7.0, 30]]])
        assert crop_top_patches(pictures, peaks, field, count=2, size=1).flatten().tolist() == [2, 0]

    def test_crops_the_receptive_field(self, lesson):
        network = lesson()
        draw = torch.Generator().manual_seed(0)
        pictures = torch.randint(0, 256, (2, 1, 28, 28), generator=draw, dtype=torch.uint8)
        field = next(each for each in receptive_fields(network, (1, 28, 28)) if each.name == "conv2")
        maps = torch.zeros(2, 1, 14, 14)
        maps[0, 0, 7, 5], maps[1, 0, 0, 0] = 2.0, 1.0
        patches = crop_top_patches(pictures, channel_peaks(maps), field, count=2, size=8)
        assert torch.equal(patches[0, 0], pictures[0, :, 11:19, 7:15]) and field.size == (8, 8)
        assert torch.equal(patches[0, 1], fit_to_square(pictures[1, :, 0:5, 0:5], 8))


class TestFitToSquare:
    def test_enlarges_squares_and_averages_reductions(self):
        grown = fit_to_square(torch.tensor([[[10, 20]]], dtype=torch.uint8), 4)
        assert grown[0, 1].tolist() == [10, 10, 20, 20] and grown[0, 0].tolist() == [128] * 4
        assert fit_to_square(torch.tensor([[[0, 100], [100, 200]]], dtype=torch.uint8), 1).item() == 100
        assert crop_box(torch.arange(9).view(1, 3, 3), (1, 0, 3, 2)).tolist() == [[[3, 4], [6, 7]]]
