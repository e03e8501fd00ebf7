import pytest
import torch
from torch import nn

from headstart.networks.hooks import (
    capture_activations,
    capture_outputs,
    list_layers,
    pick_evenly,
    select_milestones,
)


def has_hooks(network):
    return any(vars(module)["_forward_hooks"] for module in network.modules())


class TestListLayers:
    def test_returns_shapes_in_forward_order(self, lesson):
        network = lesson()
        layers = list_layers(network, torch.zeros(2, 1, 28, 28), (nn.Conv2d, nn.Linear))
        assert [(x.name, x.input_shape, x.output_shape) for x in layers] == [
            ("conv1", (1, 28, 28), (4, 28, 28)),
            ("conv2", (4, 14, 14), (8, 14, 14)),
            ("fc1", (392,), (32,)),
            ("fc2", (32,), (4,)),
        ]
        assert not has_hooks(network)


class TestCaptureOutputs:
    def test_keeps_maps_before_a_relu_in_place(self):
        network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(inplace=True))
        nn.init.ones_(network[0].weight)
        assert capture_outputs(network, -torch.ones(1, 1, 2, 2), ["0"])["0"].min() == -1

    def test_removes_hooks_after_an_error(self):
        network = nn.Sequential(nn.Conv2d(1, 1, 1))
        with pytest.raises(RuntimeError):
            capture_outputs(network, torch.zeros(1, 2, 4, 4), ["0"])
        assert not has_hooks(network)


class TestCaptureActivations:
    def test_runs_in_eval_mode_and_keeps_the_network(self):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True)).train()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        images = torch.randn(40, 1, 5, 5)
        activations = capture_activations(network, images, ["1", "0"])
        assert list(activations) == ["1", "0"] and activations["1"].shape == (40, 2, 3, 3)
        torch.testing.assert_close(activations["0"], network[0](images).detach())
        assert activations["1"].min() < 0
        assert network.training and not has_hooks(network)
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())

    def test_takes_the_last_call_of_a_repeated_module(self):
        class Repeated(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(1, 1, 3, stride=2)

            def forward(self, images):
                return self.conv(self.conv(images))

        network, images = Repeated(), torch.randn(40, 1, 15, 15)
        assert torch.equal(capture_activations(network, images, ["conv"])["conv"], network(images).detach())


class TestSelectMilestones:
    def test_takes_the_first_layer_of_each_size_and_the_last(self):
        network = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, stride=s) for s in (1, 1, 2, 1, 2, 1)))
        layers = list_layers(network, torch.zeros(1, 1, 16, 16))
        assert [x.name for x in select_milestones(layers)] == ["0", "2", "4", "5"]


class TestPickEvenly:
    def test_includes_both_ends(self):
        assert pick_evenly(list(range(10)), 4) == [0, 3, 6, 9] and pick_evenly([1, 2], 4) == [1, 2]
