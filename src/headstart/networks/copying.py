"""Copies of a network to measure on: without hooks, and with random weights."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from headstart.errors import HeadstartError, first_line
from headstart.seeding import derive_key

HOOK_ATTRIBUTES = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)


def build_untrained_copy(network: nn.Module) -> nn.Module:
    """A copy with random weights from each layer's own ``reset_parameters``.

    Parameters that no such method resets (class tokens, layer scales) are drawn from a normal distribution with the
    root mean square of their trained values; one-dimensional biases become 0, one-dimensional scales 1.

    Raises:
        HeadstartError: as ``clone_network``.
    """
    copy = clone_network(network)
    trained = {
        name: (parameter, parameter._version, parameter.detach().clone()) for name, parameter in copy.named_parameters()
    }
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(derive_key(0, "untrained"))  # a stream that no run's seed starts
        for module in copy.modules():
            if callable(reset := getattr(module, "reset_parameters", None)):
                reset()
        for name, parameter in copy.named_parameters():
            before, version, values = trained[name]
            if parameter is before and parameter._version == version and torch.equal(parameter, values):
                _reinitialize_parameter(parameter, name)
    return copy


def _reinitialize_parameter(parameter: nn.Parameter, name: str) -> None:
    if parameter.ndim > 1:
        parameter.normal_(std=float(parameter.square().mean().sqrt()))
    else:
        parameter.fill_(0.0 if name.endswith(("bias", "beta")) else 1.0)


def clone_network(network: nn.Module) -> nn.Module:
    """A copy in eval mode, without hooks, all parameters requiring gradients; the original is not changed.

    The hooks of torch's weight and spectral normalization compute weights, so they are kept.

    Raises:
        HeadstartError: a part of the network cannot be copied or is TorchScript.
    """
    name = type(network).__name__
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        raise HeadstartError(f"{name} holds TorchScript, which cannot be measured: give the modules it was made of")
    tensors = (
        value
        for module in network.modules()
        for value in (*vars(module).values(), *module._buffers.values())
        if isinstance(value, Tensor)
    )
    # deepcopy refuses tensors with a gradient history, such as a normalized weight: copy their values.
    memo = {id(tensor): tensor.detach().clone() for tensor in tensors if tensor.grad_fn is not None}
    try:
        copy = deepcopy(network, memo).eval().requires_grad_(True)
    except Exception as error:
        raise HeadstartError(f"{name} cannot be copied to be measured: {first_line(error)}") from error
    for module in copy.modules():
        weight_hooks = {
            key: hook for key, hook in module._forward_pre_hooks.items() if isinstance(hook, WeightNorm | SpectralNorm)
        }
        for attribute in HOOK_ATTRIBUTES:
            getattr(module, attribute).clear()
        module._forward_pre_hooks.update(weight_hooks)
    return copy
