import dataclasses

import torch
from torch import nn

from headstart.understand.claims import Picture
from headstart.understand.features.grad_cam_chapter import (
    CLAIMS,
    _build_weight_claim,
    build_grad_cam_chapter,
    cam_localization_verdict,
    cam_weight_dependence_verdict,
    select_cam_stage,
)

NOISE = torch.randn(40, generator=torch.Generator().manual_seed(0)) * 0.05


def test_the_marked_places_decide_where_covering_them_costs_more_than_covering_others():
    assert cam_localization_verdict(0.3 + NOISE)[0] == "holds"
    for mean in (0.005, 0.011, 0.02):  # the interval reaches to 0.016 on either side
        assert cam_localization_verdict(mean + NOISE - NOISE.mean())[0] == "depends"


def test_they_do_not_where_it_costs_no_more():
    assert cam_localization_verdict(-0.3 + NOISE)[0] == "fails"
    assert cam_localization_verdict(torch.full((40,), 1e-4))[0] == "fails"
    assert cam_localization_verdict(0.3 + NOISE[:5])[0] == "not measured"


def test_the_maps_come_from_the_weights_where_an_untrained_network_has_others():
    assert cam_weight_dependence_verdict(0.1 + NOISE, 40)[0] == "holds"
    assert cam_weight_dependence_verdict(0.5 + NOISE - NOISE.mean(), 40)[0] == "depends"


def test_a_negative_correlation_has_a_minus_and_no_hyphen():
    said = _build_weight_claim(-0.1 + NOISE, NOISE, 40)
    assert said.value.startswith("rank correlation −0.1")


def test_they_do_not_where_an_untrained_network_gives_the_same():
    assert cam_weight_dependence_verdict(0.9 + NOISE, 40)[0] == "fails"
    assert cam_weight_dependence_verdict(0.9 + NOISE, 90)[0] == "not measured"


class Quarters(nn.Module):
    """Names the brightest quarter of the image, which is the label of the fixture's."""

    def __init__(self):
        super().__init__()
        self.smooth, self.same = nn.AvgPool2d(3, 1, 1), nn.Conv2d(1, 1, 1, bias=False)
        self.same.weight.data.fill_(1.0)

    def forward(self, images):
        maps = self.same(self.smooth(images)).relu()
        return nn.functional.adaptive_avg_pool2d(maps, 2).flatten(1) * 4


class Elsewhere(Quarters):
    """Of the same build, and it looks at what is dark."""

    def forward(self, images):
        return super().forward(1 - images)


def test_the_chapter_shows_maps_of_a_frozen_network_and_answers_every_claim(subject):
    network = Quarters().requires_grad_(False)
    it = dataclasses.replace(
        subject, network=network, random_network=Elsewhere(), classes=("<b>", "north-east", "south-west", "south-east")
    )
    said = build_grad_cam_chapter(it, lambda text: None)
    assert [claim.name for claim in said.claims] == list(CLAIMS)
    assert said.claims[0].verdict == "holds" and said.numbers["layer"] == "same" and said.numbers["images"] == 30
    pictures = [each for each in said.content if isinstance(each, Picture)]
    more = torch.tensor(said.numbers["drop"]) - torch.tensor(said.numbers["drop_of_another_map"])
    low, high = said.claims[0].interval
    assert 1 < low < 100 * more.mean() < high  # what the verdict is on
    assert len(pictures) == 1 and "<b>" in pictures[0].caption and "<b>" not in pictures[0].markup
    assert "Wrong answers: there are none among 30 images." in said.content
    assert build_grad_cam_chapter(it, lambda text: None).numbers == said.numbers


def test_a_network_that_is_its_own_untrained_twin_fails_the_test_of_weights(subject):
    said = build_grad_cam_chapter(
        dataclasses.replace(subject, network=Quarters(), random_network=Quarters()), lambda text: None
    )
    assert said.claims[1].verdict == "fails"


def test_maps_of_nothing_are_counted_and_nothing_is_said(subject):
    network = Quarters()
    network.same.weight.data.zero_()
    said = build_grad_cam_chapter(
        dataclasses.replace(subject, network=network, random_network=Elsewhere(), labels=None), lambda text: None
    )
    assert {claim.verdict for claim in said.claims} == {"not measured"}
    assert said.numbers["empty"] == 30 and "30 of 30 maps are empty" in said.content[-1]


def test_the_layer_is_the_deepest_that_can_say_where(subject):
    network = nn.Sequential(
        nn.Conv2d(1, 1, 1), nn.MaxPool2d(7), nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.Conv2d(1, 1, 1)
    )
    it = dataclasses.replace(subject, network=network)
    assert select_cam_stage(it, ["0", "2", "4"]) == "2" and select_cam_stage(it, ["4"]) is None
