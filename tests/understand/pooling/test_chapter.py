import dataclasses

import pytest
import torch
from torch import nn

from headstart.understand.pooling import chapter as pooling
from headstart.understand.pooling.chapter import CLAIMS, build_pooling_chapter


def test_every_claim_is_measured_on_the_lessons_network(subject):
    found = build_pooling_chapter(subject, lambda text: None)
    claims = {claim.name: claim for claim in found.claims}
    assert set(claims) == set(CLAIMS)
    assert claims["pooling-gives-invariance"].verdict == "depends" and claims["pooling-gives-invariance"].interval
    assert claims["max-keeps-strongest"].verdict == claims["gap-saves-parameters"].verdict == "holds"
    head = {"layer": "fc1", "map": [8, 7, 7], "outputs": 32, "gap": 288, "flatten": 12_576, "pools": False}
    assert found.numbers["head"] == head
    measured = {(row["kind"], row["size"]): row["measured"] for row in found.numbers["impulse"]}
    assert measured["max", 2] == 0.5 and measured["max", 4] == 0.75 and measured["global", 2] == 1


@pytest.mark.parametrize(("kept", "verdict"), [(0.0, "fails"), (0.3, "fails"), (0.9, "depends"), (0.999, "holds")])
def test_invariance_is_judged_by_the_answers_of_the_network_itself(subject, monkeypatch, kept, verdict):
    stayed = (torch.arange(1000) < 1000 * kept).view(250, 4).T
    monkeypatch.setattr(pooling, "unchanged_predictions", lambda network, images, shifts: stayed)
    monkeypatch.setattr(pooling, "chance_agreement", lambda network, images: 0.1)
    [claim] = [
        c for c in build_pooling_chapter(subject, lambda text: None).claims if c.name == "pooling-gives-invariance"
    ]
    assert claim.verdict == verdict


def test_a_network_without_a_pool_says_nothing_of_pooling_however_steady_it_is(subject):
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 2, 3), nn.Linear(2 * 26 * 26, 4)

        def forward(self, images):
            return self.head(self.conv(images).relu().flatten(1))

    bare = dataclasses.replace(subject, network=Bare())
    [claim] = [c for c in build_pooling_chapter(bare, lambda text: None).claims if c.name == "pooling-gives-invariance"]
    assert claim.verdict == "not measured" and "has no pool" in claim.value and claim.command


def test_a_network_without_maps_has_a_chapter_too(subject):
    torch.manual_seed(0)
    dense = dataclasses.replace(subject, network=nn.Sequential(nn.Flatten(), nn.Linear(784, 4)))
    claims = {claim.name: claim for claim in build_pooling_chapter(dense, lambda text: None).claims}
    assert set(claims) == set(CLAIMS)
    for name in ("max-keeps-strongest", "average-is-smoother", "gap-saves-parameters"):
        assert claims[name].verdict == "not measured" and claims[name].command, name


def test_a_change_is_told_as_more_or_less_and_never_by_a_sign():
    assert pooling._format_reduction((12.2, 8.0, 15.0)) == "12 % less (8 % to 15 % less)"
    assert pooling._format_reduction((-3.0, -8.0, 2.0)) == "3 % more (8 % more to 2 % less)"
    assert pooling._format_reduction((-6.0, -8.0, -2.0)) == "6 % more (2 % to 8 % more)"
