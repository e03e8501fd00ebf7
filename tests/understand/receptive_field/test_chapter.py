import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.claims import Picture, Table
from headstart.understand.receptive_field import chapter as it
from headstart.understand.receptive_field.fields import ReceptiveFields, receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork
from headstart.understand.subject import Subject


@pytest.fixture
def told(subject):
    said = []
    found = it.build_receptive_field_chapter(subject, said.append)
    assert said
    return found


def text(chapter):
    return " ".join(part for part in chapter.content if isinstance(part, str))


def tables(chapter):
    return {part.caption: part.rows for part in chapter.content if isinstance(part, Table)}


def claims(subject, *layers):
    """Of a network of these layers, by name."""
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return {
        claim.name: claim
        for claim in it.build_receptive_field_chapter(replace(subject, network=network), lambda _: None).claims
    }


def conv(a=1, b=1, kernel=3, **options):
    return nn.Conv2d(a, b, kernel, padding=options.get("dilation", 1) * (kernel // 2), **options)


class TestBuildReceptiveFieldChapter:
    def test_answers_the_three_questions(self, told):
        said = text(told)
        assert (
            "the top-left unit of the last map, max_pool2d_1? Rows 0 to 6 and columns 0 to 6 of the image's 28×28"
            in said
        )
        assert "begins 3 rows above and 3 columns left of the image" in said
        assert (
            "twice the stride that its first convolution has: max_pool2d_1 would see 17 pixels in place of 10" in said
        )
        assert "Why is the field of fc1 the whole image? Because it puts all 7×7 units" in said
        assert "cover 100 % of the 28×28 pixels" in said

    def test_says_that_the_image_is_doubled(self, told):
        [caption] = [caption for caption in tables(told) if "first stride doubled" in caption]
        assert "on an image of twice the size" in caption

    def test_describes_the_unit_below(self, told):
        assert "The unit below it sees as many, 10×10, 4 rows further down" in text(told)

    def test_has_a_table_and_frames_of_the_stages(self, told):
        [stages] = [rows for caption, rows in tables(told).items() if caption.startswith("The last layer")]
        assert [row[0] for row in stages] == ["conv1", "conv2", "max_pool2d_1"]
        assert stages[-1] == ("max_pool2d_1", "7×7", "10×10", 4, 3, "no")
        pictures = [part for part in told.content if isinstance(part, Picture)]
        assert len(pictures) == 2 and all("conv2 8×8" in each.caption for each in pictures)

    def test_compares_with_gradients(self, told):
        assert "On 4 layers, at a corner and in the center, they name exactly the same pixels" in text(told)
        assert json.loads(json.dumps(told.numbers))["unequal"] == []

    def test_names_the_operation_that_is_not_known(self, subject):
        class Rolled(nn.Module):
            def forward(self, images):
                return images.roll(1, 2)

        other = Subject(**{**subject.__dict__, "network": Rolled()})
        found = it.build_receptive_field_chapter(other, lambda _: None)
        assert "the operation roll is not known" in text(found) and "roll" in found.numbers["unknown"]
        assert {claim.name for claim in found.claims} == set(it.GROWTH_CLAIMS)

    def test_names_layers_that_differ_from_gradients(self, subject):
        class Wrong(LinearizedNetwork):
            def pixel_weights(self, layer, i, j):
                found = super().pixel_weights(layer, i, j)
                return torch.ones_like(found) if layer.name == "conv2" else found

        found = it.build_receptive_field_chapter(subject, lambda _: None, Wrong)
        assert "They differ at conv2" in text(found) and found.numbers["unequal"] == ["conv2"]

    def test_says_that_the_network_does_not_run_linearized(self, subject):
        def refused(network, shape):
            raise HeadstartError("it does not run so")

        found = it.build_receptive_field_chapter(subject, lambda _: None, refused)
        assert "this network does not run linearized" in text(found) and found.numbers["checked_by_gradients"] == 0
        assert [claim.value for claim in found.claims[:2]] == ["it does not run so"] * 2

    def test_says_that_the_network_has_no_map(self, subject):
        class Dense(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(28 * 28, 4)

            def forward(self, images):
                return self.fc(images.flatten(1))

        found = it.build_receptive_field_chapter(Subject(**{**subject.__dict__, "network": Dense()}), lambda _: None)
        assert "every layer of this network sees all of the image" in text(found)


class TestDescriptions:
    def test_fit_a_last_map_of_one_unit(self):
        network = nn.Sequential(
            *(nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(4)), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        shape = (1, 16, 16)
        sight = ReceptiveFields(network, shape)
        fields = sight.fields
        said = it.describe_corner_unit(fields, fields[3], shape, sight.pixels("3", 0, 0))
        assert "It is the only unit of that map" in said and "further down" not in said and "say nothing" not in said
        said = it.describe_global_view(fields, fields[3], sight.pixels("3"))
        assert "one unit already" in said and "puts all" not in said and "100 % of the 16×16 pixels" in said
        assert "At the end one unit is left" in it.describe_fields_beyond_image(fields, shape)[0]

    def test_of_a_doubled_stride_without_effect(self):
        said = it.describe_doubled_stride([("conv2", 1, 1)])
        assert "no layer up to conv2 adds to the field" in said and "in place of" not in said

    def test_list_fields_beyond_the_image(self):
        network = nn.Sequential(*(nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(4)))
        advice, table = it.describe_fields_beyond_image(receptive_fields(network, (1, 16, 16)), (1, 16, 16))
        assert table.rows == [("3", "31×31", "1×1")] and "From 3 on" in advice and "use larger images" in advice
        assert it.describe_fields_beyond_image(receptive_fields(network[:2], (1, 16, 16)), (1, 16, 16))[0].startswith(
            "No layer's field"
        )

    def test_report_gates_apart(self):
        network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.Conv2d(2, 2, 3))
        sight = ReceptiveFields(network, (1, 16, 16))
        last = sight.fields[-1]
        assert "From 1 on, an operation that sees the whole image" in it.describe_global_view(
            sight.fields, last, sight.pixels("2")
        )
        said = it.describe_corner_unit(sight.fields, last, (1, 16, 16), sight.pixels("2", 0, 0))
        assert "from 1 (GroupNorm) on, so that any pixel can move it a little" in said and "stays as it is" not in said

    def test_name_the_last_pool_and_no_gate(self):
        class Gated(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.gate, self.second = nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 2, 3, 2)
                self.pool = nn.AdaptiveAvgPool2d(1)

            def forward(self, images):
                maps = self.first(images)
                return self.pool(self.second(maps * self.gate(maps).sigmoid())).flatten(1)

        sight = ReceptiveFields(Gated(), (1, 16, 16))
        said = it.describe_global_view(
            sight.fields, it.last_fields_per_stride(sight.fields)[-1], sight.pixels("second")
        )
        corner = it.describe_corner_unit(sight.fields, sight.fields[-2], (1, 16, 16), sight.pixels("second", 0, 0))
        assert "from gate (AdaptiveAvgPool2d) on" in corner
        assert "the field of pool the whole image? Because it puts all 6×6 units" in said and "of gate" not in said

    def test_exclude_the_holes_of_dilation(self):
        sight = ReceptiveFields(nn.Conv2d(1, 1, 3, stride=8, dilation=3), (1, 32, 32))
        (last,) = sight.fields
        assert "9 of these 49 pixels" in it.describe_corner_unit(
            sight.fields, last, (1, 32, 32), sight.pixels(last.name, 0, 0)
        )
        assert int(sight.pixels(last.name).sum()) == 144
        assert "together" not in it.describe_global_view(sight.fields, last, sight.pixels(last.name))

    def test_of_a_field_longer_than_the_image(self):
        fields = receptive_fields(
            nn.Sequential(*(nn.Conv2d(1, 1, (1, 31), padding=(0, 15)) for _ in range(2))), (1, 32, 32)
        )
        advice, table = it.describe_fields_beyond_image(fields, (1, 32, 32))
        assert "longer than the image along an axis" in advice and "see all of it" not in advice and table.rows


class TestGrowthClaims:
    def test_hold_on_plain_stacks(self, subject):
        found = claims(subject, conv(), conv(), nn.MaxPool2d(2), conv(), conv())
        assert {name: claim.verdict for name, claim in found.items()} == {
            "stacks-see-3-5-7": "holds",
            "strides-widen-faster": "holds",
        }
        assert found["stacks-see-3-5-7"].value.endswith("0 3×3, 1 5×5; 3 3×3, 4 5×5")
        assert found["strides-widen-faster"].value.endswith("1 at stride 1, 2 at stride 2")
        assert found["strides-widen-faster"].control.endswith("1 at stride 1, 1 at stride 2")

    def test_fail_on_dilated_stacks(self, subject):
        found = claims(subject, conv(dilation=3), conv(dilation=3, stride=2), conv())
        assert found["strides-widen-faster"].verdict == "fails" and found["stacks-see-3-5-7"].verdict == "depends"

    def test_name_strides_and_dilations(self, subject):
        found = claims(subject, conv(stride=2), conv(), conv(stride=2), nn.MaxPool2d(2), conv(dilation=2), conv())
        assert found["stacks-see-3-5-7"].verdict == "depends"
        assert found["stacks-see-3-5-7"].value.endswith("0 3×3, 1 7×7, 2 11×11 (0 of stride 2 in it)")
        found = claims(subject, conv(dilation=2), conv(stride=2), conv(dilation=2))["stacks-see-3-5-7"]
        assert found.value.endswith("(1 of stride 2, 0 of dilation 2, 2 of dilation 2 in it)")

    def test_allow_a_large_first_kernel(self, subject):
        found = claims(subject, conv(kernel=7, stride=2), conv(), conv())
        assert found["strides-widen-faster"].verdict == "holds"

    def test_give_a_reason_where_not_measured(self, told):
        stacks, strides = told.claims
        assert stacks.verdict == "not measured" and "no two 3×3 layers" in stacks.value and stacks.command
        assert strides.verdict == "holds"
