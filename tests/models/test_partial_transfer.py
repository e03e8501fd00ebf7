"""The first stages from pretraining, the rest from random weights."""

import pytest
import torch

from headstart.errors import HeadstartError
from headstart.models import FineTuned, PartialTransfer, ScratchBackbone

STEM = "conv1", "bn1"  # what stands before act1, where the first stage ends


def started(spec, fitted, **how):
    """The model after a fit, and its backbone's tensors before the first step."""
    torch.manual_seed(0)
    model, before = PartialTransfer(spec, epochs=2, **how), {}
    fitted(model, on_start=lambda m: before.update({k: v.clone() for k, v in m.backbone.state_dict().items()}))
    return model, before


def changed(model, before):
    return {k for k, v in model.backbone.state_dict().items() if not torch.equal(v, before[k])}


class TestStart:
    def test_only_transferred_stages_are_pretrained(self, spec, fitted):
        _, before = started(spec, fitted, num_stages=1)
        pretrained = {}
        fitted(
            FineTuned(spec, epochs=1),
            on_start=lambda m: pretrained.update({k: v.clone() for k, v in m.backbone.state_dict().items()}),
        )
        torch.manual_seed(0)
        random = PartialTransfer(spec, num_stages=1).backbone.state_dict()
        for name, tensor in before.items():
            assert torch.equal(tensor, (pretrained if name.startswith(STEM) else random)[name]), name

    def test_all_modes_are_equal_with_no_stages(self, spec, fitted):
        ended = [started(spec, fitted, num_stages=0, mode=how)[0] for how in ("frozen", "finetuned", "random_frozen")]
        torch.manual_seed(0)
        scratch = ScratchBackbone(spec)
        for model in ended:
            assert all(torch.equal(a, b) for a, b in zip(ended[0].parameters(), model.parameters(), strict=True))
            assert sum(p.requires_grad for p in model.parameters()) == len(list(scratch.parameters()))

    def test_loads_from_its_checkpoint(self, spec, fitted, tmp_path):
        model, _ = started(spec, fitted, num_stages=2, mode="finetuned")
        model.trainer.save_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
        again = PartialTransfer.load_from_checkpoint(tmp_path / "kept.ckpt")
        assert (again.mode, again.transferred_module_names) == ("finetuned", model.transferred_module_names)
        assert torch.equal(again.backbone.conv1[0].weight, model.backbone.conv1[0].weight)


class TestFrozen:
    def test_only_the_other_stages_change(self, spec, fitted):
        model, before = started(spec, fitted, num_stages=2)
        still = set(before) - changed(model, before)
        assert still == {k for k in before if k.startswith((*STEM, "maxpool", "layer1"))}

    def test_only_the_head_trains_with_all_stages(self, spec):
        model = PartialTransfer(spec, num_stages=5).train()
        assert [name for name, p in model.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]
        assert not any(module.training for module in model.backbone.modules())

    def test_only_transferred_stages_stay_in_eval_mode(self, spec):
        backbone = PartialTransfer(spec, num_stages=2).train().backbone
        assert not any(m.training for part in (backbone.conv1, backbone.layer1) for m in part.modules())
        assert all(m.training for m in backbone.layer2.modules())


class TestFineTuned:
    def test_transferred_stages_have_the_smaller_rate(self, spec, fitted):
        model, before = started(spec, fitted, num_stages=2, mode="finetuned")
        assert changed(model, before) == set(before)
        rates = {id(p): group["lr"] for group in model.parameter_groups() for p in group["params"]}
        assert set(rates) == {id(p) for p in model.parameters()}
        assert rates[id(model.backbone.layer1[0].conv1.weight)] == 1e-3
        assert rates[id(model.backbone.layer2[0].conv1.weight)] == rates[id(model.head.weight)] == 2e-3


class TestRandomFrozen:
    def test_stages_get_only_the_images_statistics(self, spec, fitted, loader):
        model, before = started(spec, fitted, num_stages=1, mode="random_frozen")
        parameters = {name for name, _ in model.backbone.named_parameters()}
        assert parameters - changed(model, before) == {k for k in parameters if k.startswith(STEM)}
        torch.manual_seed(0)
        assert torch.equal(PartialTransfer(spec).backbone.conv1[0].weight, model.backbone.conv1[0].weight)
        images = torch.cat([images for images, _ in loader]).float() / 255
        first = model.backbone.conv1[0](model.normalize(images))
        torch.testing.assert_close(
            model.backbone.conv1[1].running_mean, first.mean(dim=(0, 2, 3)), rtol=1e-3, atol=1e-4
        )

    def test_statistics_are_computed_once(self, spec, fitted):
        model, _ = started(spec, fitted, num_stages=1, mode="random_frozen")
        model.backbone.conv1[1].running_mean.fill_(7)
        fitted(model)
        assert model.backbone.conv1[1].running_mean.eq(7).all()


class TestSettings:
    @pytest.mark.parametrize("kept", [-1, 6, True, "two"])
    def test_rejects_other_numbers_of_stages(self, spec, kept):
        with pytest.raises(
            HeadstartError, match=rf"model\.num_stages={kept}: resnet18 has 5 stages .*layer4\); give 0 to 5"
        ):
            PartialTransfer(spec, num_stages=kept)

    def test_rejects_other_modes(self, spec):
        with pytest.raises(HeadstartError, match=r"model\.mode=thawed: give frozen, finetuned or random_frozen"):
            PartialTransfer(spec, mode="thawed")
