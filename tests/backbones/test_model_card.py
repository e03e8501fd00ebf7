"""What an exported backbone says of itself, and of what it came from."""

import pytest
import torch

from headstart.backbones.build import build_backbone
from headstart.backbones.export import export_backbone
from headstart.backbones.model_card import read_model_card
from headstart.backbones.provenance import weights_sha256
from headstart.backbones.resolve import resolve_backbone
from headstart.backbones.weights import load_weights
from headstart.errors import HeadstartError


class TestExportBackbone:
    def test_file_builds_and_loads_by_itself(self, spec, fitted, tmp_path):
        from headstart.models import FineTuned

        model = FineTuned(spec, epochs=1)
        fitted(model).save_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
        out = export_backbone(tmp_path / "kept.ckpt", tmp_path / "mine.safetensors", terms="mine")
        resolved = resolve_backbone({"weights": str(out)})
        assert resolved["name"] == model.architecture["name"] and resolved["mean"] == pytest.approx(
            model.backbone_settings["mean"]
        )
        network = build_backbone(resolved)
        load_weights(network, resolved)
        for name, tensor in network.state_dict().items():
            torch.testing.assert_close(tensor, model.backbone.state_dict()[name], rtol=1e-3, atol=1e-3)
        assert out.stat().st_mode == (tmp_path / "kept.ckpt").stat().st_mode  # what the umask gives, not 0600
        assert read_model_card(out)["terms"] == "mine" and read_model_card(out)["seen"] == list(spec.classes)

    def test_rejects_models_without_a_backbone(self, spec, fitted, tmp_path):
        from headstart.models import ScratchCNN

        fitted(ScratchCNN(spec, epochs=1)).save_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
        with pytest.raises(HeadstartError, match="no backbone"):
            export_backbone(tmp_path / "kept.ckpt", tmp_path / "mine.safetensors")


class TestModelCard:
    def test_has_the_card_of_the_starting_weights(self, image_folder, command):
        done = command("model=finetune", "data=folder", f"data.root={image_folder()}", "data.image_size=16",
                       "model.epochs=1", "hydra.run.dir=run")  # fmt: skip
        out = export_backbone(done.folder / "run", done.folder / "mine.safetensors")
        start = read_model_card(out)["starts"]["backbone"]
        assert start["weights"] == "embedded" and start["sha256"] == weights_sha256(resolve_backbone(None))
        assert len(start["card"]["seen"]) == 199 and read_model_card(out)["seen"] == ["class0", "class1"]
