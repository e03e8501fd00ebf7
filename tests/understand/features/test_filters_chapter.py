import dataclasses

import pytest
import torch
from torch import nn

from headstart.understand.claims import Table
from headstart.understand.features.filters_chapter import FILTER_CLAIMS, build_filters_chapter, edge_filter_verdict
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


class TestEdgeFilterVerdict:
    def test_holds_if_most_are_explained_and_controls_are_not(self):
        assert verdict(EDGES) == "holds"
        assert verdict(A_FEW) == "depends"

    def test_fails_if_a_control_explains_as_much(self):
        assert verdict(NOISE) == "fails"
        assert verdict(A_FEW, shuffled=A_FEW) == "fails"
        assert verdict(HALF, untrained=HALF) == "fails"

    def test_uses_the_interval_of_the_share(self):
        ten_of_sixteen = torch.cat([EDGES[:10], NOISE[:6]])
        assert verdict(ten_of_sixteen, shuffled=NOISE[:16], untrained=NOISE[:16]) == "depends"
        assert verdict(torch.cat([EDGES[:16], NOISE[:4]])) == "holds"

    def test_needs_a_sure_gain_over_the_untrained_network(self):
        three, eight, fifteen = (torch.cat([EDGES[:n], NOISE[n:]]) for n in (3, 8, 15))
        assert verdict(fifteen, untrained=eight) == "holds"
        assert verdict(fifteen, untrained=torch.cat([EDGES[:11], NOISE[11:]])) == "depends"
        assert verdict(A_FEW, untrained=three) == "depends"
        assert verdict(torch.cat([EDGES[:4], NOISE[4:]]), untrained=three) == "fails"

    def test_is_not_measured_if_no_gain_is_possible(self):
        assert verdict(EDGES, untrained=EDGES) == "not measured"

    def test_is_not_measured_for_small_kernels_or_few_filters(self):
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


class TestBuildFiltersChapter:
    @pytest.mark.parametrize(("edges", "verdict"), [(True, "holds"), (False, "fails")])
    def test_tells_edges_from_random_filters(self, subject, edges, verdict):
        colours = subject.images.expand(-1, 3, -1, -1)
        it = dataclasses.replace(subject, network=Small(edges), random_network=Small(False), images=colours)
        said = build_filters_chapter(it, lambda text: None)
        assert [claim.name for claim in said.claims] == list(FILTER_CLAIMS)
        assert said.claims[0].verdict == verdict
        assert said.numbers["explained_share"] == (1 if edges else 0)

    def test_has_a_row_for_pretrained_weights(self, subject):
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

    def test_does_not_measure_four_gray_filters(self, subject):
        told = []
        said = build_filters_chapter(subject, told.append)
        assert told and said.claims[0].verdict == "not measured" and said.claims[0].command
        assert any("almost any filter" in text for text in said.content if isinstance(text, str))

    def test_tells_that_all_filters_are_inactive(self, subject):
        subject.network.conv1.weight.data.zero_()
        said = build_filters_chapter(subject, lambda text: None)
        assert "All filters are inactive: there is nothing to see." in said.content

    def test_samples_many_filters(self, subject):
        class Many(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Conv2d(1, 100, 3)

            def forward(self, images):
                return self.first(images).mean(dim=(2, 3))

        said = build_filters_chapter(
            dataclasses.replace(subject, network=Many(), random_network=Many()), lambda text: None
        )
        assert said.numbers["filters"] == 100 and said.numbers["looked_at"] == 64
        assert "A random sample of 64" in said.content[0]
