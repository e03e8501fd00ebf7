import threading
from dataclasses import replace

import pytest
import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.subject import Subject


class Answers(nn.Module):
    """Returns what ``give`` makes of three logits."""

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


class TestFromNetwork:
    def test_takes_any_network_and_leaves_it_unchanged(self, lesson):
        network = lesson().train()
        before = {name: value.clone() for name, value in network.state_dict().items()}
        images = torch.randn(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        subject = Subject.from_network(network, images, torch.tensor([0, 1, 2, 3, 0]))
        assert subject.network is network and network.training
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
        assert not torch.equal(subject.random_network.conv1.weight, network.conv1.weight)
        assert subject.classes == ("0", "1", "2", "3")
        assert subject.pictures.dtype == torch.uint8 and subject.pictures.amax() == 255 and subject.pictures.amin() == 0

    def test_random_network_is_reproducible(self, lesson):
        network, images = lesson(), torch.zeros(2, 1, 28, 28)
        torch.manual_seed(5)
        once, drawn = Subject.from_network(network, images).random_network, torch.rand(1)
        torch.manual_seed(5)
        assert torch.equal(torch.rand(1), drawn)
        assert torch.equal(once.conv1.weight, Subject.from_network(network, images).random_network.conv1.weight)

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
    def test_refuses_what_cannot_be_measured(self, network, images, line):
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
    def test_refuses_labels_of_other_images(self, labels, line):
        with pytest.raises(HeadstartError, match=line):
            Subject.from_network(Answers(SAME), torch.zeros(2, 1, 8, 8), labels)


class TestHeldOutIndices:
    def test_are_evenly_spaced_among_images_not_trained_on(self, subject):
        assert subject.held_out_indices(3).tolist() == [30, 44, 59]
        assert subject.held_out_indices(100).tolist() == list(range(30, 60))

    def test_are_of_all_images_if_the_network_trained_on_all(self, subject):
        trained = replace(subject, train_mask=torch.ones(60, dtype=torch.bool))
        assert trained.held_out_indices(2).tolist() == [0, 59]
