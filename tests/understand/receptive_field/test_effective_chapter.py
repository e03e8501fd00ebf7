import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from headstart.understand.claims import Chapter, Picture, Table
from headstart.understand.receptive_field import effective_chapter as it
from headstart.understand.receptive_field.effective import summarize_effective_field
from headstart.understand.receptive_field.fields import receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork
from headstart.understand.statistics import Estimate


def text(chapter):
    return " ".join(part for part in chapter.content if isinstance(part, str))


def build_claims(stages, untrained):
    chapter = Chapter("effective_field", "Effective fields", sentences=it.EFFECTIVE_FIELD_CLAIMS)
    it.add_effective_field_claims(chapter, stages, untrained)
    return chapter.claims


def measured(layers, pixels):
    network = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(layers)))
    layer = receptive_fields(network, (1, pixels, pixels))[-1]
    return summarize_effective_field(
        LinearizedNetwork(network, (1, pixels, pixels)).pixel_weights(layer, *layer.center_unit)[None], layer
    )


class TestBuildEffectiveFieldChapter:
    def test_compares_all_states(self, subject, lesson):
        found = it.build_effective_field_chapter(replace(subject, pretrained_network=lesson(2)), lambda _: None)
        captions = [part.caption for part in found.content if isinstance(part, Picture)]
        assert [caption.split(":")[0] for caption in captions] == [
            "Untrained",
            "Pretrained",
            "All weights alike",
            "Trained",
        ]
        assert all("σ" in caption and "R²" in caption for caption in captions)
        states, stages = [part for part in found.content if isinstance(part, Table)]
        assert [row[0] for row in states.rows] == ["untrained", "pretrained", "all weights alike", "trained"]
        assert [row[0] for row in stages.rows] == ["conv1", "conv2", "max_pool2d_1"]
        alike = found.numbers["states"]["all weights alike"]
        assert alike["sigma"][0] ** 2 == pytest.approx(55 / 12, abs=1e-9)
        assert json.loads(json.dumps(found.numbers))["images"] == 50

    def test_is_reproducible(self, subject):
        first, second = (it.build_effective_field_chapter(subject, lambda _: None).numbers for _ in range(2))
        assert first == second

    def test_compares_with_random_weights(self, subject):
        said = text(it.build_effective_field_chapter(replace(subject, network=subject.random_network), lambda _: None))
        assert "about as wide as that of the same network with random weights: σ differs by +0%" in said
        assert "Training" not in said

    def test_mentions_few_images(self, subject):
        few = replace(subject, images=subject.images[:8])
        assert "fewer than 50 images" in text(it.build_effective_field_chapter(few, lambda _: None))

    def test_shallow_networks_are_no_evidence(self, subject):
        claims = {claim.name: claim for claim in it.build_effective_field_chapter(subject, lambda _: None).claims}
        assert set(claims) == set(it.EFFECTIVE_FIELD_CLAIMS)
        smaller = claims["effective-is-smaller"]
        assert smaller.verdict == "depends" and "conv1 left out" in smaller.value
        assert smaller.interval is None and smaller.value.count(" to ") == 2  # each stage has its own

    def test_leaves_out_stages_with_global_operations(self, subject):
        class Normed(nn.Sequential):
            def __init__(self):
                super().__init__(nn.Conv2d(1, 8, 3), nn.GroupNorm(2, 8), nn.Conv2d(8, 4, 3), nn.AdaptiveAvgPool2d(1))

            def forward(self, images):
                return super().forward(images).flatten(1)

        found = it.build_effective_field_chapter(
            replace(subject, network=Normed(), random_network=Normed()), lambda _: None
        )
        assert {claim.verdict for claim in found.claims} == {"not measured"}
        assert "2 left out: something sees all of the image" in found.claims[0].value

    def test_compares_no_width_of_single_pixels(self, subject):
        class Dense(nn.Sequential):
            def __init__(self):
                super().__init__(nn.ReLU(), nn.Flatten(), nn.Linear(784, 4))

        found = it.build_effective_field_chapter(
            replace(subject, network=Dense(), random_network=Dense()), lambda _: None
        )
        assert "a single pixel" in text(found)

    def test_compares_each_stage_untrained(self, subject):
        found = it.build_effective_field_chapter(subject, lambda _: None)
        before = {stage["layer"]: stage for stage in found.numbers["stages_untrained"]}
        smaller, central, _ = found.claims
        for name in ("conv2", "max_pool2d_1"):
            for claim, figure in ((smaller, "ratio"), (central, "central")):
                assert f"{name} {Estimate(*before[name][figure]).format_decimal()}" in claim.control

    def test_names_the_operation_that_is_not_known(self, subject):
        class Rolled(nn.Module):
            def forward(self, images):
                return images.roll(1, 2)

        found = it.build_effective_field_chapter(replace(subject, network=Rolled()), lambda _: None)
        assert "the operation roll is not known" in text(found)
        assert {claim.verdict for claim in found.claims} == {"not measured"} and len(found.claims) == len(
            it.EFFECTIVE_FIELD_CLAIMS
        )


class TestAddEffectiveFieldClaims:
    def test_holds_for_deep_stacks(self):
        deep = measured(20, 61)
        assert {claim.name: claim.verdict for claim in build_claims([deep], [deep])} == dict.fromkeys(
            it.EFFECTIVE_FIELD_CLAIMS, "holds"
        )

    def test_does_not_measure_clipped_fields(self):
        cut = measured(20, 21)
        claims = build_claims([cut], [cut])
        assert {claim.verdict for claim in claims} == {"not measured"} and all(claim.command for claim in claims)
        assert "19 left out" in claims[0].value

    def test_fails_for_weights_at_the_rim(self):
        layer = measured(7, 21).layer
        rim = torch.zeros(1, 21, 21, dtype=torch.float64)
        rim[0, 3:18, 3:18] = 1
        rim[0, 6:15, 6:15] = 0
        found = summarize_effective_field(rim, layer)
        assert {claim.name: claim.verdict for claim in build_claims([found], [found])} == dict.fromkeys(
            it.EFFECTIVE_FIELD_CLAIMS, "fails"
        )

    def test_does_not_fail_if_deeper_stages_are_clipped(self):
        wide, cut = measured(7, 21), measured(20, 21)
        wide = replace(wide, ratio=Estimate(0.9, 0.85, 0.95))
        assert not wide.clipped and cut.clipped
        assert build_claims([wide], [wide])[0].verdict == "fails"
        smaller = build_claims([wide, cut], [wide, cut])[0]
        assert smaller.verdict == "depends" and "19 left out: the image cuts the field" in smaller.value

    @pytest.mark.parametrize("layers", [7, 8, 9, 10])
    def test_uniform_weights_are_not_central(self, layers):
        layer = measured(layers, 31).layer
        top, left, bottom, right = layer.box(*layer.center_unit)
        plate = torch.zeros(1, 31, 31, dtype=torch.float64)
        plate[0, top:bottom, left:right] = 1
        found = summarize_effective_field(plate, layer)
        assert found.central.value == pytest.approx(0.25, abs=1e-12)
        assert build_claims([found], [found])[1].verdict == "fails"


class TestQualifyByDepth:
    def test_small_fields_alone_depend(self):
        assert [it.qualify_by_depth("fails", fields) for fields in ([14, 7], [7, 15], [])] == [
            "depends",
            "fails",
            "fails",
        ]
        assert it.qualify_by_depth("not measured", []) == "not measured"


class TestVerdicts:
    @pytest.mark.parametrize(
        ("rule", "values", "verdict"),
        [
            (it.smaller_verdict, [(0.3, 0.4), (0.2, 0.3)], "holds"),
            (it.smaller_verdict, [(0.8, 0.9), (0.2, 0.3)], "depends"),
            (it.smaller_verdict, [(0.45, 0.55)], "depends"),
            (it.smaller_verdict, [(0.8, 0.9), (0.5, 0.6)], "fails"),
            (it.central_verdict, [(0.6, 0.7), (0.51, 0.6)], "holds"),
            (it.central_verdict, [(0.6, 0.7), (0.49, 0.6)], "depends"),
            (it.central_verdict, [(0.2, 0.31)], "depends"),
            (it.central_verdict, [(0.2, 0.3), (0.1, 0.2)], "fails"),
            (it.gaussian_verdict, [(0.95, 0.99), (0.91, 0.95)], "holds"),
            (it.gaussian_verdict, [(0.89, 0.99)], "depends"),
            (it.gaussian_verdict, [(0.7, 0.76)], "depends"),
            (it.gaussian_verdict, [(0.7, 0.74), (0.1, 0.2)], "fails"),
            (it.smaller_verdict, [], "not measured"),
        ],
    )
    def test_compare_intervals_with_margins(self, rule, values, verdict):
        assert rule([Estimate(sum(ends) / 2, *ends) for ends in values]) == verdict
