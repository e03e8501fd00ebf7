"""Learns a kernel by backpropagation."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.understand.claims import ClaimVerdict
from headstart.understand.convolution.sliding_sum import convolve
from headstart.understand.decision import decide_by

LEARNED_TOLERANCE = 1e-3  # of each weight of a learned kernel


@dataclass(frozen=True)
class KernelTraining:
    """A kernel during training.

    Args:
        steps: at which the kernel was recorded, from 0.
        kernels: at these steps, float32 (S, kernel height, kernel width).
        errors: largest difference of a weight from the target's at these steps.

    Example:
        >>> learn_kernel(sample_noise_images(), torch.tensor(SOBEL)).errors[-1] < LEARNED_TOLERANCE
        True
    """

    steps: list[int]
    kernels: Tensor
    errors: list[float]


def sample_noise_images(count: int = 8, size: int = 16, seed: int = 0) -> Tensor:
    """Images of independent normal pixels, float32 (count, 1, size, size)."""
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def learn_kernel(images: Tensor, target: Tensor, steps: int = 200, lr: float = 0.1, seed: int = 0) -> KernelTraining:
    """Gradient descent on the squared error between a kernel's output and the target kernel's, from random weights.

    Args:
        images: float32 (N, 1, H, W).
        target: the kernel to learn, float32 (kernel height, kernel width). Only its output is used.
        steps: of gradient descent.
        lr: learning rate.
        seed: of the first weights.
    """
    target_output = convolve(images, target[None, None])
    kernel = torch.randn(target.shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    # Powers of two show the fast start as well as the end.
    recorded_steps = sorted({0, steps} | {2**n for n in range(steps.bit_length()) if 2**n < steps})
    kernels = []
    for step in range(steps + 1):
        if step in recorded_steps:
            kernels.append(kernel.detach().clone())
        loss = F.mse_loss(F.conv2d(images, kernel[None, None]), target_output)
        (gradient,) = torch.autograd.grad(loss, kernel)
        kernel = (kernel - lr * gradient).detach().requires_grad_()
    errors = [float((recorded - target).abs().max()) for recorded in kernels]
    return KernelTraining(recorded_steps, torch.stack(kernels), errors)


def learned_kernel_verdict(training: KernelTraining, control: KernelTraining) -> ClaimVerdict:
    """Holds if the kernel was far from its target at first and reached it, and the control did not.

    Depends if the control, without information in its images, reached it too; otherwise fails.
    """
    return decide_by(
        holds=control.errors[-1] >= LEARNED_TOLERANCE,
        fails=training.errors[-1] >= LEARNED_TOLERANCE or training.errors[0] < LEARNED_TOLERANCE,
    )
