import pytest
import torch
import torch.nn.functional as F
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.tracing import trace_network


class Function(nn.Module):
    """A network that is a function."""

    def __init__(self, function):
        super().__init__()
        self.function, self.conv = function, nn.Conv2d(2, 2, 1)

    def forward(self, images):
        return self.function(self.conv(images))


def names(network, shape=(2, 8, 8)):
    return [point.name for point in trace_network(network, shape).named_outputs]


class TestNamedOutputs:
    def test_include_functions_beside_modules(self, lesson):
        expected = ["conv1", "max_pool2d", "conv2", "max_pool2d_1", "fc1", "fc2"]
        assert names(lesson(), (1, 28, 28)) == expected

    def test_number_repeated_calls(self):
        relu = nn.ReLU()
        block = nn.Sequential(nn.Conv2d(2, 2, 1), relu)
        assert names(nn.Sequential(block, relu)) == ["0.0", "0.1", "0", "0.1_1"]

    def test_exclude_functions_within_a_leaf(self):
        class Doubled(nn.Module):
            def forward(self, images):
                return F.max_pool2d(images, 2) + 1

        assert names(nn.Sequential(Doubled())) == ["0"]

    def test_treat_a_sum_in_place_as_a_sum(self):
        def added(maps):
            more = F.relu(maps)
            more += maps
            return more

        assert names(Function(added)) == ["conv", "add"]


class TestTraceNetwork:
    def test_excludes_what_does_not_depend_on_the_image(self):
        table = torch.ones(2, 8, 8)
        graph = trace_network(Function(lambda maps: maps * (table.exp() + 1)), (2, 8, 8))
        assert [call.name for call in graph.calls] == ["convolution", "mul"]

    def test_follows_branches_on_sizes(self):
        network = Function(lambda maps: F.max_pool2d(maps, 2) if maps.shape[-1] > 4 else maps)
        assert names(network, (2, 8, 8)) == ["conv", "max_pool2d"] and names(network, (2, 4, 4)) == ["conv"]

    def test_refuses_branches_on_values(self):
        network = Function(lambda maps: maps if maps.sum() > 0 else -maps)
        with pytest.raises(HeadstartError, match="Function cannot be traced on an image of 2x8x8") as refused:
            names(network)
        assert "\n" not in str(refused.value)

    def test_refuses_images_of_another_shape(self):
        with pytest.raises(HeadstartError, match=r"cannot be traced on an image of 3x8x8: .*channels"):
            names(Function(F.relu), (3, 8, 8))

    def test_refuses_a_tensor_written_in_part(self):
        def written(maps):
            whole = torch.zeros(1, 2, 8, 8)
            whole[:, :1] = maps[:, :1]
            return whole + maps

        with pytest.raises(HeadstartError, match="the network reads a tensor of which a part was written over"):
            names(Function(written))

    def test_does_not_change_the_network(self):
        network = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)).train()
        network[0].weight.requires_grad_(False)
        called = []
        network[1].register_forward_hook(lambda *_: called.append(1))
        before = {name: value.clone() for name, value in network.state_dict().items()}
        trace_network(network, (2, 8, 8))
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
        assert network.training and network[1].training and not network[0].weight.requires_grad
        assert not called and not any(vars(network[0])[name] for name in ("_forward_hooks", "_forward_pre_hooks"))
