import torch
from torch import nn

from headstart.networks.call_recorder import CallRecorder


class TestCallRecorder:
    def test_names_modules_and_functions_beside_them(self, lesson):
        calls = []
        network = lesson()
        with CallRecorder(network, lambda name, kind, output, is_leaf: calls.append((name, kind, is_leaf))):
            network(torch.zeros(1, 1, 28, 28))
        assert calls == [
            ("conv1", "Conv2d", True),
            ("max_pool2d", "max_pool2d", True),
            ("conv2", "Conv2d", True),
            ("max_pool2d_1", "max_pool2d", True),
            ("fc1", "Linear", True),
            ("fc2", "Linear", True),
        ]

    def test_names_the_running_module(self):
        network = nn.Sequential(nn.Sequential(nn.ReLU()))
        running = []
        with CallRecorder(network, lambda *_: running.append(recorder.current_module)) as recorder:
            network(torch.zeros(1))
        assert running == ["0", ""]
