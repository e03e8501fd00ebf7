import pytest
import timm
import torch
import torchvision
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.fields import (
    ReceptiveFields,
    last_fields_per_stride,
    receptive_fields,
)


def weightless(name):
    """A torchvision network without its weights: a field needs none."""
    with torch.device("meta"):
        return torchvision.models.get_model(name, weights=None)


def fields(network, shape=(3, 64, 64)):
    return {each.name: each for each in receptive_fields(network, shape)}


def told(field):
    """Size, stride and padding, which are the same along both axes."""
    for pair in (field.size, field.stride, field.padding):
        assert pair[0] == pair[1]
    return field.size[0], field.stride[0], field.padding[0]


def stacked(*layers):
    return fields(nn.Sequential(*layers), (1, 256, 256))


def conv(kernel=3, **options):
    return nn.Conv2d(1, 1, kernel, **options)


class TestReceptiveFields:
    def test_counts_functional_pools(self, lesson):
        found = fields(lesson(), (1, 28, 28))
        assert [told(found[name])[0] for name in ("conv1", "max_pool2d", "conv2", "max_pool2d_1")] == [3, 4, 8, 10]
        assert found["fc1"].whole_image and not found["fc1"].is_local and found["fc1"].box(0, 0) == (0, 0, 28, 28)

    @pytest.mark.parametrize(
        ("name", "layer", "expected"),
        [
            ("alexnet", "features", (195, 32, 66)),
            ("vgg16", "features", (212, 32, 90)),
            ("resnet34", "layer4", (899, 32, 449)),
            ("resnet101", "layer4", (971, 32, 485)),
            ("mobilenet_v2", "features", (491, 32, 245)),
        ],
    )
    def test_match_published_values(self, name, layer, expected):
        assert told(fields(weightless(name))[layer]) == expected

    def test_the_first_resnet50_sees_483(self):
        """As the first one did; torchvision's strides in the 3×3 layers and sees 427."""
        network = weightless("resnet50")
        for block in network.modules():
            if isinstance(block, torchvision.models.resnet.Bottleneck):
                block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
        assert told(fields(network)["layer4"]) == (483, 32, 241)

    @pytest.mark.parametrize("name", ["resnet10t", "efficientnet_b0", "convnext_atto", "regnetx_002"])
    def test_strides_are_timms_reductions(self, name):
        network = timm.create_model(name, pretrained=False, features_only=True)
        whole = fields(timm.create_model(name, pretrained=False))
        for info in network.feature_info.get_dicts():
            assert whole[info["module"]].stride == (info["reduction"],) * 2

    def test_differ_along_both_axes(self):
        found = stacked(nn.Conv2d(1, 1, (1, 7), padding=(0, 3)), nn.Conv2d(1, 1, (5, 1), stride=(2, 1)), conv((3, 2)))
        assert found["2"].size == (9, 8) and found["2"].stride == (2, 1) and found["2"].padding == (0, 3)

    def test_branches_are_united(self):
        class Branches(nn.Module):
            def __init__(self):
                super().__init__()
                self.wide, self.small = conv(7, padding=3), conv(1)

            def forward(self, images):
                return torch.cat([self.wide(images), self.small(images)], 1), self.small(images) * images

        found = fields(Branches(), (1, 32, 32))
        assert [(name, each.size[0]) for name, each in found.items()] == [
            ("wide", 7),
            ("small", 1),
            ("cat", 7),
            ("small_1", 1),
            ("mul", 1),
        ]

    def test_upsampling_reduces_the_stride(self):
        found = stacked(
            nn.MaxPool2d(2), nn.Upsample(scale_factor=2), conv(padding=1), nn.ConvTranspose2d(1, 1, 2, stride=2)
        )
        assert [each.size[0] for each in found.values()] == [2, 2, 4, 4]
        assert [each.stride[0] for each in found.values()] == [2, 1, 1, 0.5]

    def test_gates_do_not_change_the_local_size(self):
        class Gated(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.fc = conv(padding=1), conv(1)

            def forward(self, images):
                maps = self.conv(images)
                return maps * self.fc(maps.mean((2, 3), keepdim=True)).sigmoid()

        sight = ReceptiveFields(Gated(), (1, 16, 16))
        found = {each.name: each for each in sight.fields}
        assert found["mul"].whole_image and found["mul"].is_local and found["mul"].size == (3, 3)
        assert (
            not found["fc"].is_local
            and int(sight.pixels("mul", 5, 5).sum()) == 9
            and bool(sight.pixels("fc", 0, 0).all())
        )

    @pytest.mark.parametrize(
        ("layer", "whole"),
        [
            (nn.GroupNorm(2, 4), True),
            (nn.InstanceNorm2d(4), True),
            (nn.LayerNorm((4, 8, 8)), True),
            (nn.BatchNorm2d(4), False),
            (nn.Softmax(1), False),
            (nn.Softmax(2), True),
            (nn.PixelShuffle(2), False),
            (nn.PixelUnshuffle(2), False),
            (nn.LocalResponseNorm(3), None),
        ],
    )
    def test_normalization_sees_its_statistics_input(self, layer, whole):
        network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), layer)
        if whole is None:  # it averages over channels as if they were a depth
            with pytest.raises(HeadstartError, match="is not known"):
                fields(network, (1, 8, 8))
        else:
            assert fields(network, (1, 8, 8))["1"].whole_image is whole

    def test_attention_sees_the_whole_image(self):
        class Attention(nn.Module):
            def __init__(self, fused):
                super().__init__()
                self.embed, self.mix, self.fused = nn.Conv2d(1, 4, 4, stride=4), nn.Linear(4, 4), fused

            def forward(self, images):
                tokens = self.embed(images).flatten(2).transpose(1, 2)
                if self.fused:
                    return self.mix(nn.functional.scaled_dot_product_attention(tokens, tokens, tokens))
                return self.mix((tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens)

        for fused in (False, True):
            found = fields(Attention(fused), (1, 16, 16))
            assert not found["embed"].whole_image and found["mix"].whole_image and found["mix"].size == (4, 4)
            assert found["mix"].shape == (4, 4, 4) and found["mix"].stride == (4, 4)

    def test_a_pools_default_stride_is_its_kernel(self):
        assert receptive_fields(nn.Sequential(nn.LPPool2d(2, 2)), (1, 16, 16))[-1].stride == (2, 2)


class TestSize:
    def test_grows_by_2_for_each_3x3_layer(self):
        found = stacked(*(conv() for _ in range(5)))
        assert [each.size[0] for each in found.values()] == [3, 5, 7, 9, 11]

    def test_is_78_for_five_layers_with_pools(self):
        layers = [layer for _ in range(5) for layer in (conv(padding=1), nn.MaxPool2d(2))]
        assert stacked(*layers)["8"].size == (78, 78)

    def test_is_63_for_doubled_dilations(self):
        assert stacked(*(conv(dilation=2**k) for k in range(5)))["4"].size == (63, 63)

    def test_is_that_of_lenet(self):
        found = fields(nn.Sequential(conv(5), nn.AvgPool2d(2), conv(5), nn.AvgPool2d(2), conv(5)), (1, 32, 32))
        assert [each.size[0] for each in found.values()] == [5, 6, 14, 16, 32]


class TestLastFieldsPerStride:
    @pytest.mark.parametrize(
        ("name", "sizes", "padding"), [("resnet18", [43, 99, 211, 435], 217), ("resnet50", [35, 91, 267, 427], 213)]
    )
    def test_are_the_stages_of_resnets(self, name, sizes, padding):
        found = fields(weightless(name))
        assert [found[f"layer{k}"].size[0] for k in (1, 2, 3, 4)] == sizes
        assert told(found["layer4"]) == (sizes[-1], 32, padding)
        ends = [each.name for each in last_fields_per_stride(list(found.values()))]
        assert ends == ["relu", "layer1", "layer2", "layer3", "layer4"]

    def test_end_before_a_reducing_block(self):
        found = list(fields(timm.create_model("mobilenetv2_035", pretrained=False)).values())
        assert [each.name for each in last_fields_per_stride(found)] == [
            "blocks.0",
            "blocks.1",
            "blocks.2",
            "blocks.4",
            "bn2",
        ]


class TestBox:
    def test_is_clipped_at_the_image(self):
        field = fields(nn.Sequential(conv(padding=1), conv(padding=1)), (1, 8, 8))["1"]
        assert field.box(0, 0) == (0, 0, 3, 3) and field.box(4, 3) == (2, 1, 7, 6) and field.box(7, 7) == (5, 5, 8, 8)

    def test_excludes_what_a_pool_leaves_over(self):
        field = fields(nn.Sequential(nn.MaxPool2d(2), conv(padding=1)), (1, 5, 5))["1"]
        assert field.box(1, 1) == (0, 0, 4, 4)


class TestPixels:
    def test_has_the_holes_of_dilation(self):
        network = nn.Sequential(*(conv(dilation=2) for _ in range(3)))
        seen = ReceptiveFields(network, (1, 24, 24)).pixels("2", 4, 5)
        assert fields(network, (1, 24, 24))["2"].box(4, 5) == (4, 5, 17, 18)
        assert int(seen.sum()) == 49 and bool(seen[4, 5]) and not seen[5].any() and not seen[:, 6].any()


class TestErrors:
    @pytest.mark.parametrize(
        ("operation", "name"),
        [
            (lambda maps: maps.roll(1, 2), "roll"),
            (lambda maps: maps.flip(3), "flip"),
            (lambda maps: maps.sort(3)[0], "sort"),
            (lambda maps: maps.mean(2), "mean over rows alone"),
            (lambda maps: maps.view(1, 1, 4, 2, 8), "view that parts rows"),
            (lambda maps: torch.cat([maps, maps], 3), "cat along a map"),
            (lambda maps: maps.cumsum(2), "cumsum"),
            (
                lambda maps: nn.functional.conv_transpose2d(maps, torch.ones(1, 1, 1, 1), stride=2),
                "convolution that leaves gaps",
            ),
            (lambda maps: nn.functional.conv2d(maps, maps), "convolution by weights that depend on the image"),
        ],
    )
    def test_name_an_unsupported_operation(self, operation, name):
        class Block(nn.Module):
            def forward(self, images):
                return operation(images)

        with pytest.raises(HeadstartError, match=f"the operation .*({name}).* in 1 is not known"):
            fields(nn.Sequential(nn.Conv2d(1, 1, 1), Block()), (1, 8, 8))

    def test_name_a_missing_layer(self, lesson):
        with pytest.raises(HeadstartError, match="no layer 'conv9'"):
            ReceptiveFields(lesson(), (1, 28, 28)).pixels("conv9", 0, 0)

    def test_refuse_a_shape_of_no_image(self):
        with pytest.raises(HeadstartError, match=r"shape=\(3, 32\): .*give \(channels, height, width\)"):
            receptive_fields(nn.Conv1d(3, 4, 3), (3, 32))

    def test_name_circular_padding(self):
        with pytest.raises(HeadstartError, match="circular padding"):
            receptive_fields(nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), (1, 16, 16))

    @pytest.mark.parametrize("part", [lambda maps: maps[:, :, :1], lambda maps: maps[:, :, :1, :1]])
    def test_name_a_broadcast_part_of_a_map(self, part):
        class Spread(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(1, 1, 3)

            def forward(self, images):
                maps = self.conv(images)
                return maps + part(maps)

        with pytest.raises(HeadstartError, match="a part of a map, spread over many units"):
            receptive_fields(Spread(), (1, 12, 12))
