import torch

from headstart.understand.features.tile_shuffle import shuffle_tiles, tile_shuffle_loss


class TestShuffleTiles:
    def test_moves_tiles_and_keeps_every_pixel(self):
        images = torch.arange(2 * 3 * 8 * 8).view(2, 3, 8, 8)
        anew = shuffle_tiles(images, 4)
        assert torch.equal(anew, shuffle_tiles(images, 4)) and not torch.equal(anew, images)
        assert torch.equal(anew.flatten().sort().values, images.flatten())
        tiles = {
            tuple(images[0, :, y : y + 2, x : x + 2].flatten().tolist()) for y in range(0, 8, 2) for x in range(0, 8, 2)
        }
        assert tuple(anew[0, :, 2:4, 4:6].flatten().tolist()) in tiles
        assert not torch.equal(anew[1] - 192, anew[0])  # each image has an order of its own

    def test_keeps_remaining_pixels_in_place(self):
        images = torch.rand(1, 1, 9, 10)
        anew = shuffle_tiles(images, 4)
        assert torch.equal(anew[:, :, 8:], images[:, :, 8:]) and torch.equal(anew[:, :, :, 8:], images[:, :, :, 8:])


class TestTileShuffleLoss:
    def test_is_0_for_means_and_large_for_positions(self):
        images = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        anew = shuffle_tiles(images, 4)
        both = [
            torch.stack([some.mean(dim=(1, 2, 3)), some[:, 0, 0, 0], some[:, 0, 0, 0] * 0], 1)
            for some in (images, anew)
        ]
        mean, corner, silent = tile_shuffle_loss(*both).tolist()
        assert mean < 1e-6 and corner > 0.9 and silent != silent
