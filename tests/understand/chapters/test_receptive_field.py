import json

import pytest
from torch import nn

from headstart.understand.chapter import Picture, Table
from headstart.understand.chapters import receptive_field as it
from headstart.understand.receptive_field import receptive_fields
from headstart.understand.subject import Subject


@pytest.fixture
def told(subject):
    said = []
    found = it.chapter(subject, said.append)
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


def test_fields_stand_in_a_table_and_over_the_picture(told):
    [stages] = [rows for caption, rows in tables(told).items() if caption.startswith("The last layer")]
    assert [row[0] for row in stages] == ["conv1", "conv2", "max_pool2d_1"]
    assert stages[-1] == ("max_pool2d_1", "7×7", "10×10", 4, 3, "no")
    pictures = [part for part in told.content if isinstance(part, Picture)]
    assert len(pictures) == 2 and all("conv2 8×8" in each.caption for each in pictures)


def test_both_ways_agree_and_numbers_are_plain(told):
    assert "On 4 layers, at a corner and in the centre, they name exactly the same pixels" in text(told)
    assert json.loads(json.dumps(told.numbers))["unequal"] == []


def test_layers_that_differ_by_gradients_are_named():
    assert "They differ at conv2: do not trust" in it._agreement_told(4, ["conv2"])


def test_layers_beyond_the_image_are_listed_with_advice():
    network = nn.Sequential(*(nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(4)))
    advice, table = it.beyond_told(receptive_fields(network, (1, 16, 16)), (1, 16, 16))
    assert table.rows == [("3", "31×31", "1×1")] and "From 3 on" in advice and "show larger images" in advice
    assert it.beyond_told(receptive_fields(network[:2], (1, 16, 16)), (1, 16, 16))[0].startswith("No layer's field")


def test_gates_are_told_apart():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.Conv2d(2, 2, 3))
    fields = receptive_fields(network, (1, 16, 16))
    assert "From 1 on, something that sees all of the image" in it.whole_told(fields, fields[-1], (1, 16, 16))


def test_a_network_that_cannot_be_traced_is_told_in_one_line(subject):
    class Rolled(nn.Module):
        def forward(self, images):
            return images.roll(1, 2)

    other = Subject(**{**subject.__dict__, "network": Rolled()})
    found = it.chapter(other, lambda _: None)
    assert "the operation roll is not known" in text(found) and "roll" in found.numbers["unknown"]
    assert {claim.name for claim in found.claims} == set(it.CLAIMS)


def test_every_claim_is_judged_by_its_measurement():
    verdicts = {claim.name: claim.verdict for claim in it.claims()}
    assert verdicts == {
        "stacks-see-3-5-7": "holds",
        "strides-widen-faster": "holds",
    }


def test_a_network_without_a_map_is_told_in_one_line(subject):
    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(28 * 28, 4)

        def forward(self, images):
            return self.fc(images.flatten(1))

    found = it.chapter(Subject(**{**subject.__dict__, "network": Dense()}), lambda _: None)
    assert "every layer of this network sees all of the image" in text(found)
