"""The variance between seeds, moderated towards that of all pairs."""

from itertools import combinations

import numpy as np
import pytest

from headstart.compare.inference.contrast import compute_contrast
from headstart.compare.inference.moderation import moderate_contrasts


def draw_contrasts(arms=4, seeds=3, images=60):
    draw = np.random.default_rng(0)
    correct = {f"arm{i}": (draw.random((seeds, images)) < 0.7).astype(float) for i in range(arms)}
    return {pair: compute_contrast(correct[pair[0]] - correct[pair[1]]) for pair in combinations(correct, 2)}


class TestModerateContrasts:
    def test_is_limmas_formula(self):
        contrasts = draw_contrasts(arms=4, seeds=3)
        mean = np.mean([contrast.seed_variance for contrast in contrasts.values()])
        for pair, contrast in moderate_contrasts(contrasts).items():
            # d = 2, A = 4: d0 = (4 - 2) * 2 / 2 = 2.
            assert contrast.seed_freedom == 4
            assert contrast.seed_variance == pytest.approx((2 * mean + 2 * contrasts[pair].seed_variance) / 4)

    def test_changes_nothing_with_two_arms(self):
        contrasts = draw_contrasts(arms=2)
        assert moderate_contrasts(contrasts) == contrasts

    def test_changes_nothing_with_one_seed(self):
        contrasts = draw_contrasts(seeds=1)
        assert moderate_contrasts(contrasts) == contrasts

    def test_counts_arms_with_fewer_seeds_by_their_freedom(self):
        contrasts = draw_contrasts(arms=3, seeds=5)
        shorter = {
            pair: draw_contrasts(arms=3, seeds=3)[pair] if "arm2" in pair else contrast
            for pair, contrast in contrasts.items()
        }
        moderated = moderate_contrasts(shorter)["arm0", "arm1"]
        assert moderated.seed_freedom == 4 + 0.5 * 2
        variances = {pair: contrast.seed_variance for pair, contrast in shorter.items()}
        mean = (4 * variances["arm0", "arm1"] + 2 * variances["arm0", "arm2"] + 2 * variances["arm1", "arm2"]) / 8
        assert moderated.seed_variance == pytest.approx((1 * mean + 4 * variances["arm0", "arm1"]) / 5)
