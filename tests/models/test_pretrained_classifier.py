"""Frozen and fine-tuned: one network, one start, two ways to go on."""

import hashlib

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.errors import HeadstartError
from headstart.models import FineTuned, Frozen, PartialTransfer


def digests(backbone):
    return {k: hashlib.sha256(v.numpy().tobytes()).hexdigest() for k, v in backbone.state_dict().items()}


def test_a_frozen_backbone_keeps_every_bit_of_parameters_and_buffers(spec, fitted):
    model = Frozen(spec, epochs=3)
    model.setup("predict")
    before = None

    def remember(m):
        nonlocal before
        before = digests(m.backbone)

    fitted(model, on_start=remember)
    assert before == digests(model.backbone)
    assert model.head.weight.abs().sum() > 0


def test_fine_tuning_changes_every_parameter_of_the_backbone(spec, fitted):
    model = FineTuned(spec, epochs=3)
    before = {}
    fitted(model, on_start=lambda m: before.update(digests(m.backbone)))
    after = digests(model.backbone)
    names = {name for name, _ in model.backbone.named_parameters()}
    assert all(before[name] != after[name] for name in names)


def test_both_start_from_the_same_network_and_weights(spec, fitted):
    starts = []
    for model in (Frozen(spec, epochs=1), FineTuned(spec, epochs=1)):
        fitted(model, on_start=lambda m: starts.append({**digests(m.backbone), **digests(m.head)}))
    assert starts[0] == starts[1]


def test_a_frozen_backbone_stays_in_eval_mode_through_train(spec):
    model = Frozen(spec).train()
    assert model.training and not any(m.training for m in model.backbone.modules())


@pytest.mark.parametrize(("mode", "training"), [("fixed", False), ("batch", True)])
def test_batch_norms_mode_is_the_one_that_was_asked_for(spec, mode, training):
    model = FineTuned(spec, batch_norm=mode).train()
    norms = [m for m in model.backbone.modules() if isinstance(m, _BatchNorm)]
    assert norms and all(m.training is training for m in norms)


def test_an_unknown_batch_norm_mode_is_named(spec):
    with pytest.raises(HeadstartError, match=r"model\.batch_norm=maybe"):
        FineTuned(spec, batch_norm="maybe")


@pytest.mark.parametrize("cls", [Frozen, FineTuned, PartialTransfer])
def test_the_constructor_reads_no_weights(spec, cls):
    cls(spec, backbone={"name": "resnet10t", "weights": "hub"})  # there is no hub


def test_a_new_head_thinks_every_class_equally_likely(spec):
    model = FineTuned(spec).eval()
    assert torch.equal(model(torch.zeros(2, *spec.shape, dtype=torch.uint8)), torch.zeros(2, spec.num_classes))


@pytest.mark.parametrize("rate", [-1, 0, "fast", True, float("nan"), float("inf")])
def test_a_learning_rate_that_is_none_is_named_as_it_was_typed(spec, rate):
    with pytest.raises(HeadstartError, match=rf"model\.head_lr={rate}: give a number above 0"):
        Frozen(spec, head_lr=rate)


def test_what_suits_a_backbone_is_its_default(spec):
    embedded, other = FineTuned(spec), FineTuned(spec, backbone={"name": "resnet10t", "weights": "none"})
    assert (embedded.batch_norm, embedded.backbone_lr) == ("batch", 1e-3)
    assert (other.batch_norm, other.backbone_lr) == ("fixed", 1e-4)
    assert {group["lr"] for group in other.parameter_groups()} == {1e-4, other.lr}


def test_a_second_fit_goes_on_from_where_the_first_ended(spec, fitted):
    model = FineTuned(spec, epochs=1)
    fitted(model)
    ended = digests(model.backbone)
    fitted(model, on_start=lambda m: ended == digests(m.backbone) or pytest.fail("the start was loaded again"))
