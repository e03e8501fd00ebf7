import dataclasses

import torch
from torch import nn

from headstart.understand.claims import Picture
from headstart.understand.features.grad_cam_chapter import (
    GRAD_CAM_CLAIMS,
    build_grad_cam_chapter,
    cam_localization_verdict,
    cam_weight_dependence_verdict,
    select_cam_stage,
)

NOISE = torch.randn(40, generator=torch.Generator().manual_seed(0)) * 0.05


class TestCamLocalizationVerdict:
    def test_holds_if_marked_pixels_cost_more(self):
        assert cam_localization_verdict(0.3 + NOISE)[0] == "holds"
        for mean in (0.005, 0.011, 0.02):  # the interval reaches to 0.016 on either side
            assert cam_localization_verdict(mean + NOISE - NOISE.mean())[0] == "depends"

    def test_fails_if_they_cost_no_more(self):
        assert cam_localization_verdict(-0.3 + NOISE)[0] == "fails"
        assert cam_localization_verdict(torch.full((40,), 1e-4))[0] == "fails"
        assert cam_localization_verdict(0.3 + NOISE[:5])[0] == "not measured"


class TestCamWeightDependenceVerdict:
    def test_holds_if_untrained_maps_differ(self):
        assert cam_weight_dependence_verdict(0.1 + NOISE, 40)[0] == "holds"
        assert cam_weight_dependence_verdict(0.5 + NOISE - NOISE.mean(), 40)[0] == "depends"

    def test_fails_if_untrained_maps_are_the_same(self):
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


class TestBuildGradCamChapter:
    def test_measures_every_claim_on_a_frozen_network(self, subject):
        network = Quarters().requires_grad_(False)
        it = dataclasses.replace(
            subject,
            network=network,
            random_network=Elsewhere(),
            classes=("<b>", "north-east", "south-west", "south-east"),
        )
        said = build_grad_cam_chapter(it, lambda text: None)
        assert [claim.name for claim in said.claims] == list(GRAD_CAM_CLAIMS)
        assert said.claims[0].verdict == "holds" and said.numbers["layer"] == "same" and said.numbers["images"] == 30
        pictures = [each for each in said.content if isinstance(each, Picture)]
        more = torch.tensor(said.numbers["drop"]) - torch.tensor(said.numbers["drop_of_another_map"])
        low, high = said.claims[0].interval
        assert 1 < low < 100 * more.mean() < high  # what the verdict is on
        assert len(pictures) == 1 and "<b>" in pictures[0].caption and "<b>" not in pictures[0].markup
        assert "Wrong answers: there are none among 30 images." in said.content
        assert said.claims[1].value.startswith("rank correlation −")
        assert build_grad_cam_chapter(it, lambda text: None).numbers == said.numbers

    def test_fails_for_an_untrained_network(self, subject):
        said = build_grad_cam_chapter(
            dataclasses.replace(subject, network=Quarters(), random_network=Quarters()), lambda text: None
        )
        assert said.claims[1].verdict == "fails"

    def test_does_not_measure_empty_maps(self, subject):
        network = Quarters()
        network.same.weight.data.zero_()
        said = build_grad_cam_chapter(
            dataclasses.replace(subject, network=network, random_network=Elsewhere(), labels=None), lambda text: None
        )
        assert {claim.verdict for claim in said.claims} == {"not measured"}
        assert said.numbers["empty"] == 30 and "30 of 30 maps are empty" in said.content[-1]


class TestSelectCamStage:
    def test_is_the_deepest_with_a_large_map(self, subject):
        network = nn.Sequential(
            nn.Conv2d(1, 1, 1), nn.MaxPool2d(7), nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.Conv2d(1, 1, 1)
        )
        it = dataclasses.replace(subject, network=network)
        assert select_cam_stage(it, ["0", "2", "4"]) == "2" and select_cam_stage(it, ["4"]) is None
