"""The accuracy of one arm with its interval and its spread."""

import numpy as np
import pytest

from headstart.compare.evaluation.arm_accuracy import estimate_accuracy
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.verdict import compute_verdict
from headstart.metrics import balanced_accuracy


def estimate(correct, labels=None, metric="accuracy", alpha=0.05):
    labels = np.arange(correct.shape[1]) % 2 if labels is None else labels
    arms = {"frozen": correct, "finetune": ~correct}
    table = CorrectnessTable("birds", 5, tuple(range(len(correct))), arms, {arm: arm for arm in arms}, labels)
    return estimate_accuracy(compute_verdict(table, 0.05, metric=metric), "frozen", alpha)


def draw_correct(seeds, images=200, share=0.8):
    return np.random.default_rng(0).random((seeds, images)) < share


class TestEstimateAccuracy:
    def test_is_the_mean_and_spread_over_seeds(self):
        correct = draw_correct(seeds=4)
        accuracy, by_seed = estimate(correct), correct.mean(axis=1)
        assert accuracy.mean == pytest.approx(correct.mean()) and accuracy.low < accuracy.mean < accuracy.high
        assert accuracy.spread == pytest.approx(by_seed.std(ddof=1))

    def test_of_one_seed_has_an_interval_over_images(self):
        accuracy = estimate(draw_correct(seeds=1))
        half = 1.972 * np.sqrt(accuracy.mean * (1 - accuracy.mean) / 199)  # Student's t, 199 degrees of freedom
        assert accuracy.spread is None
        assert (accuracy.low, accuracy.high) == pytest.approx((accuracy.mean - half, accuracy.mean + half), abs=1e-4)

    def test_counts_classes_equally_where_the_verdict_does(self):
        labels = np.repeat([0, 1], [150, 50])
        correct = labels[None, :] == 0
        accuracy = estimate(correct, labels, metric="balanced_accuracy")
        assert accuracy.mean == pytest.approx(balanced_accuracy(np.array([150, 0]), np.array([150, 50]))) == 0.5

    def test_stays_between_0_and_1(self):
        for correct in (np.ones((2, 20), bool), np.zeros((2, 20), bool)):
            accuracy = estimate(correct)
            assert 0 <= accuracy.low <= accuracy.mean <= accuracy.high <= 1 and accuracy.low < accuracy.high
