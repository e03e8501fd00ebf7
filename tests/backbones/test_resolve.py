"""Where weights come from, and what is wrong with them."""

import pytest
import torch
from safetensors.torch import save_file

from headstart.backbones.build import build_backbone, feature_width
from headstart.backbones.model_card import read_backbone_header, read_model_card
from headstart.backbones.normalization import input_normalization
from headstart.backbones.provenance import weights_provenance, weights_sha256
from headstart.backbones.resolve import is_embedded_architecture, resolve_architecture, resolve_backbone
from headstart.backbones.weights import EMBEDDED_WEIGHTS, load_weights
from headstart.errors import HeadstartError

SMALL = {"name": "resnet10t", "options": {}, "weights": "none"}


@pytest.fixture
def weight_file(tmp_path):
    torch.manual_seed(7)
    network = build_backbone(SMALL)
    path = tmp_path / "weights.safetensors"
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path)
    return path


def settings(weights, **more):
    return resolve_backbone({**SMALL, "weights": str(weights), **more})


class TestBuild:
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("features_only", True), ("out_indices", [1]), ("in_chans", 1), ("num_classes", 10), ("pretrained", True),
            ("pretrained_cfg", {"mean": [0, 0, 0]}), ("checkpoint_path", "a.pth"), ("scriptable", True),
        ],
    )  # fmt: skip
    def test_rejects_what_is_no_option_of_a_network(self, option, value):
        with pytest.raises(HeadstartError, match=rf"backbone\.options\.{option}=.*; leave it out"):
            build_backbone({"name": "resnet10t", "options": {option: value}})

    def test_names_the_tags_of_a_network(self):
        with pytest.raises(HeadstartError, match=r"backbone\.name=resnet18\.mine: .*resnet18\.a1_in1k"):
            build_backbone({"name": "resnet18.mine", "options": {}})

    def test_suggests_names_for_unknown_networks(self):
        with pytest.raises(HeadstartError, match=r"resnet19.*did you mean.*resnet18"):
            build_backbone({"name": "resnet19", "options": {}})

    def test_rejects_options_of_other_networks(self):
        with pytest.raises(HeadstartError, match=r"backbone\.options"):
            build_backbone({"name": "resnet18", "options": {"wheels": 4}})


class TestNormalization:
    def test_of_a_bare_file_is_a_guess_with_one_warning(self, weight_file, caplog):
        for _ in range(2):
            mean, std = input_normalization(settings(weight_file))
        assert [record.getMessage().count("the file does not say") for record in caplog.records] == [1]
        known = weights_provenance(settings(weight_file))
        assert (known["mean"], known["std"], known["normalization"]) == (mean, std, "guess")

    def test_of_the_settings_or_the_file_is_no_guess(self, weight_file, caplog):
        typed = settings(weight_file, mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])
        assert input_normalization(typed) == ([0.5] * 3, [0.5] * 3)
        assert weights_provenance(typed)["normalization"] == "settings"
        assert weights_provenance(resolve_backbone(None))["normalization"] == "weights"
        assert not caplog.records

    def test_is_that_of_a_names_tag(self):
        tagged = {"mean": None, "std": None, "weights": "hub"}
        first = input_normalization({"name": "vit_base_patch16_224.augreg_in21k", **tagged})
        other = input_normalization({"name": "vit_base_patch16_224.mae", **tagged})
        assert first == ([0.5] * 3, [0.5] * 3) and other != first


class TestLoadWeights:
    def test_loads_every_tensor_of_a_file(self, weight_file):
        network = build_backbone(SMALL)
        load_weights(network, settings(weight_file))
        from safetensors.torch import load_file

        kept = load_file(weight_file)
        assert all(torch.equal(v, kept[k]) for k, v in network.state_dict().items())

    def test_loads_a_pth_file_with_a_classifier(self, tmp_path):
        import timm

        whole = timm.create_model("resnet10t", num_classes=5)
        torch.save({"state_dict": whole.state_dict()}, tmp_path / "whole.pth")
        network = build_backbone(SMALL)
        load_weights(network, settings(tmp_path / "whole.pth"))
        assert torch.equal(network.conv1[0].weight, whole.conv1[0].weight)

    def test_rejects_missing_tensors(self, weight_file):
        from safetensors.torch import load_file

        kept = load_file(weight_file)
        kept.pop("layer1.0.conv1.weight")
        save_file({k: v.contiguous() for k, v in kept.items()}, weight_file)
        with pytest.raises(HeadstartError, match=r"layer1\.0\.conv1\.weight"):
            load_weights(build_backbone(SMALL), settings(weight_file))

    def test_rejects_other_shapes(self, weight_file):
        from safetensors.torch import load_file

        kept = load_file(weight_file)
        kept["layer1.0.conv1.weight"] = torch.zeros(1, 1, 3, 3)
        save_file({k: v.contiguous() for k, v in kept.items()}, weight_file)
        with pytest.raises(HeadstartError, match=r"layer1\.0\.conv1\.weight is \(1, 1, 3, 3\)"):
            load_weights(build_backbone(SMALL), settings(weight_file))

    def test_rejects_files_that_would_run_code(self, tmp_path):
        torch.save({"state_dict": print}, tmp_path / "evil.pth")
        with pytest.raises(HeadstartError, match="the weights cannot be read") as refused:
            load_weights(build_backbone(SMALL), settings(tmp_path / "evil.pth"))
        assert "weights_only" not in str(refused.value)

    def test_loads_the_embedded_weights(self):
        resolved = resolve_backbone(None)
        network = build_backbone(resolved)
        before = network.state_dict()["layer1.0.conv1.weight"].clone()
        load_weights(network, resolved)
        assert not torch.equal(before, network.state_dict()["layer1.0.conv1.weight"])
        assert {"data", "command", "epochs", "accuracy", "terms", "seen"} <= set(read_model_card(EMBEDDED_WEIGHTS))
        assert EMBEDDED_WEIGHTS.stat().st_size < 6_500_000

    def test_loads_the_backbone_of_a_checkpoint(self, spec, fitted, tmp_path):
        from headstart.models import FineTuned, ScratchBackbone

        first = ScratchBackbone(spec, epochs=1)
        fitted(first).save_checkpoint(tmp_path / "first.ckpt", weights_only=True)
        second = FineTuned(spec, backbone={"weights": str(tmp_path / "first.ckpt")}, epochs=1)
        starts = []
        fitted(second, on_start=lambda m: starts.append({k: v.clone() for k, v in m.backbone.state_dict().items()}))
        assert all(torch.equal(v, first.backbone.state_dict()[k]) for k, v in starts[0].items())
        assert second.pixel_mean.flatten().tolist() == first.pixel_mean.flatten().tolist()
        assert second.pixel_std.flatten().tolist() == first.pixel_std.flatten().tolist()

    def test_rejects_weights_that_are_not_finite(self, tmp_path):
        tensors = build_backbone(SMALL).state_dict()
        torch.save({**tensors, "conv1.0.weight": tensors["conv1.0.weight"] * float("nan")}, tmp_path / "broken.pth")
        with pytest.raises(HeadstartError, match=r"conv1\.0\.weight holds NaN or infinity"):
            load_weights(build_backbone(SMALL), settings(tmp_path / "broken.pth"))


class TestResolveBackbone:
    def test_rejects_missing_files(self, tmp_path):
        with pytest.raises(HeadstartError, match="there is no such file"):
            settings(tmp_path / "nowhere.safetensors")

    def test_rejects_files_without_tensors(self, tmp_path):
        (tmp_path / "text.safetensors").write_text("these are no weights")
        with pytest.raises(HeadstartError, match=r"no \.safetensors file"):
            settings(tmp_path / "text.safetensors")

    def test_rejects_other_names_for_embedded_weights(self):
        with pytest.raises(HeadstartError, match="the embedded weights are those of"):
            resolve_backbone({"name": "resnet50"})

    def test_hub_is_resnet18_by_default(self):
        assert resolve_backbone({"weights": "hub"})["name"] == "resnet18"
        assert resolve_backbone({"weights": "hub", "name": "resnet34"})["name"] == "resnet34"

    def test_architecture_has_no_weights(self):
        assert set(resolve_architecture(None)) == {"name", "options"}
        assert resolve_architecture({"weights": "none"}) == resolve_architecture(None)

    def test_named_network_is_not_the_embedded_one(self):
        named = {"name": "resnet18", "weights": "none"}
        assert resolve_backbone(named)["options"] == {} and not is_embedded_architecture(named)
        assert is_embedded_architecture({"name": None, "weights": "none"})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"mean": [0.5]},
            {"mean": 0.5},
            {"std": [0.5, 0.5, 0.0]},
            {"std": ["a", "b", "c"]},
            {"mean": [123.7, 116.3, 103.5]},
        ],
    )
    def test_rejects_other_normalizations(self, wrong):
        with pytest.raises(HeadstartError, match=r"give three numbers for pixels in \[0, 1\]"):
            resolve_backbone(wrong)


class TestFeatureWidth:
    @pytest.mark.parametrize("name", ["mobilenetv3_small_050", "resnet10t", "lcnet_035"])
    def test_equals_the_networks_output(self, name):
        resolved = {"name": name, "options": {}, "weights": "none"}
        network = build_backbone(resolved).eval()
        with torch.no_grad():
            assert feature_width(network, resolved, (40, 40)) == network(torch.zeros(1, 3, 40, 40)).shape[1]

    def test_rejects_image_sizes_with_a_hint(self):
        resolved = {"name": "vit_tiny_patch16_224", "options": {}, "weights": "none"}
        with pytest.raises(HeadstartError, match=r"32×32 pixels .*backbone\.options\.img_size=32"):
            feature_width(build_backbone(resolved), resolved, (32, 32))

    def test_rejects_features_that_are_no_row(self):
        resolved = {"name": "resnet10t", "options": {"global_pool": ""}, "weights": "none"}
        with pytest.raises(HeadstartError, match=r"global_pool=avg"):
            feature_width(build_backbone(resolved), resolved, (32, 32))


class TestWeightsSha256:
    def test_depends_on_content_and_not_on_path(self, weight_file, tmp_path):
        copy = tmp_path / "elsewhere.safetensors"
        copy.write_bytes(weight_file.read_bytes())
        assert weights_sha256(settings(weight_file)) == weights_sha256(settings(copy))
        assert weights_sha256(SMALL) == "none"

    def test_changes_with_a_replaced_file(self, weight_file):
        import os

        from safetensors.torch import load_file

        before, stat = weights_sha256(settings(weight_file)), weight_file.stat()
        tensors = {k: v + 1 for k, v in load_file(weight_file).items()}
        other = weight_file.with_name("other.safetensors")
        save_file(tensors, other, metadata={"headstart": '{"name": "resnet10t", "options": {}, "mean": [1, 1, 1]}'})
        os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        other.replace(weight_file)
        assert weights_sha256(settings(weight_file)) != before
        assert read_backbone_header(weight_file)["mean"] == [1, 1, 1]
