import dataclasses

import pytest
import torch
from torch import nn

from headstart.understand.claims import Picture
from headstart.understand.convolution.chapter import CONVOLUTION_CLAIMS, build_convolution_chapter
from headstart.understand.convolution.sliding_sum import SOBEL


class TestBuildConvolutionChapter:
    def test_measures_every_claim(self, subject):
        found = build_convolution_chapter(subject, lambda text: None)
        verdicts = {claim.name: claim.verdict for claim in found.claims}
        assert verdicts == dict.fromkeys(CONVOLUTION_CLAIMS, "holds") | {
            "edges-by-hand": "depends",
            "stride-halves": "depends",
        }
        assert sum(isinstance(part, Picture) for part in found.content) == 3
        assert found.numbers["sobel"]["padded by 1"][0] == [1, 1, 0, -1, -1]
        assert found.numbers["sizes_right"] == found.numbers["sizes_tried"] == 1000
        assert found.numbers["learned"]["errors"][-1] < 1e-3
        assert found.numbers["dilated_fields"] == [3, 5, 7, 9]

    def test_accepts_a_network_without_convolutions(self, subject):
        torch.manual_seed(0)
        dense = dataclasses.replace(subject, network=nn.Sequential(nn.Flatten(), nn.Linear(784, 4)))
        found = build_convolution_chapter(dense, lambda text: None)
        assert any("has no convolution" in part for part in found.content if isinstance(part, str))
        assert {claim.name for claim in found.claims} == set(CONVOLUTION_CLAIMS)

    def test_records_the_learned_kernels(self, subject):
        learned = build_convolution_chapter(subject, lambda text: None).numbers["learned"]
        assert len(learned["kernels"]) == len(learned["steps"]) == len(learned["errors"])
        for kernel, error in zip(learned["kernels"], learned["errors"], strict=True):
            assert abs(torch.tensor(kernel) - torch.tensor(SOBEL)).max() == pytest.approx(error, rel=1e-3, abs=1e-6)
