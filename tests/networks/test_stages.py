import pytest
import timm
from torch import nn

from headstart.errors import HeadstartError
from headstart.networks.stages import direct_tensor_names, find_stages, modules_by_stage


class TestFindStages:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("resnet18", ["act1", "layer1", "layer2", "layer3", "layer4"]),
            ("mobilenetv2_035", ["blocks.0", "blocks.1", "blocks.2", "blocks.4", "bn2"]),
            ("mobilenetv3_small_050", ["bn1", "blocks.0", "blocks.1", "blocks.3", "blocks.5"]),  # its pool comes early
            ("convnext_atto", ["stages.0", "stages.1", "stages.2", "stages.3"]),  # channels last within its blocks
        ],
    )
    def test_names_the_last_module_of_each_map_size(self, name, expected):
        assert find_stages(timm.create_model(name, num_classes=2), (3, 64, 64)) == expected

    def test_finds_convolutions_within_a_wrapper(self, lesson):
        assert find_stages(lesson(), (1, 28, 28)) == ["conv1", "conv2"]
        assert find_stages(nn.Sequential(nn.Sequential(lesson())), (1, 28, 28)) == ["0.0.conv1", "0.0.conv2"]

    def test_counts_1x1_maps_made_by_a_convolution(self):
        assert find_stages(timm.create_model("resnet18"), (3, 32, 32))[-1] == "layer4"
        pool = nn.Sequential(nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(1))
        assert find_stages(nn.Sequential(nn.Conv2d(3, 4, 3), pool, nn.Flatten()), (3, 8, 8)) == ["0"]

    def test_refuses_a_network_without_maps(self):
        with pytest.raises(HeadstartError, match="none of its modules gives maps"):
            find_stages(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), (1, 2, 2))

    def test_refuses_images_of_another_shape(self, lesson):
        with pytest.raises(HeadstartError, match="does not take images of"):
            find_stages(lesson(), (3, 28, 28))


class TestModulesByStage:
    def test_puts_a_module_where_its_last_part_lies(self, lesson):
        assert modules_by_stage(lesson(), ["conv1", "conv2"]) == [["conv1"], ["conv2"], ["", "fc1", "fc2"]]

    @pytest.mark.parametrize("name", ["resnet10t", "mobilenetv2_035", "convnext_atto"])
    def test_puts_each_tensor_into_exactly_one_stage(self, name):
        network = timm.create_model(name)
        stages = [info["module"].replace(".act1", "") for info in network.feature_info]
        groups = modules_by_stage(network, stages)
        assert len(groups) == len(stages) + 1 and "" in groups[-1]
        names = [key for group in groups for key in direct_tensor_names(network, group)]
        assert sorted(names) == sorted(network.state_dict())
        for stage, group in zip(stages, groups, strict=False):
            assert set(dict(network.get_submodule(stage).named_modules(prefix=stage))) <= set(group)

    def test_refuses_stages_registered_in_another_order(self):
        with pytest.raises(
            HeadstartError, match="Sequential: its modules are not registered in the order of their use"
        ):
            modules_by_stage(nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)), ["1", "0"])


class TestDirectTensorNames:
    def test_leaves_out_inner_modules(self, lesson):
        assert direct_tensor_names(lesson(), ["", "conv1"]) == ["conv1.weight", "conv1.bias"]
