"""A kernel that is found by backpropagation instead of being written down."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart.understand.claims import ClaimVerdict
from headstart.understand.convolution.sliding_sum import convolve

LEARNED_TOLERANCE = 1e-3  # the largest error of a weight at which a kernel counts as learned


@dataclass(frozen=True)
class KernelTraining:
    """A kernel's way from random weights to its goal.

    Args:
        steps: at which the kernel was looked at, from 0.
        kernels: float32 (len(steps), kernel height, kernel width), as it was then.
        errors: the largest difference of any weight from the goal's, at each of those steps.
    """

    steps: list[int]
    kernels: Tensor
    errors: list[float]


def sample_noise_images(count: int = 8, size: int = 16, seed: int = 0) -> Tensor:
    """Pictures in which each pixel is a random number of its own, float32 (count, 1, size, size)."""
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def learn_kernel(images: Tensor, target: Tensor, steps: int = 200, lr: float = 0.1, seed: int = 0) -> KernelTraining:
    """Gradient descent on the squared error between a kernel's output and that of ``goal``, from random weights.

    The learner never sees the goal's weights, only what the goal makes of the images.

    Args:
        images: float32 (N, 1, H, W).
        goal: float32 (kernel height, kernel width).
    """
    wanted = convolve(images, target[None, None])
    kernel = torch.randn(target.shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    # Doubling, so that the fast beginning is seen as well as the end.
    looks = sorted({0, steps} | {2**n for n in range(steps.bit_length()) if 2**n < steps})
    kept = []
    for step in range(steps + 1):
        if step in looks:
            kept.append(kernel.detach().clone())
        loss = F.mse_loss(F.conv2d(images, kernel[None, None]), wanted)
        (slope,) = torch.autograd.grad(loss, kernel)
        kernel = (kernel - lr * slope).detach().requires_grad_()
    return KernelTraining(looks, torch.stack(kept), [float((k - target).abs().max()) for k in kept])


def learned_kernel_verdict(training: KernelTraining, control: KernelTraining) -> ClaimVerdict:
    """Holds where the kernel began far from its goal and reached it, and the control did not.

    Depends where the control reached it too, so that it was not the images that taught it; else fails.
    """
    if training.errors[-1] >= LEARNED_TOLERANCE or training.errors[0] < LEARNED_TOLERANCE:
        return "fails"
    return "depends" if control.errors[-1] < LEARNED_TOLERANCE else "holds"
