"""Whether further seeds could decide."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit

from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.futility import LEAST_CHANCE, chance_of_decision, is_futile
from headstart.compare.inference.looks import plan_looks
from headstart.compare.inference.power import predict_precision
from headstart.compare.inference.verdict import compute_verdict

SCHEDULE = plan_looks(20)
PAIR = ("finetune", "scratch_backbone")


def judge_second_look(table):
    return replace(compute_verdict(table, 0.05 * SCHEDULE[1].share), looks=SCHEDULE[:2])


@pytest.fixture
def judge():
    """The verdict at the second look of two arms with these accuracies.

    ``luck``: the standard deviation between trainings; ``alike``: whether each training gives the same predictions.
    """

    def of_arms(first, second, images=200, luck=0.0, alike=False, rotates=False, rng=0):
        draw = np.random.default_rng(rng)
        correct = {}
        for arm, accuracy in zip(PAIR, (first, second), strict=True):
            shares = accuracy + luck * draw.normal(size=(5, 1))
            rows = (draw.random((5, images)) < shares).astype(float)
            rows = np.repeat(rows[:1], 5, axis=0) if alike else rows
            correct[arm] = np.where(np.arange(images) % 5 == np.arange(5)[:, None], rows, np.nan) if rotates else rows
        table = CorrectnessTable(
            "flowers",
            None,
            tuple(range(5)),
            correct,
            {arm: arm for arm in PAIR},
            np.arange(images) % 2,
            folds=5 if rotates else 1,
            rotates=rotates,
            schedule=SCHEDULE,
        )
        return judge_second_look(table)

    return of_arms


@pytest.mark.parametrize("rotates", [False, True])
def test_chance_grows_with_the_gap(judge, rotates):
    gaps = (0.0, 0.04, 0.1)
    chances = [
        np.mean([chance_of_decision(judge(0.7 + gap, 0.7, luck=0.04, rotates=rotates, rng=rng), PAIR, SCHEDULE[-1])
                 for rng in range(30)])
        for gap in gaps
    ]  # fmt: skip
    assert 0 <= chances[0] < chances[1] < chances[2] <= 1


def test_images_are_no_hope(judge):
    """Trainings that are alike say the same of the same images, however many there are; those that differ do not."""
    alike, different = judge(0.72, 0.7, alike=True), judge(0.72, 0.7, luck=0.1)
    assert (
        not alike.beaten_by and chance_of_decision(alike, PAIR, SCHEDULE[-1]) < 0.01 and is_futile(alike, SCHEDULE[-1])
    )
    assert chance_of_decision(different, PAIR, SCHEDULE[-1]) > LEAST_CHANCE and not is_futile(different, SCHEDULE[-1])


def test_a_tie_is_a_decision(judge):
    many, few = (judge(0.9, 0.9, images=images) for images in (6000, 600))
    assert chance_of_decision(many, PAIR, SCHEDULE[-1]) > 0.5 > chance_of_decision(few, PAIR, SCHEDULE[-1])


def test_counts_each_two_of_the_arms_in_the_running(judge):
    """Two arms that resemble each other can be decided where neither is against a third."""
    verdict = judge(0.72, 0.7, alike=True)
    draw = np.random.default_rng(1)
    third = (draw.random((5, 200)) < 0.75 + 0.1 * draw.normal(size=(5, 1))).astype(float)
    other = np.where(draw.random((5, 200)) < 0.02, 0, third)
    names = {arm: arm for arm in (*PAIR, "knn", "linear_probe")}
    arms = verdict.table.correct | {"knn": third, "linear_probe": other}
    verdict = judge_second_look(replace(verdict.table, correct=arms, models=names))
    last = SCHEDULE[-1]
    assert {"knn", "linear_probe"} <= set(verdict.unbeaten) and verdict.unbeaten[0] == "knn"
    assert chance_of_decision(verdict, ("knn", "linear_probe"), last) > LEAST_CHANCE and not is_futile(verdict, last)


def test_waits_for_five_seeds(judge):
    alike = judge(0.72, 0.7, alike=True)
    assert is_futile(alike, SCHEDULE[-1]) and not is_futile(replace(alike, looks=SCHEDULE[:1]), SCHEDULE[-1])


@pytest.mark.parametrize("rotates", [False, True])
def test_foretells_the_interval_of_as_many_seeds(judge, rotates):
    contrast = judge(0.75, 0.7, luck=0.1, rotates=rotates).contrasts[PAIR]
    half, _ = predict_precision(contrast, contrast.images, contrast.seeds, 0.01)
    assert half == pytest.approx(contrast.half_widths(0.01)[0], rel=0.02)


def test_foretells_five_choices_of_training_images(judge):
    contrast = judge(0.75, 0.7, luck=0.3, rotates=True).contrasts[PAIR]
    half, _ = predict_precision(contrast, contrast.images, 20, 0.01)
    quantile = stdtrit(19 * contrast.seed_freedom / (contrast.seeds - 1), 0.995)
    assert half**2 > quantile**2 * (contrast.seed_variance - contrast.image_part_of_seeds) / 5


def test_is_as_frequent_as_foretold():
    """Where the true gap varies widely, the chance after five seeds is the share that twenty seeds decide."""
    draw, outcomes = np.random.default_rng(3), []
    for _ in range(300):
        gap, images = draw.uniform(-0.2, 0.2), 200
        correct = {
            arm: (draw.random((20, images)) < accuracy + 0.05 * draw.normal(size=(20, 1))).astype(float)
            for arm, accuracy in zip(PAIR, (0.6 + gap / 2, 0.6 - gap / 2), strict=True)
        }
        names = {arm: arm for arm in PAIR}
        table = CorrectnessTable("flowers", None, tuple(range(20)), correct, names, np.arange(images) % 2)
        early = replace(table, seeds=tuple(range(5)), correct={arm: rows[:5] for arm, rows in correct.items()})
        chance = chance_of_decision(judge_second_look(early), PAIR, SCHEDULE[-1])
        outcomes.append((chance, bool(compute_verdict(table, 0.05 * SCHEDULE[-1].share).beaten_by)))
    chances, decided = np.array(outcomes).T
    assert abs(chances.mean() - decided.mean()) < 0.05
    assert decided[chances < LEAST_CHANCE].mean() < 0.15 and decided[chances > 0.9].mean() > 0.85
