import pytest
from torch import nn

from headstart.understand import growth as it
from headstart.understand.receptive_field import receptive_fields


def test_stacks_are_counted():
    assert [it.stack(["3"] * n) for n in (1, 2, 3)] == [3, 5, 7]
    assert it.stack(["3", "p"] * 4 + ["3"]) == 78 and it.stack(["3", "p"] * 5) == 94


def test_the_first_stride_doubles_what_later_layers_add(lesson):
    network = lesson()
    doubled = it.first_stride_doubled(network, (1, 28, 28), receptive_fields(network, (1, 28, 28)))
    assert doubled == [("conv1", 3, 3), ("conv2", 8, 13), ("max_pool2d_1", 10, 17)]
    assert network.conv1.stride == (1, 1)


def test_a_network_without_convolutions_has_no_first_stride():
    network = nn.Sequential(nn.MaxPool2d(2))
    assert it.first_stride_doubled(network, (1, 8, 8), receptive_fields(network, (1, 8, 8))) == []


@pytest.mark.parametrize(
    ("rule", "measured", "verdict"),
    [
        (it.stacks_verdict, [3, 5, 7], "holds"),
        (it.stacks_verdict, [3, 7, 11], "fails"),
        (it.faster_verdict, [(11, 78), (7, 11)], "holds"),
        (it.faster_verdict, [(11, 78), (7, 7)], "depends"),
        (it.faster_verdict, [(11, 11)], "fails"),
    ],
)
def test_a_verdict_fails_where_it_must(rule, measured, verdict):
    assert rule(measured) == verdict
