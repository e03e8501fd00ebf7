"""Both computations of receptive fields, on networks of torchvision and timm with random weights; needs no data."""

import re

import pytest
import timm
import torch
import torchvision

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.fields import ReceptiveFields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork

pytestmark = pytest.mark.acceptance
NUM_LAYERS = 12  # compared in each network
TORCHVISION = [
    "alexnet", "vgg11_bn", "resnet18", "googlenet", "inception_v3", "densenet121", "squeezenet1_1",
    "shufflenet_v2_x0_5", "mobilenet_v3_small", "convnext_tiny",
]  # fmt: skip
TIMM = [
    "resnet50", "resnetv2_50", "resnest14d", "resnetaa50", "resnext26ts", "res2net50_14w_8s", "legacy_seresnet18",
    "nf_resnet50", "mobilenetv2_100", "mobilenetv4_conv_small", "tf_efficientnet_b0", "ghostnet_100", "regnety_002",
    "repvgg_a0", "hrnet_w18_small", "dla34", "cspresnet50", "vovnet39a", "xception41", "hgnetv2_b0", "convnextv2_atto",
    "inception_next_atto", "poolformer_s12", "starnet_s1", "dpn48b",
]  # fmt: skip
UNSUPPORTED = {
    "timm tresnet_m": "view that parts rows in body.s2d",
    "timm vit_tiny_patch16_224": "cat along a map",
    "timm mobilevit_xxs": "view that parts rows in stages.2.1",
    "timm halonet26t": "view that parts rows in stages.2.1.self_attn",
    "torchvision swin_t": "view that parts rows in features.1.0.attn",
}


def build_network(name):
    package, name = name.split()
    torch.manual_seed(0)
    if package == "timm":
        return timm.create_model(name, pretrained=False).eval()
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **options).eval()


class TestReceptiveFields:
    @pytest.mark.parametrize("name", [f"torchvision {n}" for n in TORCHVISION] + [f"timm {n}" for n in TIMM])
    def test_equal_the_support_of_gradients(self, name):
        network, shape = build_network(name), (3, 96, 96)
        fields, linearized = ReceptiveFields(network, shape), LinearizedNetwork(network, shape)
        layers = [layer for layer in fields.fields if linearized.has_map(layer)]
        sample = {layers[round(k * (len(layers) - 1) / (NUM_LAYERS - 1))] for k in range(NUM_LAYERS)}
        assert len(sample) == NUM_LAYERS
        for layer in sample:
            for i, j in ((0, 0), (layer.shape[1] // 2, layer.shape[2] // 2)):
                weights = linearized.pixel_weights(layer, i, j)
                assert torch.equal(fields.pixels(layer.name, i, j), weights > 0), (layer.name, i, j)

    @pytest.mark.parametrize("name", TIMM)
    def test_strides_equal_the_reductions_of_timm(self, name):
        fields = {field.name: field for field in ReceptiveFields(build_network(f"timm {name}"), (3, 96, 96)).fields}
        try:
            stages = timm.create_model(name, pretrained=False, features_only=True).feature_info.get_dicts()
        except (RuntimeError, AttributeError) as reason:
            pytest.skip(f"timm gives no features of it: {reason}")
        stages = [stage for stage in stages if stage["module"] in fields]
        if not stages:
            pytest.skip("its features are no modules of the network itself")
        assert [fields[stage["module"]].stride for stage in stages] == [(stage["reduction"],) * 2 for stage in stages]

    @pytest.mark.parametrize(("name", "operation"), UNSUPPORTED.items())
    def test_names_an_unsupported_operation(self, name, operation):
        size = 256 if "vit_xxs" in name or "halonet" in name else 224
        with pytest.raises(HeadstartError, match=re.escape(f"the operation {operation}")):
            ReceptiveFields(build_network(name), (3, size, size))
