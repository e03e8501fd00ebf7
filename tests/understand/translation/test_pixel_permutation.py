import torch

from headstart.understand.translation.pixel_permutation import (
    PermutationResult,
    permutation_verdict,
    permute_pixels,
    run_permutation_test,
    shift_randomly,
)


def patterned(count=120):
    """Stripes along one axis or the other on a patch that lies anywhere."""
    images = 0.3 * torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(count) % 2
    stripes = (torch.arange(6) % 2).float().expand(6, 6) * 3
    for image, label in zip(images, labels.tolist(), strict=True):
        image[0, 5:11, 5:11] += stripes if label else stripes.T
    return images, labels


def answers(share):
    return (torch.arange(200) % 100 < 100 * share).expand(2, -1)


def verdict(cnn, cnn_permuted, mlp, mlp_permuted):
    return permutation_verdict(PermutationResult(0.1, *map(answers, (cnn, cnn_permuted, mlp, mlp_permuted))))


class TestPermutePixels:
    def test_keeps_channels_and_one_order_for_all(self):
        images = torch.arange(16.0).view(1, 1, 4, 4).expand(2, 3, -1, -1)
        mixed = permute_pixels(images)
        assert not torch.equal(mixed, images) and torch.equal(mixed[0].flatten(1).sort()[0], images[0].flatten(1))
        assert torch.equal(mixed[0], mixed[1]) and torch.equal(mixed[:, 0], mixed[:, 2])

    def test_separates_neighbors_along_both_axes(self):
        rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
        came_from = permute_pixels(torch.stack([rows, columns])[None])[0]
        down, across = (came_from.diff(dim=axis).norm(dim=0).mean() for axis in (1, 2))
        assert min(down, across) > 7  # two places drawn by lot lie 8.3 apart


class TestShiftRandomly:
    def test_draws_a_shift_for_each_image(self):
        images = torch.zeros(20, 1, 9, 9)
        images[..., 4, 4] = 1
        places = {tuple(image.nonzero()[0].tolist()) for image in shift_randomly(images, 3)[:, 0]}
        assert len(places) > 8 and torch.equal(shift_randomly(images, 0), images)


class TestRunPermutationTest:
    def test_costs_the_convolutional_network_alone(self):
        images, labels = patterned()
        threads, state = torch.get_num_threads(), torch.get_rng_state()
        found = run_permutation_test(images, labels, distance=4, repeats=1)
        assert permutation_verdict(found) == "holds"
        assert found.mean_accuracy_loss("cnn").value > 0.1 > found.mean_accuracy_loss("mlp").value
        assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


class TestPermutationVerdict:
    def test_fails_if_the_fully_connected_network_loses(self):
        assert verdict(0.9, 0.5, 0.7, 0.7) == "holds"
        assert verdict(0.9, 0.9, 0.7, 0.7) == "depends"
        assert verdict(0.9, 0.9, 0.8, 0.4) == "fails"
        assert verdict(0.9, 0.4, 0.8, 0.3) == "fails"
        assert verdict(0.1, 0.1, 0.7, 0.7) == "not measured"
