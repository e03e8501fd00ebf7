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


def test_the_three_questions_are_answered_for_this_network(told):
    said = text(told)
    assert (
        "the top-left unit of the last map, max_pool2d_1? Rows 0 to 6 and columns 0 to 6 of the image's 28×28" in said
    )
    assert "begins 3 rows above and 3 columns left of the image" in said
    assert "twice the stride that its first convolution has: max_pool2d_1 would see 17 pixels in place of 10" in said
    assert "Why is the field of fc1 the whole image? Because it puts all 7×7 units" in said
    assert "cover 100 % of the 28×28 pixels" in said


def test_what_is_said_is_true_of_a_last_map_of_one_unit():
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


def test_a_doubled_stride_that_changes_nothing_is_not_told_as_a_change():
    said = it.describe_doubled_stride([("conv2", 1, 1)])
    assert "no layer up to conv2 adds to the field" in said and "in place of" not in said


def test_the_table_of_the_doubled_stride_says_that_its_image_is_doubled(told):
    [caption] = [caption for caption in tables(told) if "first stride doubled" in caption]
    assert "on an image of twice the size" in caption


def test_a_map_of_more_units_is_told_by_the_unit_below(told):
    assert "The unit below it sees as many, 10×10, 4 rows further down" in text(told)


def test_fields_stand_in_a_table_and_over_the_picture(told):
    [stages] = [rows for caption, rows in tables(told).items() if caption.startswith("The last layer")]
    assert [row[0] for row in stages] == ["conv1", "conv2", "max_pool2d_1"]
    assert stages[-1] == ("max_pool2d_1", "7×7", "10×10", 4, 3, "no")
    pictures = [part for part in told.content if isinstance(part, Picture)]
    assert len(pictures) == 2 and all("conv2 8×8" in each.caption for each in pictures)


def test_both_ways_agree_and_numbers_are_plain(told):
    assert "On 4 layers, at a corner and in the centre, they name exactly the same pixels" in text(told)
    assert json.loads(json.dumps(told.numbers))["unequal"] == []


def test_layers_beyond_the_image_are_listed_with_advice():
    network = nn.Sequential(*(nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(4)))
    advice, table = it.describe_fields_beyond_image(receptive_fields(network, (1, 16, 16)), (1, 16, 16))
    assert table.rows == [("3", "31×31", "1×1")] and "From 3 on" in advice and "show larger images" in advice
    assert it.describe_fields_beyond_image(receptive_fields(network[:2], (1, 16, 16)), (1, 16, 16))[0].startswith(
        "No layer's field"
    )


def test_gates_are_told_apart():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.Conv2d(2, 2, 3))
    sight = ReceptiveFields(network, (1, 16, 16))
    last = sight.fields[-1]
    assert "From 1 on, something that sees all of the image" in it.describe_global_view(
        sight.fields, last, sight.pixels("2")
    )
    said = it.describe_corner_unit(sight.fields, last, (1, 16, 16), sight.pixels("2", 0, 0))
    assert "from 1 (GroupNorm) on, so that any pixel can move it a little" in said and "stays as it is" not in said


def test_global_pooling_is_told_of_the_last_map_and_not_of_a_gate_before_it():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.gate, self.second = nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2, 2, 3, 2)
            self.pool = nn.AdaptiveAvgPool2d(1)

        def forward(self, images):
            maps = self.first(images)
            return self.pool(self.second(maps * self.gate(maps).sigmoid())).flatten(1)

    sight = ReceptiveFields(Gated(), (1, 16, 16))
    said = it.describe_global_view(sight.fields, it.last_fields_per_stride(sight.fields)[-1], sight.pixels("second"))
    corner = it.describe_corner_unit(sight.fields, sight.fields[-2], (1, 16, 16), sight.pixels("second", 0, 0))
    assert "from gate (AdaptiveAvgPool2d) on" in corner
    assert "the field of pool the whole image? Because it puts all 6×6 units" in said and "of gate" not in said


def test_the_holes_of_dilation_are_no_pixels_that_decide():
    sight = ReceptiveFields(nn.Conv2d(1, 1, 3, stride=8, dilation=3), (1, 32, 32))
    (last,) = sight.fields
    assert "9 of these 49 pixels" in it.describe_corner_unit(
        sight.fields, last, (1, 32, 32), sight.pixels(last.name, 0, 0)
    )
    assert int(sight.pixels(last.name).sum()) == 144
    assert "together" not in it.describe_global_view(sight.fields, last, sight.pixels(last.name))


def test_a_field_that_is_long_and_thin_does_not_see_the_whole_image():
    fields = receptive_fields(
        nn.Sequential(*(nn.Conv2d(1, 1, (1, 31), padding=(0, 15)) for _ in range(2))), (1, 32, 32)
    )
    advice, table = it.describe_fields_beyond_image(fields, (1, 32, 32))
    assert "longer than the image along an axis" in advice and "see all of it" not in advice and table.rows


def test_a_network_that_cannot_be_traced_is_told_in_one_line(subject):
    class Rolled(nn.Module):
        def forward(self, images):
            return images.roll(1, 2)

    other = Subject(**{**subject.__dict__, "network": Rolled()})
    found = it.build_receptive_field_chapter(other, lambda _: None)
    assert "the operation roll is not known" in text(found) and "roll" in found.numbers["unknown"]
    assert {claim.name for claim in found.claims} == set(it.CLAIMS)


def claims(subject, *layers):
    """Of a network of these layers, by name."""
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return {
        claim.name: claim
        for claim in it.build_receptive_field_chapter(replace(subject, network=network), lambda _: None).claims
    }


def conv(a=1, b=1, kernel=3, **options):
    return nn.Conv2d(a, b, kernel, padding=options.get("dilation", 1) * (kernel // 2), **options)


def test_claims_hold_on_a_network_that_does_what_the_lesson_says(subject):
    found = claims(subject, conv(), conv(), nn.MaxPool2d(2), conv(), conv())
    assert {name: claim.verdict for name, claim in found.items()} == {
        "stacks-see-3-5-7": "holds",
        "strides-widen-faster": "holds",
    }
    assert found["stacks-see-3-5-7"].value.endswith("0 3×3, 1 5×5; 3 3×3, 4 5×5")
    assert found["strides-widen-faster"].value.endswith("1 at stride 1, 2 at stride 2")
    assert found["strides-widen-faster"].control.endswith("1 at stride 1, 1 at stride 2")


def test_claims_fail_on_a_network_that_does_not(subject):
    found = claims(subject, conv(dilation=3), conv(dilation=3, stride=2), conv())
    assert found["strides-widen-faster"].verdict == "fails" and found["stacks-see-3-5-7"].verdict == "depends"


def test_stacks_that_see_more_say_which_of_their_layers_stride_or_dilate(subject):
    found = claims(subject, conv(stride=2), conv(), conv(stride=2), nn.MaxPool2d(2), conv(dilation=2), conv())
    assert found["stacks-see-3-5-7"].verdict == "depends"
    assert found["stacks-see-3-5-7"].value.endswith("0 3×3, 1 7×7, 2 11×11 (0 of stride 2 in it)")
    found = claims(subject, conv(dilation=2), conv(stride=2), conv(dilation=2))["stacks-see-3-5-7"]
    assert found.value.endswith("(1 of stride 2, 0 of dilation 2, 2 of dilation 2 in it)")


def test_a_large_kernel_before_a_stride_is_no_reason_to_fail(subject):
    found = claims(subject, conv(kernel=7, stride=2), conv(), conv())
    assert found["strides-widen-faster"].verdict == "holds"


def test_claims_that_this_network_cannot_answer_say_why(told):
    stacks, strides = told.claims
    assert stacks.verdict == "not measured" and "no two 3×3 layers" in stacks.value and stacks.command
    assert strides.verdict == "holds"


def test_gradients_that_see_otherwise_are_told(subject, monkeypatch):
    class Wrong(LinearizedNetwork):
        def pixel_weights(self, layer, i, j):
            found = super().pixel_weights(layer, i, j)
            return torch.ones_like(found) if layer.name == "conv2" else found

    monkeypatch.setattr(it, "LinearizedNetwork", Wrong)
    found = it.build_receptive_field_chapter(subject, lambda _: None)
    assert "They differ at conv2" in text(found) and found.numbers["unequal"] == ["conv2"]


def test_a_network_that_does_not_run_made_linear_is_told(subject, monkeypatch):
    def refused(network, shape):
        raise HeadstartError("it does not run so")

    monkeypatch.setattr(it, "LinearizedNetwork", refused)
    found = it.build_receptive_field_chapter(subject, lambda _: None)
    assert "made linear, this network does not run" in text(found) and found.numbers["checked_by_gradients"] == 0
    assert [claim.value for claim in found.claims[:2]] == ["it does not run so"] * 2


def test_a_network_without_a_map_is_told_in_one_line(subject):
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(28 * 28, 4)

        def forward(self, images):
            return self.fc(images.flatten(1))

    found = it.build_receptive_field_chapter(Subject(**{**subject.__dict__, "network": Dense()}), lambda _: None)
    assert "every layer of this network sees all of the image" in text(found)
