import torch

from headstart.understand.subject import Subject, copied


def test_a_copy_to_measure_on_has_no_hooks_and_takes_gradients_and_the_original_keeps_its_own(lesson):
    network = lesson().train().requires_grad_(False)
    network.conv1.register_forward_hook(lambda *_: 1 / 0)
    network.conv2.register_forward_pre_hook(lambda *_: 1 / 0)
    network.fc1.register_full_backward_hook(lambda *_: 1 / 0)
    copy = copied(network)
    copy(torch.zeros(1, 1, 28, 28)).sum().backward()
    assert copy.conv1.weight.grad is not None and not copy.training
    assert network.training and not network.conv1.weight.requires_grad
    assert len(network.conv1._forward_hooks) == len(network.conv2._forward_pre_hooks) == 1


def test_any_network_and_images_are_a_subject_and_the_network_stays_as_it_was(lesson):
    network = lesson().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randn(5, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    subject = Subject.of(network, images, torch.tensor([0, 1, 2, 3, 0]))
    assert subject.network is network and network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not torch.equal(subject.random.conv1.weight, network.conv1.weight)
    assert subject.classes == ("0", "1", "2", "3")
    assert subject.pictures.dtype == torch.uint8 and subject.pictures.amax() == 255 and subject.pictures.amin() == 0


def test_the_untrained_twin_is_the_same_each_time_and_leaves_the_random_stream_alone(lesson):
    network, images = lesson(), torch.zeros(2, 1, 28, 28)
    torch.manual_seed(5)
    once, drawn = Subject.of(network, images).random, torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), drawn)
    assert torch.equal(once.conv1.weight, Subject.of(network, images).random.conv1.weight)
