"""The networks on the way to ResNet, and a ResNet without its skip connections."""

import pytest
import torch
from torch import nn

from headstart.backbones.build import build_backbone
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import AlexNet, LeNet, PlainResNet, ScratchBackbone
from headstart.models.networks.alexnet import small_alexnet
from headstart.models.networks.lenet import lenet5
from headstart.models.networks.plain_resnet import remove_skip_connections

GREY = ImageSpec((1, 32, 32), tuple("0123456789"), (0.13,), (0.31,), mirror=False, labels_per_class=5)
MODELS = [LeNet, AlexNet, PlainResNet]


def parameters(module):
    return sum(p.numel() for p in module.parameters())


class TestModels:
    @pytest.mark.parametrize("cls", MODELS)
    @pytest.mark.parametrize("shape", [(1, 28, 28), (3, 33, 47), (3, 64, 64)])
    def test_take_any_shape_and_number_of_classes(self, cls, shape):
        spec = ImageSpec(shape, ("a", "b", "c"), (0.5,) * shape[0], (0.2,) * shape[0], True, 5)
        assert cls(spec).eval()(torch.zeros(2, *shape, dtype=torch.uint8)).shape == (2, 3)

    @pytest.mark.parametrize("cls", MODELS)
    def test_load_from_a_checkpoint_and_can_be_traced(self, cls, spec, fitted, tmp_path):
        model = cls(spec, epochs=1)
        fitted(model).save_checkpoint(tmp_path / "kept.ckpt")
        again = cls.load_from_checkpoint(tmp_path / "kept.ckpt").eval()
        images = torch.randint(0, 256, (4, *spec.shape), dtype=torch.uint8)
        assert torch.equal(model.eval()(images), again(images))
        normalised = torch.randn(2, *spec.shape)
        torch.testing.assert_close(torch.fx.symbolic_trace(again.network)(normalised), again.network(normalised))

    @pytest.mark.parametrize(("cls", "side", "least"), [(LeNet, 15, "16×16"), (AlexNet, 27, "28×28")])
    def test_reject_images_that_are_too_small(self, cls, side, least):
        with pytest.raises(HeadstartError, match=least):
            cls(ImageSpec((1, side, side), ("a", "b"), (0.5,), (0.2,), False, 5))


class TestLeNet:
    def test_has_the_layers_of_the_paper(self):
        assert parameters(LeNet(GREY)) == 61_706
        maps, sizes = torch.zeros(1, 1, 32, 32), []
        for layer in lenet5((1, 32, 32), 10):
            maps = layer(maps)
            if isinstance(layer, nn.Conv2d | nn.AvgPool2d | nn.Linear):
                sizes.append(tuple(maps.shape[1:]))
        assert sizes == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1), (84,), (10,)]

    def test_fields_are_5_6_14_16_and_32_pixels(self):
        network = lenet5((1, 32, 32), 10)
        for layer in network:
            if isinstance(layer, nn.Conv2d):
                nn.init.ones_(layer.weight)
        seen = []
        for name in ("conv1", "pool2", "conv3", "pool4", "conv5"):
            until = network[: [child for child, _ in network.named_children()].index(name) + 1]
            linear = nn.Sequential(*(layer for layer in until if not isinstance(layer, nn.Tanh)))
            image = torch.zeros(1, 1, 32, 32, requires_grad=True)
            linear(image)[0, 0, 0, 0].backward()
            seen.append(int((image.grad[0, 0] > 0).any(dim=0).sum()))
        assert seen == [5, 6, 14, 16, 32]


class TestAlexNet:
    def test_number_of_parameters_is_independent_of_image_size(self):
        small, large = small_alexnet((3, 28, 28), 10), small_alexnet((3, 224, 224), 10)
        assert parameters(small) == parameters(large) == 1_144_746
        assert len([m for m in small.modules() if isinstance(m, nn.Conv2d)]) == 5


class TestPlainResNet:
    def test_equals_the_scratch_backbone_without_its_skips(self):
        torch.manual_seed(0)
        plain = PlainResNet(GREY)
        torch.manual_seed(0)
        residual = ScratchBackbone(GREY)
        kept, skips = plain.backbone.state_dict(), residual.backbone.state_dict()
        assert {k for k in skips if k not in kept} == {k for k in skips if ".downsample." in k} and set(kept) < set(
            skips
        )
        kernels = [k for k in kept if kept[k].ndim == 4]
        assert kernels and all(torch.equal(kept[k], skips[k]) for k in kernels)
        assert 1 - parameters(plain) / parameters(residual) == pytest.approx(0.016, abs=0.001)

    @pytest.mark.parametrize("name", ["resnet18", "resnet50"])
    def test_blocks_have_no_shortcut(self, name):
        network = remove_skip_connections(build_backbone({"name": name, "options": {}}), name)
        assert not [n for n in torch.fx.symbolic_trace(network).graph.nodes if "add" in n.name]
        # With every kernel of a block at zero, a shortcut would be all that comes through.
        for kernel in network.layer1[0].parameters():
            nn.init.zeros_(kernel)
        channels = network.layer1[0].conv1.in_channels
        assert network.layer1[0](torch.ones(1, channels, 4, 4)).abs().sum() == 0

    def test_all_parameters_get_gradients(self):
        model = PlainResNet(GREY)
        model.loss(torch.randint(0, 256, (8, 1, 32, 32), dtype=torch.uint8), torch.arange(8)).backward()
        assert all(p.grad.abs().sum() > 0 for p in model.backbone.parameters())

    def test_rejects_networks_without_residual_blocks(self, spec):
        with pytest.raises(HeadstartError, match=r"backbone\.name=lcnet_035: has no residual blocks"):
            PlainResNet(spec, architecture={"name": "lcnet_035", "weights": "none"})
