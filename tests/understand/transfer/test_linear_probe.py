"""What a linear classifier reads out of features."""

import numpy as np
import pytest
import torch

from headstart.understand.transfer.linear_probe import (
    MAX_FEATURES,
    PENALTIES,
    _assign_folds,
    _fit_ridge,
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


def test_a_probe_reads_what_is_there_and_nothing_where_labels_are_shuffled():
    x, y = told_apart()
    assert cross_val_probe(x, y).mean() > 0.8
    assert chance_accuracy(x, y) == pytest.approx(1 / 3, abs=0.12)
    noise = torch.randn(90, 20, generator=torch.Generator().manual_seed(1))
    assert cross_val_probe(noise, y).mean() < 0.5


def test_no_image_is_named_by_a_probe_that_was_fitted_on_it():
    x, y = torch.eye(60), torch.arange(60) % 3  # each image has a number of its own: all that can be learned of it
    assert cross_val_probe(x, y).mean() < 0.5


def test_each_class_is_spread_over_the_folds():
    labels = np.repeat([0, 1, 2], [20, 10, 5])
    counts = [np.bincount(labels[_assign_folds(labels, 5) == fold], minlength=3).tolist() for fold in range(5)]
    assert counts == [[4, 2, 1]] * 5


def test_it_is_ridge_regression_of_one_hot_labels_with_a_free_intercept():
    x, y = (t.numpy() for t in told_apart(60, 5))
    x, new = x[:50].astype(float), x[50:].astype(float)
    said = _fit_ridge(x, y[:50], new)
    scaled = [(z - x.mean(0)) / x.std(0) for z in (x, new)]
    wanted = np.eye(3)[y[:50]]
    agreed = []
    for penalty in 10.0 ** np.arange(-3, 4):
        weights = np.linalg.solve(
            scaled[0].T @ scaled[0] + penalty * 5 * np.eye(5), scaled[0].T @ (wanted - wanted.mean(0))
        )
        agreed.append((((scaled[1] @ weights) + wanted.mean(0)).argmax(1) == said).all())
    assert any(agreed)


def test_the_penalty_is_the_one_that_serves_images_left_out_best():
    draw = np.random.default_rng(0)
    y = np.arange(45) % 3
    x, new = (
        draw.normal(size=(n, 30)) + np.outer(np.arange(n) % 3, np.r_[np.ones(3), np.zeros(27)]) for n in (45, 300)
    )
    scaled = [(z - x.mean(0)) / x.std(0) for z in (x, new)]

    def said(penalty, fitted, asked):
        wanted, centre = np.eye(3)[y[fitted]], scaled[0][fitted].mean(0)
        centred = scaled[0][fitted] - centre
        grown = centred.T @ centred + penalty * 30 * np.eye(30)
        return (asked - centre) @ np.linalg.solve(grown, centred.T @ (wanted - wanted.mean(0))) + wanted.mean(0)

    def error(penalty):
        alone = [said(penalty, np.arange(45) != i, scaled[0][i]) for i in range(45)]
        return np.mean((np.eye(3)[y] - alone) ** 2)

    by_penalty = {penalty: said(penalty, np.arange(45) >= 0, scaled[1]).argmax(1) for penalty in PENALTIES}
    best = min(PENALTIES, key=error)
    assert (_fit_ridge(x, y, new) == by_penalty[best]).all()
    assert (by_penalty[PENALTIES[0]] != by_penalty[best]).any(), "it matters"


def test_a_number_that_never_varies_and_features_that_are_all_alike_do_no_harm():
    x, y = told_apart()
    assert (cross_val_probe(torch.cat([x, torch.full((90, 1), 7.0)], 1), y) == cross_val_probe(x, y)).all()
    assert cross_val_probe(torch.ones(90, 4), y).mean() == pytest.approx(1 / 3, abs=0.05)


def test_an_accuracy_has_wilsons_interval():
    assert probe_accuracy(np.repeat([True, False], [8, 2])) == pytest.approx((0.8, 0.490, 0.943), abs=1e-3)
    assert probe_accuracy(np.ones(10, dtype=bool))[1:] == pytest.approx((0.722, 1.0), abs=1e-3)


def test_a_gain_is_paired_by_image_and_never_surer_than_its_images():
    better, worse = np.arange(100) < 80, np.arange(100) < 60
    middle, low, high = paired_accuracy_gain(better, worse)
    assert middle == pytest.approx(0.2) and 0.1 < low < 0.2 < high < 0.3
    none, low, high = paired_accuracy_gain(better, better)
    assert none == 0 and low < -0.01 and high > 0.01


def test_the_interval_of_a_gain_covers_no_gain_in_nearly_all_cases_of_none():
    draw = np.random.default_rng(0)
    pairs = [draw.random((2, 60)) < 0.7 for _ in range(400)]
    covered = [low <= 0 <= high for _, low, high in (paired_accuracy_gain(*pair) for pair in pairs)]
    assert np.mean(covered) > 0.93


def test_features_are_pooled_to_at_most_the_same_width(lesson):
    images = torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    found = extract_stage_features(lesson(), images, ["conv1", "conv2", "fc1"])
    assert {name: tuple(f.shape) for name, f in found.items()} == {
        "conv1": (40, 484),
        "conv2": (40, 512),
        "fc1": (40, 32),
    }
    assert extract_stage_features(lesson(), images, ["conv2"], max_features=5)["conv2"].shape == (40, 5)
    assert all(f.shape[1] <= MAX_FEATURES for f in found.values())
