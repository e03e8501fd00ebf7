from dataclasses import replace

import pytest
import torch
from torch import nn

from headstart.understand.translation.chapter import TRANSLATION_CLAIMS, build_why_convolutions_chapter
from headstart.understand.translation.pixel_permutation import PermutationResult


def assume_permutation_result(images, labels, distance):
    """A result that the permutation test, which takes seconds, might give."""
    right, half = torch.ones(2, 40, dtype=torch.bool), (torch.arange(40) % 2 == 0).expand(2, -1)
    return PermutationResult(0.25, right, half if distance else right, right, right)


def build_chapter(subject):
    return build_why_convolutions_chapter(subject, lambda text: None, assume_permutation_result)


class Rolled(nn.Module):
    """A network that cannot be traced."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 2, 3), nn.Linear(2, 4)

    def forward(self, images):
        return self.head(self.conv(images).roll(1, 2).mean((2, 3)))


class TestBuildWhyConvolutionsChapter:
    def test_measures_every_claim(self, subject):
        chapter = build_chapter(subject)
        verdicts = {claim.name: claim.verdict for claim in chapter.claims}
        assert set(verdicts) == set(TRANSLATION_CLAIMS)
        assert verdicts["translation-equivariance"] == "depends" and verdicts["locality"] == "holds"
        assert verdicts["parameter-sharing"] == verdicts["dense-ignores-space"] == "holds"
        paragraphs = [part for part in chapter.content if isinstance(part, str)]
        assert any("614,656" in part and "95 %" in part for part in paragraphs)
        assert any("learned by heart" in part for part in paragraphs)

    def test_does_not_change_the_network(self, subject):
        before = {name: value.clone() for name, value in subject.network.state_dict().items()}
        build_chapter(subject)
        assert all(torch.equal(value, before[name]) for name, value in subject.network.state_dict().items())
        assert not any(vars(module)["_forward_hooks"] for module in subject.network.modules())

    def test_gives_a_command_for_what_does_not_apply(self, subject):
        dense = nn.Sequential(nn.Flatten(), nn.Linear(784, 4))
        chapter = build_chapter(replace(subject, network=dense, labels=None))
        claims = {claim.name: claim for claim in chapter.claims}
        assert set(claims) == set(TRANSLATION_CLAIMS)
        for name in ("translation-equivariance", "locality", "parameter-sharing", "dense-ignores-space"):
            assert claims[name].verdict == "not measured" and claims[name].command, name

    @pytest.mark.parametrize("name", ["translation-equivariance", "locality"])
    def test_names_the_operation_that_cannot_be_traced(self, subject, name):
        claims = {claim.name: claim for claim in build_chapter(replace(subject, network=Rolled())).claims}
        assert claims[name].verdict == "not measured" and "the operation roll" in claims[name].value
        assert claims["parameter-sharing"].verdict != "not measured"
