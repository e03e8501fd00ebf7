"""A person's network as the list of layers that the page draws."""

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.fields import receptive_fields
from headstart.understand.simulation.layer_list import build_layer_list


def kinds(layers):
    return [layer["kind"] for layer in layers]


def agreeing(js, own, network, shape):
    """How many places of the page's table have a name whose field Python knows; each must be the same."""
    rows = js("table(n)", n=own)
    known = {field.name: field for field in receptive_fields(network, shape)}
    count = 0
    for layer, row in zip(own["layers"], rows[1:], strict=True):
        assert not row["problem"]
        for field in (known[name] for name in layer["names"] if name in known and known[name].is_local):
            assert (row["field"], row["out"]) == (list(field.size), list(field.shape[1:])), field.name
            assert [-first for first in row["first"]] == list(field.padding), field.name
            assert row["channels"] == field.shape[0], field.name
            count += 1
    return count


class TestBuildLayerList:
    def test_of_the_lessons_network_is_its_preset(self, js, lesson):
        own = build_layer_list("mine", lesson(classes=10), (1, 28, 28))
        assert [layer["name"] for layer in own["layers"]] == [
            "conv1",
            "max_pool2d",
            "conv2",
            "max_pool2d_1",
            "fc1",
            "fc2",
        ]
        columns = "table(n).map((r) => [r.field, r.jump, r.first, r.out, r.channels, r.parameters])"
        assert js(columns, n=own) == js("((n) => " + columns + ")(PRESETS.lesson)")
        assert own["notes"] == []

    @pytest.mark.parametrize("name", ["resnet18", "resnet26", "mobilenetv2_035", "convnext_atto"])
    def test_draws_whole_networks_with_their_fields(self, js, name):
        network = timm.create_model(name)
        own = build_layer_list(name, network, (3, 96, 96))
        assert agreeing(js, own, network, (3, 96, 96)) > 15
        assert kinds(own["layers"])[-2:] == ["gap", "dense"] and own["notes"] == []
        drawn = js("table(n).reduce((sum, row) => sum + row.parameters, 0)", n=own)
        assert drawn == sum(p.numel() for p in network.parameters())

    def test_pools_a_last_map_of_one_unit(self):
        own = build_layer_list("small", timm.create_model("resnet18"), (3, 32, 32))
        assert kinds(own["layers"])[-2:] == ["gap", "dense"] and own["notes"] == []

    def test_separates_residual_blocks_from_branches(self):
        class Branched(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 5, padding=2)

            def forward(self, images):
                images = images + self.b(F.relu(self.b(images)))
                return torch.cat([self.a(images), self.b(images)], 1)

        layers = build_layer_list("mine", Branched(), (3, 16, 16))["layers"]
        assert kinds(layers) == ["residual", "block"]
        assert (layers[0]["kernel"], layers[0]["count"]) == ((5, 5), 2)
        assert (layers[1]["kernel"], layers[1]["padding"], layers[1]["channels"]) == ((5, 5), (2, 2), 6)

    def test_an_unpadded_shortcut_is_no_residual_block(self):
        class Shifted(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.short = nn.Conv2d(3, 3, 1, 2), nn.Conv2d(3, 3, 1, 2)
                self.wide = nn.Conv2d(3, 3, 3, padding=1)

            def forward(self, images):
                return self.wide(self.first(images)) + self.short(images)

        own = build_layer_list("mine", Shifted(), (3, 16, 16))
        assert kinds(own["layers"]) == ["block"]
        assert own["layers"][0]["kernel"] == (5, 5)

    def test_leaves_out_gates_with_a_note(self):
        class Gated(nn.Module):
            def __init__(self):
                super().__init__()
                self.wide, self.gate = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)

            def forward(self, images):
                for _ in range(2):
                    wide = self.wide(images)
                    images = images + wide * self.gate(wide.mean((2, 3), keepdim=True)).sigmoid()
                return images

        own = build_layer_list("mine", nn.Sequential(Gated()), (3, 16, 16))
        assert kinds(own["layers"]) == ["residual"] * 2
        assert own["notes"] == ["Gates see the whole image (0 and 1 more); the page leaves that out."]

    def test_ends_at_an_unsupported_layer_with_a_note(self, js):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3))
        own = build_layer_list("mine", network, (3, 16, 16))
        assert kinds(own["layers"]) == ["conv"]
        assert own["notes"] == ["The page draws the network up to 1, for which it has no layer."]

    def test_keeps_ceil_mode_of_pools(self, js):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2, ceil_mode=True))
        own = build_layer_list("mine", network, (3, 16, 16))
        assert own["layers"][1]["ceil"] and agreeing(js, own, network, (3, 16, 16)) == 2

    def test_refuses_a_network_that_cannot_be_traced(self):
        class Asking(nn.Module):
            def forward(self, images):
                return images if images.sum() > 0 else -images

        with pytest.raises(HeadstartError, match="Asking cannot be traced"):
            build_layer_list("mine", Asking(), (3, 8, 8))
