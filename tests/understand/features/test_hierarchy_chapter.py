import dataclasses

import pytest
import torch
from torch import nn

from headstart.understand.claims import Picture
from headstart.understand.features.hierarchy_chapter import (
    HIERARCHY_CLAIMS,
    build_hierarchy_chapter,
    choose_tiles,
    object_detector_verdict,
    part_detector_verdict,
)
from headstart.understand.features.stage_statistics import StageStatistics
from headstart.understand.receptive_field.fields import receptive_fields
from headstart.understand.statistics import Estimate

MORE, LESS = Estimate(0.3, 0.2, 0.4), Estimate(0.05, -0.1, 0.2)


def depths(**other):
    ends = [Estimate(0.1, 0.05, 0.15), Estimate(0.6, 0.5, 0.7)]
    whole = StageStatistics(
        ends, ends[:1] * 2, ends[:1] * 2, [(-0.1, 0.1)] * 2, 4, ends, ends[:1] * 2, MORE, MORE, MORE, MORE, MORE
    )
    return dataclasses.replace(whole, **other)


class TestObjectDetectorVerdict:
    def test_holds_if_selectivity_grows_and_needs_the_whole(self):
        assert object_detector_verdict(depths(), sees_whole_image=True)[0] == "holds"

    @pytest.mark.parametrize("missing", ["share_grows", "share_learned"])
    def test_fails_without_a_gain(self, missing):
        assert object_detector_verdict(depths(**{missing: LESS}), sees_whole_image=True)[0] == "fails"

    def test_fails_within_chance(self):
        assert object_detector_verdict(depths(chance=[(-0.7, 0.7)] * 2), sees_whole_image=True)[0] == "fails"

    def test_depends_if_parts_suffice_or_no_unit_sees_all(self):
        assert object_detector_verdict(depths(share_needs_whole=LESS), sees_whole_image=True)[0] == "depends"
        assert object_detector_verdict(depths(), sees_whole_image=False)[0] == "depends"


class TestPartDetectorVerdict:
    def test_fails_or_depends(self):
        assert part_detector_verdict(LESS, MORE)[0] == "fails"
        assert part_detector_verdict(MORE, MORE)[0] == part_detector_verdict(MORE, LESS)[0] == "depends"
        assert "untrained" in part_detector_verdict(MORE, LESS)[1]


class TestChooseTiles:
    def test_lies_between_two_receptive_fields(self, lesson):
        fields = {field.name: field for field in receptive_fields(lesson(), (1, 28, 28))}
        assert choose_tiles(fields, ["conv1", "conv2"], (1, 28, 28)) == 6  # fields of 3 and 8: tiles of about 5 pixels
        assert choose_tiles({}, ["conv1", "conv2"], (1, 28, 28)) == 4


class Three(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two, self.three = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 8, 3, stride=2), nn.Conv2d(8, 8, 3, stride=2)

    def forward(self, images):
        return self.three(self.two(self.one(images).relu()).relu()).mean(dim=(2, 3))[:, :4]


class TestBuildHierarchyChapter:
    def test_measures_every_claim(self, subject):
        before = {name: value.clone() for name, value in subject.network.state_dict().items()}
        said = build_hierarchy_chapter(
            dataclasses.replace(subject, network=Three(), random_network=Three()), lambda text: None
        )
        assert [claim.name for claim in said.claims] == list(HIERARCHY_CLAIMS)
        assert [claim.verdict for claim in said.claims][1:] == ["fails", "not measured"]  # it is its own untrained twin
        assert sum(isinstance(each, Picture) for each in said.content) == 2 + 3 + 2
        assert said.numbers["images"] == 30 and len(said.numbers["share"]) == 3
        again = build_hierarchy_chapter(
            dataclasses.replace(subject, network=Three(), random_network=Three()), lambda text: None
        )
        assert again.numbers == said.numbers
        assert all(torch.equal(before[name], value) for name, value in subject.network.state_dict().items())

    def test_has_pictures_without_labels_or_new_images(self, subject):
        for blind in ({"labels": None}, {"train_mask": torch.ones(60, dtype=torch.bool)}):
            said = build_hierarchy_chapter(dataclasses.replace(subject, **blind), lambda text: None)
            assert {claim.verdict for claim in said.claims} == {"not measured"}
            assert "--data" in said.claims[0].command and "share" not in said.numbers
            assert sum(isinstance(each, Picture) for each in said.content) == 4

    def test_does_not_measure_the_middle_of_two_stages(self, subject):
        parts = build_hierarchy_chapter(subject, lambda text: None).claims[0]
        assert parts.verdict == "not measured" and "no middle" in parts.value

    def test_measures_a_network_with_unknown_fields(self, subject):
        class Odd(Three):
            def forward(self, images):
                return super().forward(torch.fft.fft2(images).real)

        said = build_hierarchy_chapter(
            dataclasses.replace(subject, network=Odd(), random_network=Odd()), lambda text: None
        )
        assert any("fft" in each for each in said.content if isinstance(each, str))
        assert "share" in said.numbers
