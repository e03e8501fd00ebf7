"""Which modules belong to which stage."""

import pytest
import timm
from torch import nn

from headstart.errors import HeadstartError
from headstart.networks.stage_groups import direct_tensor_names, modules_by_stage


def test_each_module_belongs_to_the_stage_in_which_it_ends(lesson):
    network = lesson()
    assert modules_by_stage(network, ["conv1", "conv2"]) == [["conv1"], ["conv2"], ["", "fc1", "fc2"]]
    assert direct_tensor_names(network, ["", "conv1"]) == ["conv1.weight", "conv1.bias"]


@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv2_035", "convnext_atto"])
def test_every_tensor_is_of_exactly_one_portion_and_containers_of_their_last_parts(name):
    network = timm.create_model(name)
    stages = [info["module"].replace(".act1", "") for info in network.feature_info]
    parts = modules_by_stage(network, stages)
    assert len(parts) == len(stages) + 1 and "" in parts[-1]
    assert sorted(key for part in parts for key in direct_tensor_names(network, part)) == sorted(network.state_dict())
    for stage, part in zip(stages, parts, strict=False):
        assert set(dict(network.get_submodule(stage).named_modules(prefix=stage))) <= set(part)


def test_modules_that_do_not_stand_in_the_order_of_their_use_are_one_line():
    with pytest.raises(HeadstartError, match="Sequential: its modules do not stand in the order of their use"):
        modules_by_stage(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)), ["1", "0"])
