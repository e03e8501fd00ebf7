import dataclasses

import pytest
import torch
from torch import nn

from headstart.understand.claims import Table
from headstart.understand.features.filters_chapter import CLAIMS, build_filters_chapter, edge_filter_verdict
from headstart.understand.features.gabor_fit import FilterFits


def found(explained, values=147, parameters=10):
    explained = torch.as_tensor(explained)
    return FilterFits(
        torch.ones(len(explained), dtype=torch.bool), explained, explained * 0, explained, values, parameters
    )


EDGES, NOISE = torch.full((20,), 0.95), torch.full((20,), 0.2)
HALF = torch.cat([EDGES[:10], NOISE[10:]])
A_FEW = torch.cat([EDGES[:6], NOISE[6:]])


def verdict(trained, shuffled=NOISE, untrained=NOISE, **kernel):
    return edge_filter_verdict(found(trained, **kernel), shuffled.expand(8, -1), found(untrained, **kernel))[0]


def test_the_claim_holds_where_most_filters_are_explained_and_neither_shuffled_nor_untrained_ones_are():
    assert verdict(EDGES) == "holds"
    assert verdict(A_FEW) == "depends"


def test_the_claim_fails_for_noise_for_shuffled_filters_as_good_and_for_an_untrained_network_as_good():
    assert verdict(NOISE) == "fails"
    assert verdict(A_FEW, shuffled=A_FEW) == "fails"
    assert verdict(HALF, untrained=HALF) == "fails"


def test_the_interval_of_the_share_decides_whether_they_are_most():
    ten_of_sixteen = torch.cat([EDGES[:10], NOISE[:6]])
    assert verdict(ten_of_sixteen, shuffled=NOISE[:16], untrained=NOISE[:16]) == "depends"
    assert verdict(torch.cat([EDGES[:16], NOISE[:4]])) == "holds"


def test_a_lead_over_the_untrained_network_that_is_not_sure_is_none():
    three, eight, fifteen = (torch.cat([EDGES[:n], NOISE[n:]]) for n in (3, 8, 15))
    assert verdict(fifteen, untrained=eight) == "holds"
    assert verdict(fifteen, untrained=torch.cat([EDGES[:11], NOISE[11:]])) == "depends"
    assert verdict(A_FEW, untrained=three) == "depends"
    assert verdict(torch.cat([EDGES[:4], NOISE[4:]]), untrained=three) == "fails"


def test_nothing_is_said_where_the_untrained_network_leaves_no_room_for_more():
    assert verdict(EDGES, untrained=EDGES) == "not measured"


def test_nothing_is_said_of_a_kernel_that_a_gabor_always_fits_nor_of_few_filters():
    assert verdict(EDGES, values=9, parameters=8) == "not measured"
    assert verdict(EDGES, shuffled=EDGES) == "not measured"
    assert verdict(EDGES, shuffled=torch.cat([EDGES[:11], NOISE[11:]])) == "holds"
    assert verdict(EDGES[:4], shuffled=NOISE[:4]) == "not measured"


class Small(nn.Module):
    """A first layer of 3×3×3, 16 filters: random, or Sobel's in some colours and turns."""

    def __init__(self, edges):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 16, 3)
        if edges:
            turns = [
                torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
                torch.tensor([[-2.0, -1, 0], [-1, 0, 1], [0, 1, 2]]),
            ]
            colours = torch.randn(16, 3, 1, 1)
            self.first.weight.data = colours * torch.stack([turns[i % 2] for i in range(16)])[:, None]

    def forward(self, images):
        return self.first(images).mean(dim=(2, 3))[:, :4]


@pytest.mark.parametrize(("edges", "verdict"), [(True, "holds"), (False, "fails")])
def test_a_first_layer_of_edges_holds_and_a_random_one_fails(subject, edges, verdict):
    colours = subject.images.expand(-1, 3, -1, -1)
    it = dataclasses.replace(subject, network=Small(edges), random_network=Small(False), images=colours)
    said = build_filters_chapter(it, lambda text: None)
    assert [claim.name for claim in said.claims] == list(CLAIMS)
    assert said.claims[0].verdict == verdict
    assert said.numbers["explained_share"] == (1 if edges else 0)


def test_the_weights_that_it_began_with_have_a_row_of_their_own_on_the_page_and_in_the_numbers(subject):
    colours = subject.images.expand(-1, 3, -1, -1)
    it = dataclasses.replace(
        subject, network=Small(False), random_network=Small(False), pretrained_network=Small(True), images=colours
    )
    said = build_filters_chapter(it, lambda text: None)
    numbers = {row["of"]: row for row in said.numbers["table"]}
    shown = {row[0]: row for part in said.content if isinstance(part, Table) for row in part.rows}
    began = "the weights it began with"
    assert numbers[began]["explained"] == 1 and numbers["this network"]["explained"] == 0
    assert numbers[began]["average"] > 0.9 > numbers["this network"]["average"]
    assert shown[began][1:4] == (16, "100 %", f"{100 * numbers[began]['average']:.0f} %")


def test_the_lessons_four_grey_filters_are_shown_and_not_judged(subject):
    told = []
    said = build_filters_chapter(subject, told.append)
    assert told and said.claims[0].verdict == "not measured" and said.claims[0].command
    assert any("almost any filter" in text for text in said.content if isinstance(text, str))


def test_a_layer_that_faded_altogether_says_so(subject):
    subject.network.conv1.weight.data.zero_()
    said = build_filters_chapter(subject, lambda text: None)
    assert "All filters have faded: there is nothing to see." in said.content


def test_of_many_filters_some_are_drawn_by_lot(subject):
    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(1, 100, 3)

        def forward(self, images):
            return self.first(images).mean(dim=(2, 3))

    said = build_filters_chapter(dataclasses.replace(subject, network=Many(), random_network=Many()), lambda text: None)
    assert said.numbers["filters"] == 100 and said.numbers["looked_at"] == 64
    assert "64 of them, drawn by lot" in said.content[0]
