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


def test_two_maps_of_28_take_614656_weights_without_sharing_and_nine_with():
    (layer,) = list_layers(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1)), torch.zeros(1, 1, 28, 28))
    assert count_layer_parameters(layer) == ParameterCounts(
        "0", convolutional=9, locally_connected=784 * 9, fully_connected=614_656
    )


def test_a_grouped_layer_has_fewer_weights_but_the_same_dense_twin():
    (layer,) = list_layers(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4)), torch.zeros(1, 4, 6, 6))
    assert count_layer_parameters(layer) == ParameterCounts(
        "0", convolutional=36, locally_connected=36 * 36, fully_connected=144 * 144
    )


def test_95_percent_of_the_lessons_network_is_its_first_dense_layer(lesson):
    name, share = first_dense_share(build_lesson_network())
    assert sum(p.numel() for p in build_lesson_network().parameters()) == 13_242
    assert name == "7" and round(100 * share) == 95
    assert first_dense_share(lesson(classes=10)) == ("fc1", share)
    assert first_dense_share(nn.Sequential(nn.Conv2d(1, 1, 1))) is None


def test_the_lessons_network_gives_a_score_a_class():
    assert build_lesson_network()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_sharing_is_judged_beside_the_fully_connected_twin():
    assert (
        sharing_verdict([ParameterCounts("a", convolutional=9, locally_connected=36, fully_connected=900)]) == "holds"
    )
    assert (
        sharing_verdict([ParameterCounts("a", convolutional=9, locally_connected=900, fully_connected=36)]) == "depends"
    )


def test_sharing_fails_where_maps_have_one_place():
    assert sharing_verdict([ParameterCounts("a", 9, 7056, 614_656)]) == "holds"
    assert sharing_verdict([ParameterCounts("a", 9, 36, 81)]) == "depends"
    assert sharing_verdict([ParameterCounts("a", 9, 9, 1)]) == "fails"
