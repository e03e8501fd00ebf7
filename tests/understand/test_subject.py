import torch

from headstart.understand.subject import copied


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
