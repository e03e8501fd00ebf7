import dataclasses

import pytest
import torch
from torch import nn

from headstart.understand.pooling.chapter import POOLING_CLAIMS, build_pooling_chapter, format_reduction
from headstart.understand.statistics import Estimate


class Brightness(nn.Module):
    """Class by the mean brightness of the image, or always the same class."""

    def __init__(self, is_constant):
        super().__init__()
        self.conv, self.is_constant = nn.Conv2d(1, 1, 1, bias=False), is_constant
        nn.init.ones_(self.conv.weight)

    def forward(self, images):
        brightness = self.conv(images).mean(dim=(2, 3))
        return torch.cat([0 * brightness, brightness - (-9.0 if self.is_constant else 0.0)], dim=1)


class TestBuildPoolingChapter:
    def test_measures_every_claim(self, subject):
        found = build_pooling_chapter(subject, lambda text: None)
        claims = {claim.name: claim for claim in found.claims}
        assert set(claims) == set(POOLING_CLAIMS)
        assert claims["pooling-gives-invariance"].verdict == "depends" and claims["pooling-gives-invariance"].interval
        assert claims["max-keeps-strongest"].verdict == claims["gap-saves-parameters"].verdict == "holds"
        head = {"layer": "fc1", "map": [8, 7, 7], "outputs": 32, "gap": 288, "flatten": 12_576, "pools": False}
        assert found.numbers["head"] == head
        measured = {(row["kind"], row["size"]): row["measured"] for row in found.numbers["impulse"]}
        assert measured["max", 2] == 0.5 and measured["max", 4] == 0.75 and measured["global", 2] == 1

    def test_does_not_measure_invariance_without_a_pool(self, subject):
        class Bare(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.head = nn.Conv2d(1, 2, 3), nn.Linear(2 * 26 * 26, 4)

            def forward(self, images):
                return self.head(self.conv(images).relu().flatten(1))

        bare = dataclasses.replace(subject, network=Bare())
        [claim] = [
            c for c in build_pooling_chapter(bare, lambda text: None).claims if c.name == "pooling-gives-invariance"
        ]
        assert claim.verdict == "not measured" and "has no pool" in claim.value and claim.command

    def test_accepts_a_network_without_maps(self, subject):
        torch.manual_seed(0)
        dense = dataclasses.replace(subject, network=nn.Sequential(nn.Flatten(), nn.Linear(784, 4)))
        claims = {claim.name: claim for claim in build_pooling_chapter(dense, lambda text: None).claims}
        assert set(claims) == set(POOLING_CLAIMS)
        for name in ("max-keeps-strongest", "average-is-smoother", "gap-saves-parameters"):
            assert claims[name].verdict == "not measured" and claims[name].command, name

    @pytest.mark.parametrize(("is_constant", "verdict"), [(False, "holds"), (True, "fails")])
    def test_measures_invariance(self, subject, is_constant, verdict):
        images = torch.cat([subject.images, subject.images[:20]]) * 0.01
        images[::2] += 5
        images[1::2] -= 5
        it = dataclasses.replace(
            subject, network=Brightness(is_constant), images=images, train_mask=torch.zeros(80, dtype=torch.bool)
        )
        claims = {claim.name: claim for claim in build_pooling_chapter(it, lambda text: None).claims}
        assert claims["pooling-gives-invariance"].verdict == verdict


class TestFormatReduction:
    @pytest.mark.parametrize(
        ("reduction", "text"),
        [
            (Estimate(12.2, 8.0, 15.0), "12 % less (8 % to 15 % less)"),
            (Estimate(-3.0, -8.0, 2.0), "3 % more (8 % more to 2 % less)"),
            (Estimate(-6.0, -8.0, -2.0), "6 % more (2 % to 8 % more)"),
        ],
    )
    def test_writes_more_or_less(self, reduction, text):
        assert format_reduction(reduction) == text
