import threading

import pytest
import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.subject import Subject, build_untrained_copy, clone_network


def test_a_copy_to_measure_on_has_no_hooks_and_takes_gradients_and_the_original_keeps_its_own(lesson):
    network = lesson().train().requires_grad_(False)
    network.conv1.register_forward_hook(lambda *_: 1 / 0)
    network.conv2.register_forward_pre_hook(lambda *_: 1 / 0)
    network.fc1.register_full_backward_hook(lambda *_: 1 / 0)
    copy = clone_network(network)
    copy(torch.zeros(1, 1, 28, 28)).sum().backward()
    assert copy.conv1.weight.grad is not None and not copy.training
    assert network.training and not network.conv1.weight.requires_grad
    assert len(network.conv1._forward_hooks) == len(network.conv2._forward_pre_hooks) == 1


def test_any_network_and_images_are_a_subject_and_the_network_stays_as_it_was(lesson):
    network = lesson().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randn(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    subject = Subject.from_network(network, images, torch.tensor([0, 1, 2, 3, 0]))
    assert subject.network is network and network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not torch.equal(subject.random_network.conv1.weight, network.conv1.weight)
    assert subject.classes == ("0", "1", "2", "3")
    assert subject.pictures.dtype == torch.uint8 and subject.pictures.amax() == 255 and subject.pictures.amin() == 0


def test_the_untrained_twin_is_the_same_each_time_and_leaves_the_random_stream_alone(lesson):
    network, images = lesson(), torch.zeros(2, 1, 28, 28)
    torch.manual_seed(5)
    once, drawn = Subject.from_network(network, images).random_network, torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    assert torch.equal(once.conv1.weight, Subject.from_network(network, images).random_network.conv1.weight)


def test_a_copy_has_no_hook_of_any_kind(lesson):
    network = lesson()
    network.conv1.register_forward_hook(lambda *_, **__: 1 / 0, with_kwargs=True, always_call=True)
    network.conv2.register_forward_pre_hook(lambda *_, **__: 1 / 0, with_kwargs=True)
    copy = clone_network(network)
    copy(torch.zeros(1, 1, 28, 28))
    assert not [key for module in copy.modules() for key, held in vars(module).items() if "forward" in key and held]


@pytest.mark.parametrize("normalised", [nn.utils.weight_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_network_of_normalised_weights_is_copied_as_it_computes(lesson, normalised):
    network, images = lesson(), torch.ones(2, 1, 28, 28)
    normalised(network.conv2)
    network.train()(images)
    before = clone_network(network)(images)
    with torch.no_grad():
        for weights in network.conv2.parameters():
            weights.mul_(2)
    after = clone_network(network)(images)
    assert torch.allclose(after, network.eval()(images)) and not torch.allclose(after, before)
    assert not torch.allclose(build_untrained_copy(network)(images), after)


class Token(nn.Module):
    """Holds parameters of its own, as transformers and ConvNeXts do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 8, stride=8)
        self.gamma = nn.Parameter(torch.full((8,), 3.0))
        self.bias = nn.Parameter(torch.full((8,), 5.0))
        self.place = nn.Parameter(torch.full((1, 8, 1, 1), 7.0))

    def forward(self, images):
        maps = self.conv(images) * self.gamma[:, None, None] + self.bias[:, None, None] + self.place
        return maps.mean((2, 3))


def test_an_untrained_twin_keeps_nothing_that_was_learned_outside_of_layers():
    network = Token()
    fresh = build_untrained_copy(network)
    assert fresh.gamma.tolist() == [1.0] * 8 and fresh.bias.tolist() == [0.0] * 8
    assert (fresh.place != 7).all() and 2 < fresh.place.square().mean().sqrt() < 14
    assert torch.equal(fresh.place, build_untrained_copy(network).place)
    assert (fresh.conv.weight != network.conv.weight).all() and (network.place == 7).all()


class Answers(nn.Module):
    """Gives what it was told to give."""

    def __init__(self, give):
        super().__init__()
        self.conv, self.give = nn.Conv2d(1, 3, 3), give

    def forward(self, images):
        return self.give(self.conv(images).mean((2, 3)))


def broken(network):
    with torch.no_grad():
        network.conv.bias[0] = float("nan")
    return network


def locked(network):
    network.lock = threading.Lock()
    return network


SAME = torch.Tensor.clone


@pytest.mark.parametrize(
    ("network", "images", "line"),
    [
        (Answers(lambda x: {"logits": x}), torch.zeros(2, 1, 8, 8), "Answers gives a dict; wrap it"),
        (Answers(lambda x: (x, x)), torch.zeros(2, 1, 8, 8), "Answers gives a tuple; wrap it"),
        (Answers(lambda x: x[:, :, None]), torch.zeros(2, 1, 8, 8), r"gives \(2, 3, 1\) of 2 images, not logits"),
        (Answers(lambda x: x / 0), torch.zeros(2, 1, 8, 8), "Answers gives NaN or infinity"),
        (broken(Answers(SAME)), torch.zeros(2, 1, 8, 8), "conv.bias: holds NaN or infinity"),
        (Answers(SAME), torch.full((2, 1, 8, 8), torch.inf), "the images: holds NaN or infinity"),
        (Answers(SAME).double(), torch.zeros(2, 1, 8, 8).double(), "the images: float64 is not measured"),
        (Answers(SAME).double(), torch.zeros(2, 1, 8, 8), "conv.weight: float64 is not measured"),
        (Answers(SAME), torch.zeros(2, 1, 8, 8, dtype=torch.uint8), "the images: uint8 is not measured"),
        (Answers(SAME), torch.zeros(2, 1, 8, 7), "images of 8×7 pixels are too small"),
        (Answers(SAME), torch.zeros(1, 8, 8), r"images of shape \(1, 8, 8\) are none"),
        (Answers(SAME), torch.zeros(2, 3, 8, 8), r"Answers does not take images of \(2, 3, 8, 8\)"),
        (locked(Answers(SAME)), torch.zeros(2, 1, 8, 8), "Answers cannot be copied to be measured"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(network, images, line):
    with pytest.raises(HeadstartError, match=line) as refused:
        Subject.from_network(network, images)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        (torch.zeros(3, dtype=torch.int64), r"labels of shape \(3,\), int64: give int64 \(2,\)"),
        (torch.zeros(2, 1, dtype=torch.int64), r"labels of shape \(2, 1\)"),
        (torch.zeros(2), r"labels of shape \(2,\), float32"),
        (torch.tensor([0, -1]), "labels from -1 to 0"),
        (torch.tensor([0, 9]), "labels from 0 to 9, but the network has 3 outputs"),
    ],
)
def test_labels_that_are_none_of_these_images_are_refused_in_one_line(labels, line):
    with pytest.raises(HeadstartError, match=line):
        Subject.from_network(Answers(SAME), torch.zeros(2, 1, 8, 8), labels)
