"""Both ways of counting receptive fields, on networks from torchvision and timm with random weights; no data needed."""

import re

import pytest
import timm
import torch
import torchvision

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.fields import ReceptiveFields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork

pytestmark = pytest.mark.acceptance
ASKED = 12  # layers of each network
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
UNKNOWN = {
    "timm tresnet_m": "view that parts rows in body.s2d",
    "timm vit_tiny_patch16_224": "cat along a map",
    "timm mobilevit_xxs": "view that parts rows in stages.2.1",
    "timm halonet26t": "view that parts rows in stages.2.1.self_attn",
    "torchvision swin_t": "view that parts rows in features.1.0.attn",
}


def built(name):
    package, name = name.split()
    torch.manual_seed(0)
    if package == "timm":
        return timm.create_model(name, pretrained=False).eval()
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **options).eval()


@pytest.mark.parametrize("name", [f"torchvision {name}" for name in TORCHVISION] + [f"timm {name}" for name in TIMM])
def test_both_ways_name_the_same_pixels(name):
    network, shape = built(name), (3, 96, 96)
    sight, uniform = ReceptiveFields(network, shape), LinearizedNetwork(network, shape)
    known = [each for each in sight.fields if uniform.has_map(each)]
    asked = {known[round(k * (len(known) - 1) / (ASKED - 1))] for k in range(ASKED)}
    assert len(asked) == ASKED
    for each in asked:
        for i, j in ((0, 0), (each.shape[1] // 2, each.shape[2] // 2)):
            assert torch.equal(sight.pixels(each.name, i, j), uniform.pixel_weights(each, i, j) > 0), (each.name, i, j)


@pytest.mark.parametrize("name", TIMM)
def test_strides_are_timms_reductions(name):
    fields = {each.name: each for each in ReceptiveFields(built(f"timm {name}"), (3, 96, 96)).fields}
    try:
        stages = timm.create_model(name, pretrained=False, features_only=True).feature_info.get_dicts()
    except (RuntimeError, AttributeError) as reason:
        pytest.skip(f"timm gives no features of it: {reason}")
    known = [each for each in stages if each["module"] in fields]
    if not known:
        pytest.skip("its features are no modules of the network itself")
    assert [fields[each["module"]].stride for each in known] == [(each["reduction"],) * 2 for each in known]


@pytest.mark.parametrize(("name", "operation"), UNKNOWN.items())
def test_what_is_not_known_is_named(name, operation):
    size = 256 if "vit_xxs" in name or "halonet" in name else 224
    with pytest.raises(HeadstartError, match=re.escape(f"the operation {operation}")):
        ReceptiveFields(built(name), (3, size, size))
