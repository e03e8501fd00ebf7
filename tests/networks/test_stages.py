import pytest
import timm
import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.networks.stages import capture_activations, find_stages


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", ["act1", "layer1", "layer2", "layer3", "layer4"]),
        ("mobilenetv2_035", ["blocks.0", "blocks.1", "blocks.2", "blocks.4", "bn2"]),
        ("mobilenetv3_small_050", ["bn1", "blocks.0", "blocks.1", "blocks.3", "blocks.5"]),  # its pool comes early
        ("convnext_atto", ["stages.0", "stages.1", "stages.2", "stages.3"]),  # channels last within its blocks
    ],
)
def test_a_stage_is_named_by_the_last_module_of_its_size(name, expected):
    assert find_stages(timm.create_model(name, num_classes=2), (3, 64, 64)) == expected


def test_the_lessons_stages_are_its_convolutions_even_within_a_wrapper(lesson):
    assert find_stages(lesson(), (1, 28, 28)) == ["conv1", "conv2"]
    assert find_stages(nn.Sequential(nn.Sequential(lesson())), (1, 28, 28)) == ["0.0.conv1", "0.0.conv2"]


def test_a_last_stage_of_single_numbers_counts_where_convolutions_made_them():
    assert find_stages(timm.create_model("resnet18"), (3, 32, 32))[-1] == "layer4"
    pooled = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(1)), nn.Flatten())
    assert find_stages(pooled, (3, 8, 8)) == ["0"]


def test_of_a_module_that_is_called_again_the_last_call_counts():
    class Again(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 3, stride=2)

        def forward(self, images):
            return self.conv(self.conv(images))

    network, images = Again(), torch.randn(40, 1, 15, 15)
    assert torch.equal(capture_activations(network, images, ["conv"])["conv"], network(images).detach())


def test_a_network_without_maps_and_one_of_other_images_say_so(lesson):
    with pytest.raises(HeadstartError, match="none of its modules gives maps"):
        find_stages(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), (1, 2, 2))
    with pytest.raises(HeadstartError, match="does not take images of"):
        find_stages(lesson(), (3, 28, 28))


def test_activations_are_those_of_each_image_alone_before_anything_overwrites_them():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randn(40, 1, 5, 5)
    given = capture_activations(network, images, ["1", "0"])
    assert list(given) == ["1", "0"] and given["1"].shape == (40, 2, 3, 3)
    torch.testing.assert_close(given["0"], network[0](images).detach())
    assert given["1"].min() < 0
    assert network.training and all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
