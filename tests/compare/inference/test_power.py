"""What images and seeds can find, before any training and after an open verdict."""

import math

import numpy as np
import pytest

from headstart.compare.inference.contrast import minimum_half_width
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.power import min_images_for_tie, minimum_detectable_difference, required_sample_size
from headstart.compare.inference.verdict import DECLARED_SHARE, compute_verdict
from headstart.compare.report.recommendations import recommend_next_steps


def a_verdict(*gained, lost=15, images=150):
    """Of fine-tuning with so many images gained by each seed, which are others each time, and as many lost by all."""
    draw = np.random.default_rng(0)
    first, second = np.ones((2, len(gained), images), dtype=bool)
    for seed, count in enumerate(gained):
        told = draw.permutation(images)
        second[seed, told[:count]] = False
        first[seed, told[count : count + lost]] = False
    correct = {"finetune": first, "scratch_backbone": second}
    table = CorrectnessTable(
        "bees", 5, tuple(range(len(gained))), correct, {arm: arm for arm in correct}, np.arange(images) % 2
    )
    return compute_verdict(table, alpha=0.05)


def test_more_seeds_and_more_images_and_fewer_budgets_find_less():
    usual = minimum_detectable_difference(150, 5, 3)
    assert (
        minimum_detectable_difference(600, 5, 3) < usual
        and minimum_detectable_difference(150, 10, 3) < usual
        and minimum_detectable_difference(150, 5, 1) < usual
    )
    assert minimum_detectable_difference(150, 5, 3, spread=0.09) > 1.5 * usual
    assert minimum_detectable_difference(150, 3, 3) > 2 * usual


def test_no_number_of_images_makes_up_for_seeds_that_scatter():
    assert minimum_detectable_difference(1_000_000, 3, 3) > 0.5 * minimum_detectable_difference(150, 3, 3)


def test_the_power_is_what_was_foretold():
    draw, spread, found = np.random.default_rng(0), 0.04, []
    gap = minimum_detectable_difference(
        150, 5, 1, level=0.05 / DECLARED_SHARE, spread=spread, discordance=0.4
    )  # two arms have the whole level
    for _ in range(200):
        luck = draw.normal(size=(5, 1)) * spread
        difference = np.where(draw.random((5, 150)) < 0.2 + gap / 2 + luck / 2, 1.0, 0.0)
        difference -= np.where(draw.random((5, 150)) < 0.2 - gap / 2 - luck / 2, 1.0, 0.0)
        correct = {"finetune": difference > 0, "scratch_backbone": difference < 0}
        table = CorrectnessTable("bees", 5, tuple(range(5)), correct, {arm: arm for arm in correct}, np.arange(150) % 2)
        found.append(compute_verdict(table, alpha=0.05).is_first_better is True)
    assert 0.75 < np.mean(found) < 0.95


def test_a_small_difference_of_calm_trainings_takes_images():
    said = required_sample_size(a_verdict(19, 20, 21, 20, 20))
    assert (said.chances, said.most_images, said.most_seeds) == ((0.5, 0.8), 1_000_000, 100)
    assert 10 < said.images[0] < said.images[1] < math.inf


def test_where_trainings_scatter_only_seeds_settle_it():
    said = required_sample_size(a_verdict(5, 10, 22, 35, 40))
    assert said.images == (math.inf, math.inf)
    assert 1 <= said.seeds[0] <= said.seeds[1] < math.inf


def test_what_is_settled_needs_nothing_and_one_seed_cannot_tell():
    assert required_sample_size(a_verdict(40, 41, 42, 40, 41)) is None
    assert required_sample_size(a_verdict(17)) is None


@pytest.mark.parametrize(
    ("gained", "told"),
    [
        ((19, 20, 21, 20, 20), "more test images give an answer with a chance of 50 % to 80 %, if"),
        ((5, 10, 22, 35, 40), "it seems; more test images alone do not, up to 1,000,000 in all."),
        (
            (15, 15, 15, 15, 15),
            "neither 100 seeds nor 1,000,000 test images in all give an answer with a chance of 50",
        ),
    ],
)
def test_advice_says_the_chance_and_how_far_was_looked(gained, told):
    assert any(told in sentence for sentence in recommend_next_steps([a_verdict(*gained)]))


def test_advice_on_a_tie_names_the_metric():
    table = a_verdict(19, 20, 21, 20, 20).table
    said = recommend_next_steps([compute_verdict(table, alpha=0.05, metric="balanced_accuracy")])
    assert any("a tie within 1 point of balanced accuracy takes at least" in sentence for sentence in said)


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 3])
def test_a_tie_takes_as_many_images_as_agreement_asks_for(alpha):
    least = min_images_for_tie(alpha, 0.01)
    assert minimum_half_width(least, 2 * alpha) < 0.01 <= minimum_half_width(least - 1, 2 * alpha)
    assert min_images_for_tie(0.05 / 3, 0.01) == 408
