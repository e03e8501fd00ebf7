import pytest
import torch
from torch import nn

from headstart.networks.copying import build_untrained_copy, clone_network


class Token(nn.Module):
    """Holds parameters of its own, as transformers and ConvNeXts do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 8, stride=8)
        self.gamma = nn.Parameter(torch.full((8,), 3.0))
        self.bias = nn.Parameter(torch.full((8,), 5.0))
        self.place = nn.Parameter(torch.full((1, 8, 1, 1), 7.0))

    def forward(self, images):
        maps = self.conv(images) * self.gamma[:, None, None] + self.bias[:, None, None] + self.place
        return maps.mean((2, 3))


class TestCloneNetwork:
    def test_has_no_hooks_and_takes_gradients(self, lesson):
        network = lesson().train().requires_grad_(False)
        network.conv1.register_forward_hook(lambda *_: 1 / 0)
        network.conv2.register_forward_pre_hook(lambda *_: 1 / 0)
        network.fc1.register_full_backward_hook(lambda *_: 1 / 0)
        copy = clone_network(network)
        copy(torch.zeros(1, 1, 28, 28)).sum().backward()
        assert copy.conv1.weight.grad is not None and not copy.training
        assert network.training and not network.conv1.weight.requires_grad
        assert len(network.conv1._forward_hooks) == len(network.conv2._forward_pre_hooks) == 1

    def test_drops_hooks_of_any_kind(self, lesson):
        network = lesson()
        network.conv1.register_forward_hook(lambda *_, **__: 1 / 0, with_kwargs=True, always_call=True)
        network.conv2.register_forward_pre_hook(lambda *_, **__: 1 / 0, with_kwargs=True)
        copy = clone_network(network)
        copy(torch.zeros(1, 1, 28, 28))
        assert not [key for module in copy.modules() for key, held in vars(module).items() if "forward" in key and held]

    @pytest.mark.parametrize("normalize", [nn.utils.weight_norm, nn.utils.spectral_norm])
    @pytest.mark.filterwarnings("ignore::FutureWarning")
    def test_keeps_weight_normalization(self, lesson, normalize):
        network, images = lesson(), torch.ones(2, 1, 28, 28)
        normalize(network.conv2)
        network.train()(images)
        before = clone_network(network)(images)
        with torch.no_grad():
            for weights in network.conv2.parameters():
                weights.mul_(2)
        after = clone_network(network)(images)
        assert torch.allclose(after, network.eval()(images)) and not torch.allclose(after, before)
        assert not torch.allclose(build_untrained_copy(network)(images), after)


class TestBuildUntrainedCopy:
    def test_resets_parameters_outside_of_layers(self):
        network = Token()
        fresh = build_untrained_copy(network)
        assert fresh.gamma.tolist() == [1.0] * 8 and fresh.bias.tolist() == [0.0] * 8
        assert (fresh.place != 7).all() and 2 < fresh.place.square().mean().sqrt() < 14
        assert torch.equal(fresh.place, build_untrained_copy(network).place)
        assert (fresh.conv.weight != network.conv.weight).all() and (network.place == 7).all()
