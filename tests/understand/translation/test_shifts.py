import torch
from torch import nn

from headstart.understand.statistics import Estimate
from headstart.understand.translation.shifts import (
    axis_shifts,
    chance_agreement,
    recognition_verdict,
    shift_images,
    unchanged_predictions,
)


class Where(nn.Module):
    """Class 1 for an image whose brighter half is the right one."""

    def forward(self, images):
        left, right = images.chunk(2, dim=3)
        return torch.stack([left.mean(dim=(1, 2, 3)), right.mean(dim=(1, 2, 3))], dim=1)


class TestShiftImages:
    def test_moves_content_and_mirrors_the_border(self):
        image = torch.arange(9.0).view(1, 1, 3, 3)
        assert shift_images(image, 0, 1)[0, 0].tolist() == [[1, 0, 1], [4, 3, 4], [7, 6, 7]]
        assert shift_images(image, -1, 0)[0, 0].tolist() == [[3, 4, 5], [6, 7, 8], [3, 4, 5]]
        assert torch.equal(shift_images(image, 0, 0), image)


class TestUnchangedPredictions:
    def test_change_where_a_shift_crosses_the_middle(self):
        image = torch.zeros(1, 1, 8, 8)
        image[..., 3] = 1
        assert unchanged_predictions(Where(), image, axis_shifts(2)).flatten().tolist() == [True, True, False, True]


class TestChanceAgreement:
    def test_counts_pairs_of_one_class(self):
        images = torch.zeros(4, 1, 4, 4)
        images[:2, ..., 3] = 1
        images[2:, ..., 0] = 1
        assert abs(chance_agreement(Where(), images) - 4 / 12) < 1e-9


class TestRecognitionVerdict:
    def test_fails_at_chance_and_below_one_half(self):
        assert recognition_verdict(Estimate(0.96, 0.96, 0.99), chance=0.1) == "holds"
        assert recognition_verdict(Estimate(0.6, 0.6, 0.8), chance=0.1) == "depends"
        assert recognition_verdict(Estimate(0.3, 0.3, 0.45), chance=0.1) == "fails"
        assert recognition_verdict(Estimate(0.97, 0.97, 1.0), chance=1.0) == "fails"
