import torch
from torch import nn

from headstart.networks.hooks import capture_maps, list_layers, pick_evenly, select_milestones


def test_layers_come_in_the_order_of_passing_with_their_shapes_and_leave_no_hooks(lesson):
    network = lesson()
    found = list_layers(network, torch.zeros(2, 1, 28, 28), (nn.Conv2d, nn.Linear))
    assert [(x.name, x.input_shape, x.output_shape) for x in found] == [
        ("conv1", (1, 28, 28), (4, 28, 28)),
        ("conv2", (4, 14, 14), (8, 14, 14)),
        ("fc1", (392,), (32,)),
        ("fc2", (32,), (4,)),
    ]
    assert not any(module._forward_hooks for module in network.modules())


def test_maps_are_kept_as_they_were_before_a_relu_in_place():
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(inplace=True))
    nn.init.ones_(network[0].weight)
    assert capture_maps(network, -torch.ones(1, 1, 2, 2), ["0"])["0"].min() == -1


def test_the_first_layer_of_each_size_and_the_last_stand_for_the_rest():
    network = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, stride=s) for s in (1, 1, 2, 1, 2, 1)))
    found = list_layers(network, torch.zeros(1, 1, 16, 16))
    assert [x.name for x in select_milestones(found)] == ["0", "2", "4", "5"]
    assert pick_evenly(list(range(10)), 4) == [0, 3, 6, 9] and pick_evenly([1, 2], 4) == [1, 2]
