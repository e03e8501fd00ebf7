import torch

from headstart.understand.convolution.learned_kernel import (
    KernelTraining,
    learn_kernel,
    learned_kernel_verdict,
    sample_noise_images,
)
from headstart.understand.convolution.sliding_sum import SOBEL

GOAL = torch.tensor(SOBEL)


class TestLearnKernel:
    def test_learns_sobel(self):
        way = learn_kernel(sample_noise_images(), GOAL)
        assert way.errors[0] > 1 and way.errors[-1] < 1e-3
        assert way.steps[0] == 0 and len(way.steps) == len(way.kernels) == len(way.errors)
        assert (way.kernels[-1] - GOAL).abs().max() < 1e-3

    def test_learns_nothing_from_uniform_images(self):
        assert (
            learn_kernel(sample_noise_images().mean(dim=(2, 3), keepdim=True).expand(-1, -1, 16, 16), GOAL).errors[-1]
            > 1
        )


def ended(*errors):
    return KernelTraining([0, 1], torch.zeros(2, 3, 3), list(errors))


class TestLearnedKernelVerdict:
    def test_needs_a_far_start_and_a_near_end(self):
        assert learned_kernel_verdict(ended(3, 1e-4), control=ended(3, 2)) == "holds"
        assert learned_kernel_verdict(ended(3, 1e-4), control=ended(3, 1e-4)) == "depends"
        assert learned_kernel_verdict(ended(3, 0.1), control=ended(3, 2)) == "fails"
        assert learned_kernel_verdict(ended(1e-5, 1e-5), control=ended(3, 2)) == "fails"
