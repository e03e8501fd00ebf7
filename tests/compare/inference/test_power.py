"""Which differences images and seeds detect, and the sample that an open verdict needs."""

import math

import numpy as np
import pytest

from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.power import min_images_for_tie, minimum_detectable_difference, required_sample_size
from headstart.compare.inference.symmetric_contrast import minimum_half_width
from headstart.compare.inference.verdict import compute_verdict


def fake_verdict(*gained, lost=15, images=150):
    """A verdict on fine-tuning: each seed gains so many images, other ones each time, and loses ``lost``."""
    draw = np.random.default_rng(0)
    first, second = np.ones((2, len(gained), images), dtype=bool)
    for seed, count in enumerate(gained):
        order = draw.permutation(images)
        second[seed, order[:count]] = False
        first[seed, order[count : count + lost]] = False
    correct = {"finetune": first, "scratch_backbone": second}
    table = CorrectnessTable(
        "bees", 5, tuple(range(len(gained))), correct, {arm: arm for arm in correct}, np.arange(images) % 2
    )
    return compute_verdict(table, alpha=0.05)


class TestMinimumDetectableDifference:
    def test_falls_with_seeds_images_and_fewer_budgets(self):
        reference = minimum_detectable_difference(150, 5, 3)
        assert (
            minimum_detectable_difference(600, 5, 3) < reference
            and minimum_detectable_difference(150, 10, 3) < reference
            and minimum_detectable_difference(150, 5, 1) < reference
        )
        assert minimum_detectable_difference(150, 5, 3, spread=0.09) > 1.5 * reference
        assert minimum_detectable_difference(150, 3, 3) > 1.5 * reference

    def test_stays_large_with_few_seeds(self):
        assert minimum_detectable_difference(1_000_000, 3, 3) > 0.5 * minimum_detectable_difference(150, 3, 3)

    def test_is_smaller_where_seeds_rotate_over_all_images(self):
        one_split = minimum_detectable_difference(48, 5, 1)
        assert minimum_detectable_difference(240, 5, 1, folds=5, rotates=True) < one_split
        assert minimum_detectable_difference(240, 5, 1, folds=5) < one_split

    def test_counts_the_choices_of_training_images(self):
        one_split, rotating = (
            minimum_detectable_difference(100_000, 20, 1, spread=0.1, folds=folds, rotates=folds > 1)
            for folds in (1, 5)
        )
        assert rotating > 1.7 * one_split  # the spread is nearly all there is: its part is that of 5 seeds, not of 20

    def test_is_detected_with_the_promised_power(self):
        draw, spread, is_detected = np.random.default_rng(0), 0.04, []
        gap = minimum_detectable_difference(150, 5, 1, spread=spread, discordance=0.4, arms=2)
        for _ in range(200):
            seed_effect = draw.normal(size=(5, 1)) * spread
            difference = np.where(draw.random((5, 150)) < 0.2 + gap / 2 + seed_effect / 2, 1.0, 0.0)
            difference -= np.where(draw.random((5, 150)) < 0.2 - gap / 2 - seed_effect / 2, 1.0, 0.0)
            correct = {"finetune": difference > 0, "scratch_backbone": difference < 0}
            table = CorrectnessTable(
                "bees", 5, tuple(range(5)), correct, {arm: arm for arm in correct}, np.arange(150) % 2
            )
            is_detected.append(compute_verdict(table, alpha=0.05).is_first_better is True)
        assert 0.75 < np.mean(is_detected) < 0.95


class TestRequiredSampleSize:
    def test_takes_images_for_a_small_difference(self):
        sample = required_sample_size(fake_verdict(19, 20, 21, 20, 20))
        assert (sample.chances, sample.most_images, sample.most_seeds) == ((0.5, 0.8), 1_000_000, 100)
        assert 10 < sample.images[0] < sample.images[1] < math.inf

    def test_takes_seeds_where_trainings_scatter(self):
        sample = required_sample_size(fake_verdict(5, 10, 22, 35, 40))
        assert sample.images == (math.inf, math.inf)
        assert 1 <= sample.seeds[0] <= sample.seeds[1] < math.inf

    def test_is_none_for_a_decided_contrast_or_one_seed(self):
        assert required_sample_size(fake_verdict(40, 41, 42, 40, 41)) is None
        assert required_sample_size(fake_verdict(17)) is None


class TestMinImagesForTie:
    @pytest.mark.parametrize("alpha", [0.05, 0.05 / 3])
    def test_is_the_least_number_of_agreeing_images(self, alpha):
        images = min_images_for_tie(alpha, 0.01)
        assert minimum_half_width(images, 2 * alpha) < 0.01 <= minimum_half_width(images - 1, 2 * alpha)
        assert min_images_for_tie(0.05 / 3, 0.01) == 408
