"""What a linear classifier reads out of features."""

import numpy as np
import pytest
import torch

from headstart.understand.transfer.linear_probe import (
    MAX_FEATURES,
    assign_folds,
    chance_accuracy,
    cross_val_probe,
    extract_stage_features,
    paired_accuracy_gain,
    probe_accuracy,
)


def told_apart(n=90, width=20, strength=3.0, seed=0):
    """Features that hold the class, and the classes."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    centres = torch.randn(3, width, generator=draw) * strength / width**0.5
    return centres[labels] + torch.randn(n, width, generator=draw), labels


class TestAssignFolds:
    def test_is_stratified(self):
        labels = np.repeat([0, 1, 2], [20, 10, 5])
        counts = [np.bincount(labels[assign_folds(labels, 5) == fold], minlength=3).tolist() for fold in range(5)]
        assert counts == [[4, 2, 1]] * 5


class TestCrossValProbe:
    def test_reads_classes_and_not_noise(self):
        x, y = told_apart()
        assert cross_val_probe(x, y).mean() > 0.8
        assert chance_accuracy(x, y) == pytest.approx(1 / 3, abs=0.12)
        noise = torch.randn(90, 20, generator=torch.Generator().manual_seed(1))
        assert cross_val_probe(noise, y).mean() < 0.5

    def test_never_tests_on_training_images(self):
        x, y = torch.eye(60), torch.arange(60) % 3  # each image has a number of its own: all that can be learned of it
        assert cross_val_probe(x, y).mean() < 0.5

    def test_ignores_constant_features(self):
        x, y = told_apart()
        assert (cross_val_probe(torch.cat([x, torch.full((90, 1), 7.0)], 1), y) == cross_val_probe(x, y)).all()
        assert cross_val_probe(torch.ones(90, 4), y).mean() == pytest.approx(1 / 3, abs=0.05)


class TestProbeAccuracy:
    def test_has_wilsons_interval(self):
        assert probe_accuracy(np.repeat([True, False], [8, 2])) == pytest.approx((0.8, 0.490, 0.943), abs=1e-3)
        assert probe_accuracy(np.ones(10, dtype=bool))[1:] == pytest.approx((0.722, 1.0), abs=1e-3)


class TestPairedAccuracyGain:
    def test_is_paired_and_never_exact(self):
        better, worse = np.arange(100) < 80, np.arange(100) < 60
        middle, low, high = paired_accuracy_gain(better, worse)
        assert middle == pytest.approx(0.2) and 0.1 < low < 0.2 < high < 0.3
        none, low, high = paired_accuracy_gain(better, better)
        assert none == 0 and low < -0.01 and high > 0.01

    def test_interval_covers_no_gain(self):
        draw = np.random.default_rng(0)
        pairs = [draw.random((2, 60)) < 0.7 for _ in range(400)]
        covered = [low <= 0 <= high for _, low, high in (paired_accuracy_gain(*pair) for pair in pairs)]
        assert np.mean(covered) > 0.93


class TestExtractStageFeatures:
    def test_limits_the_features_of_each_stage(self, lesson):
        images = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        found = extract_stage_features(lesson(), images, ["conv1", "conv2", "fc1"])
        assert {name: tuple(f.shape) for name, f in found.items()} == {
            "conv1": (40, 484),
            "conv2": (40, 512),
            "fc1": (40, 32),
        }
        assert extract_stage_features(lesson(), images, ["conv2"], max_features=5)["conv2"].shape == (40, 5)
        assert all(f.shape[1] <= MAX_FEATURES for f in found.values())
