"""A loaded model is looked at and stays as it is: modes, statistics, predictions."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.modules.batchnorm import _BatchNorm

from headstart.image_spec import ImageSpec
from headstart.models import FineTuned, Frozen, PartialTransfer, ScratchCNN

SPEC = ImageSpec((3, 16, 16), ("ant", "bee"), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), True, 5)
TINY = {"name": "resnet10t", "options": {"channels": [4, 4, 8, 8], "stem_width": 4, "stem_type": ""}, "weights": "none"}
IMAGES = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def loaded(cls, **settings_):
    """A model as ``headstart.load`` gives it: in eval mode, with a head that tells images apart."""
    torch.manual_seed(0)
    model = cls(SPEC, **settings_)
    if hasattr(model, "head"):
        torch.nn.init.normal_(model.head.weight)
    return model.eval()


def round_trip(network):
    """What exporters and profilers do."""
    mode = network.training
    network.eval()
    network.train(mode)


def look_while_training(model):
    network = model.train().network
    model.eval()
    round_trip(network)


# Of any model: each leaves it in eval mode.
LOOKS = {
    "a round trip of the network": lambda model: round_trip(model.network),
    "a round trip of the backbone": lambda model: round_trip(model.backbone),
    "a network made in train mode": look_while_training,
    "a copy in train mode": lambda model: copy.deepcopy(model).train()(IMAGES),
    "a pickle in train mode": lambda model: pickle.loads(pickle.dumps(model)).train()(IMAGES),
    "a copy of the network": lambda model: copy.deepcopy(model.network).train()(model.normalize(IMAGES / 255)),
    "a copy in half precision": lambda model: copy.deepcopy(model).half().predict(IMAGES),
    "a prediction in train mode": lambda model: (model.train().predict(IMAGES), model.eval()),
    "a gradient": lambda model: (model(IMAGES).sum().backward(), model.zero_grad(), copy.deepcopy(model)),
}
# Of a frozen backbone: whoever asks for train mode, it stays in eval mode.
CALLS = {
    "train of the model": lambda model: model.train(),
    "train of the network": lambda model: model.network.train(),
    "train of the backbone": lambda model: model.backbone.train(),
    "train of each module": lambda model: [module.train() for module in model.modules()],
    "eval of the backbone": lambda model: model.backbone.eval(),
    "a forward pass": lambda model: model(IMAGES),
    "gradients for all": lambda model: model.requires_grad_(True),
    "another memory format": lambda model: model.to(memory_format=torch.channels_last),
}


def assert_unchanged(model, state, probabilities):
    after = model.state_dict()
    assert list(after) == list(state)
    assert all(torch.equal(after[name], tensor) for name, tensor in state.items())
    assert torch.equal(model.predict(IMAGES).probabilities, probabilities)


def remember(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}, model.predict(IMAGES).probabilities


class TestLooks:
    MODELS = (
        loaded(Frozen, backbone=TINY),
        loaded(FineTuned, backbone=TINY, batch_norm="batch"),
        loaded(FineTuned, backbone=TINY, batch_norm="fixed"),
        loaded(PartialTransfer, backbone=TINY, num_stages=2),
    )

    @settings(max_examples=10)
    @given(st.sampled_from(MODELS), st.lists(st.sampled_from(sorted(LOOKS)), min_size=1, max_size=3))
    def test_leave_every_bit_of_a_model(self, model, looks):
        before = remember(model)
        for name in looks:
            LOOKS[name](model)
            assert not any(module.training for module in model.modules()) and not model.network.training
            model.network(model.normalize(IMAGES / 255))
        assert_unchanged(model, *before)

    @settings(max_examples=10)
    @given(st.lists(st.sampled_from(sorted(CALLS)), min_size=1, max_size=5))
    def test_leave_a_frozen_backbone_in_eval_mode(self, calls):
        model = self.MODELS[0].eval().requires_grad_(False)
        before = remember(model)
        for name in [*calls, "a forward pass"]:
            CALLS[name](model)
            assert not any(module.training for module in model.backbone.modules())
        assert_unchanged(model, *before)


class TestModes:
    def test_network_has_the_mode_of_its_model(self):
        for cls in (Frozen, FineTuned, ScratchCNN):
            model = loaded(cls)
            assert not model.network.training
            assert model.train().network.training

    @pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
    def test_copies_are_locked_on_their_own(self, twin):
        model = loaded(Frozen, backbone=TINY)
        other = twin(model)
        assert other.backbone.train() is other.backbone and other.backbone is not model.backbone
        assert not any(module.training for module in other.backbone.modules())

    def test_fixed_statistics_stay_whoever_calls_train(self):
        model = loaded(FineTuned, backbone=TINY, batch_norm="fixed")
        before, _ = remember(model)
        for module in model.network.train().modules():
            module.train()
        model(IMAGES)
        norms = [module for module in model.backbone.modules() if isinstance(module, _BatchNorm)]
        assert norms and not any(module.training for module in norms)
        assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in before.items())

    def test_predict_restores_the_mode_of_each_module(self):
        model = loaded(FineTuned, backbone=TINY, batch_norm="batch")
        model.backbone.layer1.train()
        modes = [module.training for module in model.modules()]
        model.predict(IMAGES)
        assert [module.training for module in model.modules()] == modes

    @pytest.mark.parametrize("convert", ["half", "bfloat16", "double"])
    @pytest.mark.parametrize("cls", [ScratchCNN, Frozen, FineTuned])
    def test_a_converted_model_predicts_float32(self, cls, convert):
        model = loaded(cls)
        expected = model.predict(IMAGES).probabilities
        said = getattr(model, convert)().predict(IMAGES).probabilities
        assert said.dtype == torch.float32
        torch.testing.assert_close(said, expected, atol=0.05, rtol=0)
