"""Both ways of counting a field name the same pixels."""

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from headstart.understand.receptive_field.effective import pixel_gradients
from headstart.understand.receptive_field.fields import ReceptiveFields, receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork, compare_with_gradients


def conv(a=2, b=2, kernel=3, **options):
    return nn.Conv2d(a, b, kernel, **({"padding": kernel // 2} | options))


class Mixed(nn.Module):
    """Branches, halves, gates, padding of three kinds, maps in another order: what people build."""

    def __init__(self):
        super().__init__()
        self.first = conv(1, 4, 7, stride=2, padding_mode="reflect")
        self.left, self.right = conv(2, 2, 5, dilation=2, padding=4), nn.Conv2d(2, 2, (1, 5), padding=(0, 2))
        self.norm, self.norm2, self.last = nn.LayerNorm(4), conv(4, 4, 5), nn.Linear(4, 4)
        self.gate, self.end = conv(4, 4, 1), conv(4, 4, 3, padding=0)

    def forward(self, images):
        maps = F.gelu(self.first(images))
        one, two = maps.chunk(2, dim=1)
        maps = torch.cat([self.left(one), F.max_pool2d(self.right(two), 3, 1, 1)], dim=1)
        maps = maps + self.last(self.norm(maps.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        maps *= self.gate(F.adaptive_avg_pool2d(maps, 1)).sigmoid()
        small = F.avg_pool2d(maps, 2, ceil_mode=True)
        maps = torch.stack([maps, 2 * maps], dim=2)[:, :, 1] + torch.stack([maps, self.norm2(maps)]).amax(0)
        maps = maps - F.interpolate(small, size=maps.shape[-2:])
        return self.end(F.pad(maps, (1, 0, 2, 0)))


def gradient_support(network, shape, layer, i, j):
    return LinearizedNetwork(network, shape).pixel_weights(layer, i, j) > 0


def same(network, shape, names=None, units=((0, 0), (1, 2), (-1, -1))):
    sight, uniform = ReceptiveFields(network, shape), LinearizedNetwork(network, shape)
    asked = [each for each in sight.fields if uniform.has_map(each) and (names is None or each.name in names)]
    assert asked
    for each in asked:
        for i, j in units:
            i, j = i % each.shape[1], j % each.shape[2]
            by_numbers, by_gradients = sight.pixels(each.name, i, j), uniform.pixel_weights(each, i, j) > 0
            assert torch.equal(by_numbers, by_gradients), (each.name, i, j)
            rows, columns = by_numbers.any(1).nonzero(), by_numbers.any(0).nonzero()
            assert each.box(i, j) == (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1), each.name
    return len(asked)


class TestBothMethods:
    def test_agree_on_branches_gates_and_padding(self):
        assert same(Mixed(), (1, 40, 36)) == 16

    def test_agree_on_functions(self, lesson):
        assert same(lesson(), (1, 28, 28)) == 4

    @pytest.mark.parametrize(
        "layers",
        [
            [nn.MaxPool2d(3, 2, 1), nn.Upsample(scale_factor=2), conv(), nn.MaxPool2d(2), conv()],
            [conv(stride=2), nn.Upsample(scale_factor=3, mode="bilinear"), conv(stride=2)],
            [conv(stride=2), nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1), conv(), nn.ConvTranspose2d(2, 2, 3)],
            [nn.MaxPool2d(3, 2, 1, dilation=2), nn.AdaptiveAvgPool2d((4, 3)), nn.ReflectionPad2d(2), conv()],
            [nn.ReplicationPad2d(3), conv(kernel=5, padding=0), nn.AdaptiveMaxPool2d(5)],
            [nn.Conv2d(2, 8, 1), nn.PixelShuffle(2), nn.MaxPool2d(3, 3, ceil_mode=True), nn.PixelUnshuffle(2)],
        ],
    )
    def test_agree_on_upsampling_and_pools(self, layers):
        same(nn.Sequential(*layers), (2, 23, 23))

    @pytest.mark.parametrize(
        ("make", "names"),
        [
            (lambda: torchvision.models.resnet18(weights=None), {"layer1.0.bn2", "layer2.0.downsample", "layer3"}),
            (lambda: torchvision.models.shufflenet_v2_x0_5(weights=None), {"stage2.1", "stage3.0", "stage4"}),
            (lambda: torchvision.models.squeezenet1_1(weights=None), {"features.4", "features"}),
            (lambda: timm.create_model("convnext_atto", pretrained=False), {"stages.0", "stages.1.blocks.1.conv_dw"}),
            (lambda: timm.create_model("legacy_seresnet18", pretrained=False), {"layer1.1", "layer2.0"}),
        ],
    )
    def test_agree_on_known_architectures(self, make, names):
        assert same(make(), (3, 48, 48), names, ((0, 0), (1, 1))) == len(names)

    def test_agree_on_flattened_maps(self):
        assert same(nn.Sequential(conv(1, 3), nn.Flatten(), nn.Linear(3 * 49, 2)), (1, 7, 7)) == 2
        assert same(nn.Sequential(conv(1, 3), nn.Flatten(2)), (1, 7, 7)) == 2


class TestLinearizedNetwork:
    def test_ignores_signs_and_activations(self):
        network = nn.Sequential(conv(1, 2), nn.ReLU(), nn.BatchNorm2d(2), conv(), nn.Threshold(100.0, 0.0))[:4]
        for parameter in network.parameters():
            nn.init.constant_(parameter, -1.0)
        [*_, last] = ReceptiveFields(network, (1, 12, 12)).fields
        assert int(gradient_support(network, (1, 12, 12), last, 6, 6).sum()) == 25
        assert all(bool((parameter == -1).all()) for parameter in network.parameters())

    def test_global_pooling_weighs_pixels_equally(self):
        network = nn.Sequential(conv(1, 2), nn.AdaptiveAvgPool2d(1))
        uniform, [*_, last] = LinearizedNetwork(network, (1, 4, 4)), ReceptiveFields(network, (1, 4, 4)).fields
        assert uniform.pixel_weights(last, 0, 0).tolist() == [[1 / 16] * 4] * 4

    def test_reads_channels_last(self):
        class Last(nn.Module):
            def __init__(self, channels):
                super().__init__()
                self.conv, self.mix = nn.Conv2d(3, channels, 3, padding=1), nn.Linear(channels, channels)

            def forward(self, images):
                return self.mix(self.conv(images).permute(0, 2, 3, 1))

        for channels in (8, 16):
            network, shape = Last(channels), (3, 16, 16)
            layer = next(each for each in receptive_fields(network, shape) if each.name == "mix")
            assert gradient_support(network, shape, layer, 2, 3).nonzero().tolist() == [
                [i, j] for i in (1, 2, 3) for j in (2, 3, 4)
            ]
            [influence] = pixel_gradients(network, torch.randn(5, *shape), [layer])
            assert influence[3].nonzero().tolist() == [[i, j] for i in (7, 8, 9) for j in (7, 8, 9)]

    def test_a_difference_reads_both_neighbors(self):
        class Slope(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.last = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)

            def forward(self, images):
                return self.last(self.conv(images).diff(dim=-1))

        layer = receptive_fields(Slope(), (1, 9, 9))[-1]
        assert gradient_support(Slope(), (1, 9, 9), layer, 4, 4).nonzero().tolist() == [[4, 4], [4, 5]]


class TestCompareWithGradients:
    def test_names_layers_that_differ(self, lesson):
        class Wrong(LinearizedNetwork):
            def pixel_weights(self, layer, i, j):
                found = super().pixel_weights(layer, i, j)
                return torch.ones_like(found) if layer.name == "conv2" else found

        network, shape = lesson(), (1, 28, 28)
        assert compare_with_gradients(ReceptiveFields(network, shape), LinearizedNetwork(network, shape)) == (4, [])
        assert compare_with_gradients(ReceptiveFields(network, shape), Wrong(network, shape)) == (4, ["conv2"])
