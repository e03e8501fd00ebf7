"""How alike two sets of features are."""

import math

import pytest
import torch

from headstart.understand.transfer.cka import cka, cka_drop, cka_interval


def gaussian(seed, n=32, width=16):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def biased_cka(left, right):
    """Linear CKA with the usual, biased estimate of HSIC."""
    x, y = (features - features.mean(dim=0) for features in (left, right))
    return float((x.T @ y).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm()))


class TestCkaInterval:
    def test_covers_the_value_of_many_images(self):
        def pair(seed, n):
            common = gaussian(seed, n, 4)
            return torch.cat([common, gaussian(seed + 1, n, 4)], 1), torch.cat([common, gaussian(seed + 2, n, 4)], 1)

        truth = cka(*pair(9, 3000))
        intervals = [cka_interval(*pair(10 * i, 80)) for i in range(60)]
        assert sum(low <= truth <= high for _, low, high in intervals) >= 53
        assert all(math.isnan(end) for end in cka_interval(*pair(0, 39))[1:])


class TestCka:
    def test_is_1_for_equal_features(self):
        assert cka(gaussian(0), gaussian(0)) == pytest.approx(1, abs=1e-12)

    def test_is_invariant_to_rotation_scale_and_shift(self):
        left, right = gaussian(0), gaussian(0) @ gaussian(1, 16) + 0.5 * gaussian(2)
        turned, _ = torch.linalg.qr(gaussian(3, 16))
        assert cka(left, right) == pytest.approx(cka(left @ turned * 7 + 3, right), abs=1e-9)
        assert 0.2 < cka(left, right) < 1

    def test_is_unbiased_for_independent_features(self):
        draws = [(gaussian(2 * i), gaussian(2 * i + 1)) for i in range(200)]
        free = torch.tensor([cka(*pair) for pair in draws])
        usual = torch.tensor([biased_cka(*pair) for pair in draws])
        assert abs(free.mean()) < 3 * free.std() / len(draws) ** 0.5
        assert 0.2 < usual.mean() < 0.5 and usual.min() > 0.1

    def test_is_the_mean_over_distinct_images(self):
        """Song et al.'s estimate is a mean over all ordered fours of different images."""
        from itertools import permutations

        left, right = gaussian(0, 6, 2), gaussian(1, 6, 3)
        k, m = left @ left.T, right @ right.T

        def mean_of_fours(a, b):
            fours = list(permutations(range(6), 4))
            return sum(a[i, j] * (b[i, j] + b[q, r] - 2 * b[i, q]) for i, j, q, r in fours) / len(fours)

        expected = mean_of_fours(k, m) / (mean_of_fours(k, k) * mean_of_fours(m, m)).sqrt()
        assert cka(left, right) == pytest.approx(float(expected), abs=1e-9)

    def test_is_nan_for_constants_and_few_images(self):
        assert math.isnan(cka(torch.ones(10, 3), gaussian(0, 10)))
        assert math.isnan(cka(gaussian(0, 3), gaussian(1, 3)))


class TestCkaDrop:
    def test_is_paired_by_image(self):
        same, other = gaussian(0, 80), gaussian(1, 80)
        middle, low, high = cka_drop((same, same), (same, other))
        assert middle == pytest.approx(1 - cka(same, other)) and 0.5 < low < middle < high
        assert cka_drop((same, other), (same, other)) == pytest.approx((0, 0, 0)), "their own luck is gone"
