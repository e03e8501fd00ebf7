import torch
from torch import nn

from headstart.networks.hooks import list_layers
from headstart.understand.translation.parameter_sharing import (
    ParameterCounts,
    build_lesson_network,
    count_layer_parameters,
    first_dense_share,
    sharing_verdict,
)


class TestCountLayerParameters:
    def test_counts_a_map_of_28x28(self):
        (layer,) = list_layers(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1)), torch.zeros(1, 1, 28, 28))
        assert count_layer_parameters(layer) == ParameterCounts(
            "0", convolutional=9, locally_connected=784 * 9, fully_connected=614_656
        )

    def test_counts_groups(self):
        (layer,) = list_layers(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4)), torch.zeros(1, 4, 6, 6))
        assert count_layer_parameters(layer) == ParameterCounts(
            "0", convolutional=36, locally_connected=36 * 36, fully_connected=144 * 144
        )


class TestFirstDenseShare:
    def test_is_95_percent_of_the_lessons_network(self, lesson):
        name, share = first_dense_share(build_lesson_network())
        assert sum(p.numel() for p in build_lesson_network().parameters()) == 13_242
        assert name == "7" and round(100 * share) == 95
        assert first_dense_share(lesson(classes=10)) == ("fc1", share)
        assert first_dense_share(nn.Sequential(nn.Conv2d(1, 1, 1))) is None


class TestBuildLessonNetwork:
    def test_gives_a_logit_for_each_class(self):
        assert build_lesson_network()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


class TestSharingVerdict:
    def test_compares_with_full_connection(self):
        assert (
            sharing_verdict([ParameterCounts("a", convolutional=9, locally_connected=36, fully_connected=900)])
            == "holds"
        )
        assert (
            sharing_verdict([ParameterCounts("a", convolutional=9, locally_connected=900, fully_connected=36)])
            == "depends"
        )

    def test_fails_if_maps_have_one_place(self):
        assert sharing_verdict([ParameterCounts("a", 9, 7056, 614_656)]) == "holds"
        assert sharing_verdict([ParameterCounts("a", 9, 36, 81)]) == "depends"
        assert sharing_verdict([ParameterCounts("a", 9, 9, 1)]) == "fails"
