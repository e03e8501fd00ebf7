"""Frozen and fine-tuned: one network, one start, two ways to go on."""

import hashlib

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.errors import HeadstartError
from headstart.models import FineTuned, Frozen, PartialTransfer


def digests(backbone):
    return {k: hashlib.sha256(v.numpy().tobytes()).hexdigest() for k, v in backbone.state_dict().items()}


class TestFrozen:
    def test_backbone_keeps_every_bit(self, spec, fitted):
        model = Frozen(spec, epochs=3)
        model.setup("predict")
        before = None

        def remember(m):
            nonlocal before
            before = digests(m.backbone)

        fitted(model, on_start=remember)
        assert before == digests(model.backbone)
        assert model.head.weight.abs().sum() > 0

    def test_backbone_stays_in_eval_mode(self, spec):
        model = Frozen(spec).train()
        assert model.training and not any(m.training for m in model.backbone.modules())


class TestFineTuned:
    def test_every_parameter_changes(self, spec, fitted):
        model = FineTuned(spec, epochs=3)
        before = {}
        fitted(model, on_start=lambda m: before.update(digests(m.backbone)))
        after = digests(model.backbone)
        names = {name for name, _ in model.backbone.named_parameters()}
        assert all(before[name] != after[name] for name in names)

    @pytest.mark.parametrize(("mode", "training"), [("fixed", False), ("batch", True)])
    def test_batch_norm_has_the_given_mode(self, spec, mode, training):
        model = FineTuned(spec, batch_norm=mode).train()
        norms = [m for m in model.backbone.modules() if isinstance(m, _BatchNorm)]
        assert norms and all(m.training is training for m in norms)

    def test_rejects_unknown_batch_norm_modes(self, spec):
        with pytest.raises(HeadstartError, match=r"model\.batch_norm=maybe"):
            FineTuned(spec, batch_norm="maybe")

    def test_defaults_depend_on_the_backbone(self, spec):
        embedded, other = FineTuned(spec), FineTuned(spec, backbone={"name": "resnet10t", "weights": "none"})
        assert (embedded.batch_norm, embedded.backbone_lr) == ("batch", 1e-3)
        assert (other.batch_norm, other.backbone_lr) == ("fixed", 1e-4)
        assert {group["lr"] for group in other.parameter_groups()} == {1e-4, other.lr}

    def test_second_fit_continues_the_first(self, spec, fitted):
        model = FineTuned(spec, epochs=1)
        fitted(model)
        ended = digests(model.backbone)
        fitted(model, on_start=lambda m: ended == digests(m.backbone) or pytest.fail("the start was loaded again"))


class TestStart:
    def test_is_equal_for_both_models(self, spec, fitted):
        starts = []
        for model in (Frozen(spec, epochs=1), FineTuned(spec, epochs=1)):
            fitted(model, on_start=lambda m: starts.append({**digests(m.backbone), **digests(m.head)}))
        assert starts[0] == starts[1]

    @pytest.mark.parametrize("cls", [Frozen, FineTuned, PartialTransfer])
    def test_constructor_reads_no_weights(self, spec, cls):
        cls(spec, backbone={"name": "resnet10t", "weights": "hub"})  # there is no hub

    def test_all_classes_are_equally_likely(self, spec):
        model = FineTuned(spec).eval()
        assert torch.equal(model(torch.zeros(2, *spec.shape, dtype=torch.uint8)), torch.zeros(2, spec.num_classes))

    @pytest.mark.parametrize("rate", [-1, 0, "fast", True, float("nan"), float("inf")])
    def test_rejects_wrong_learning_rates(self, spec, rate):
        with pytest.raises(HeadstartError, match=rf"model\.head_lr={rate}: give a number above 0"):
            Frozen(spec, head_lr=rate)
