"""What an exported backbone says of itself, and of what it came from."""

import pytest
import torch

from headstart.backbones import model_card, resolve
from headstart.errors import HeadstartError


def test_an_exported_backbone_builds_and_loads_by_its_file_alone(spec, fitted, tmp_path):
    from headstart.models import FineTuned

    model = FineTuned(spec, epochs=1)
    fitted(model).save_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
    out = model_card.export_backbone(tmp_path / "kept.ckpt", tmp_path / "mine.safetensors", terms="mine")
    resolved = resolve.resolve_backbone({"weights": str(out)})
    assert resolved["name"] == model.architecture["name"] and resolved["mean"] == pytest.approx(
        model.backbone_settings["mean"]
    )
    network = resolve.build_backbone(resolved)
    resolve.load_weights(network, resolved)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, model.backbone.state_dict()[name], rtol=1e-3, atol=1e-3)
    assert out.stat().st_mode == (tmp_path / "kept.ckpt").stat().st_mode  # what the umask gives, not 0600
    assert model_card.read_model_card(out)["terms"] == "mine" and model_card.read_model_card(out)["seen"] == list(
        spec.classes
    )


def test_a_model_without_a_backbone_has_none_to_export(spec, fitted, tmp_path):
    from headstart.models import ScratchCNN

    fitted(ScratchCNN(spec, epochs=1)).save_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
    with pytest.raises(HeadstartError, match="no backbone"):
        model_card.export_backbone(tmp_path / "kept.ckpt", tmp_path / "mine.safetensors")


def test_a_card_tells_what_the_weights_it_started_from_had_seen(image_folder, command):
    done = command("model=finetune", "data=folder", f"data.root={image_folder()}", "data.image_size=16",
                   "model.epochs=1", "hydra.run.dir=run")  # fmt: skip
    out = model_card.export_backbone(done.folder / "run", done.folder / "mine.safetensors")
    start = model_card.read_model_card(out)["starts"]["backbone"]
    assert start["weights"] == "embedded" and start["sha256"] == resolve.weights_sha256(resolve.resolve_backbone(None))
    assert len(start["card"]["seen"]) == 199 and model_card.read_model_card(out)["seen"] == ["class0", "class1"]
