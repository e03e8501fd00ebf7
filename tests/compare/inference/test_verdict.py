"""Whether pretraining helped, and which arms are unbeaten."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from headstart.compare.declaration import Comparison
from headstart.compare.inference.contrast import contrast_interval
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.sweep_verdicts import compute_verdicts
from headstart.compare.inference.verdict import compute_verdict
from headstart.compare.report import caveats, text

MODELS = ("scratch_cnn", "scratch_backbone", "frozen", "finetune")


def draw_table(seeds=5, images=863, rng=0, models=None, **accuracies):
    """Arms with these accuracies; their errors on an image share half of their variance."""
    draw = np.random.default_rng(rng)
    hard = draw.normal(size=images)
    correct = {
        arm: hard + draw.normal(size=(seeds, images)) < np.sqrt(2) * np.quantile(draw.normal(size=100_000), accuracy)
        for arm, accuracy in accuracies.items()
    }
    models = models or {arm: arm for arm in correct}
    return CorrectnessTable("flowers", 10, tuple(range(seeds)), correct, models, np.arange(images) % 2)


class TestComputeVerdict:
    def test_finds_a_large_gain(self):
        verdict = compute_verdict(draw_table(scratch_backbone=0.5, finetune=0.7), alpha=0.05)
        assert verdict.declared_pair == ("finetune", "scratch_backbone")
        assert verdict.is_first_better is True
        assert verdict.unbeaten == ["finetune"] and verdict.beaten_by == {"scratch_backbone": ["finetune"]}

    def test_finds_a_loss(self):
        assert compute_verdict(draw_table(scratch_backbone=0.7, finetune=0.5), alpha=0.05).is_first_better is False

    def test_leaves_the_tutorials_two_arms_undecided(self):
        right = np.ones((2, 153), dtype=bool)
        right[0, :7] = False
        right[1, :11] = False
        correct, models = {"frozen": right[:1], "finetune": right[1:]}, {"frozen": "frozen", "finetune": "finetune"}
        table = CorrectnessTable("bees", None, (0,), correct, models, np.arange(153) % 2)
        verdict = compute_verdict(table, alpha=0.05)
        assert verdict.contrasts["frozen", "finetune"].p_value == pytest.approx(0.125)
        assert verdict.unbeaten == ["frozen", "finetune"] and not verdict.beaten_by and not verdict.is_tie
        assert text.describe_unbeaten(verdict) == "frozen and finetune"

    def test_leaves_two_arms_unbeaten(self):
        verdict = compute_verdict(
            draw_table(scratch_cnn=0.45, scratch_backbone=0.5, frozen=0.75, finetune=0.75), alpha=0.05
        )
        assert set(verdict.unbeaten) == {"frozen", "finetune"}
        assert all({"frozen", "finetune"} <= set(winners) for winners in verdict.beaten_by.values())
        assert not verdict.is_tie

    def test_answers_agree_with_the_intervals(self):
        for rng in range(60):
            table = draw_table(
                seeds=3, images=150, rng=rng, scratch_cnn=0.6, scratch_backbone=0.6, frozen=0.7, finetune=0.8
            )
            verdict = compute_verdict(table, alpha=0.05)
            for first, second in verdict.contrasts:
                low, high = verdict.interval((first, second))
                assert (low > 0) == (first in verdict.beaten_by.get(second, []))
                assert (high < 0) == (second in verdict.beaten_by.get(first, []))
            low, high = verdict.interval(verdict.declared_pair)
            assert verdict.is_first_better is (True if low > 0 else False if high < 0 else None)

    def test_beats_arms_outside_an_open_contrast(self):
        verdict = compute_verdict(
            draw_table(scratch_cnn=0.4, scratch_backbone=0.8, frozen=0.8, finetune=0.8), alpha=0.05
        )
        assert verdict.is_first_better is None and set(verdict.beaten_by) == {"scratch_cnn"}

    def test_tests_all_pairs_in_one_procedure(self):
        arms = {"scratch_cnn": 0.5, "scratch_backbone": 0.5, "frozen": 0.5, "finetune": 0.6}
        for rng in range(40):
            verdict = compute_verdict(draw_table(seeds=1, images=300, rng=rng, **arms), alpha=0.05)
            p = sorted(verdict.contrasts[pair].p_value for pair in combinations(arms, 2))
            # Shaffer: six pairs at first; once one has fallen, at most three can still be equal.
            thresholds = [0.05 / 6, *[0.05 / 3] * 3, 0.05 / 2, 0.05]
            passed = [value <= threshold for value, threshold in zip(p, thresholds, strict=True)]
            num_rejected = passed.index(False) if False in passed else 6
            assert sum(map(len, verdict.beaten_by.values())) == num_rejected

    def test_counts_groups_and_not_their_images(self):
        table = draw_table(images=20, seeds=5, rng=3, scratch_backbone=0.5, finetune=0.8)
        copied = {arm: np.repeat(rows, 15, axis=1) for arm, rows in table.correct.items()}
        table = replace(table, correct=copied, labels=np.repeat(table.labels, 15))
        grouped = replace(table, groups=np.repeat(np.arange(20), 15))
        pair = ("finetune", "scratch_backbone")
        plain, by_group = (compute_verdict(each, alpha=0.05).interval(pair) for each in (table, grouped))
        assert by_group[0] < plain[0] < plain[1] < by_group[1]

    def test_counts_fewer_pairs_once_an_earlier_look_has_decided_one(self):
        table = draw_table(seeds=3, images=300, **dict.fromkeys(MODELS, 0.6))
        alone = compute_verdict(table, alpha=0.06)
        assert not alone.beaten_by and alone.levels["frozen", "finetune"] == pytest.approx(0.06 / 6)
        earlier = replace(alone, beaten_by={"scratch_cnn": ["finetune"]})
        later = compute_verdict(table, alpha=0.06, earlier=earlier)
        assert later.levels["frozen", "finetune"] == pytest.approx(0.06 / 3)  # of five that are left

    def test_weighs_classes_equally_by_balanced_accuracy(self):
        labels = np.array([0] * 180 + [1] * 20)
        right = {"finetune": np.ones((3, 200), dtype=bool), "scratch_backbone": np.tile(labels == 0, (3, 1))}
        right["finetune"][:, :18] = False
        table = CorrectnessTable("rare", 10, (0, 1, 2), right, {arm: arm for arm in right}, labels)
        assert compute_verdict(table, alpha=0.05).is_first_better is None
        verdict = compute_verdict(table, alpha=0.05, metric="balanced_accuracy")
        assert verdict.score("finetune") == pytest.approx(0.95) and verdict.score("scratch_backbone") == 0.5
        assert verdict.contrasts["finetune", "scratch_backbone"].mean == pytest.approx(0.45)
        assert verdict.is_first_better is True and verdict.unbeaten == ["finetune"]

    def test_needs_one_arm_a_model_for_the_contrast(self):
        arms = {"finetune lr=1": 0.7, "finetune lr=2": 0.7, "scratch_backbone": 0.5}
        models = {"finetune lr=1": "finetune", "finetune lr=2": "finetune", "scratch_backbone": "scratch_backbone"}
        verdict = compute_verdict(draw_table(models=models, **arms), alpha=0.05)
        assert verdict.declared_pair is None and verdict.is_first_better is None
        assert set(verdict.unbeaten) == {"finetune lr=1", "finetune lr=2"}

    def test_keeps_intervals_within_a_hundred_points(self):
        verdict = compute_verdict(
            draw_table(images=12, seeds=2, scratch_backbone=0.2, frozen=0.4, finetune=0.9), alpha=0.05
        )
        assert all(
            -1 <= limit <= 1 for contrast in verdict.contrasts.values() for limit in contrast_interval(contrast, 0.001)
        )
        assert text.describe_frozen_loss(verdict).startswith("frozen loses at most 100 points (to ")


class TestComputeVerdicts:
    def test_follows_the_declaration(self):
        tables = [draw_table(scratch_cnn=0.4, frozen=0.7)]
        (verdict,) = compute_verdicts(
            tables, Comparison(contrast=("frozen", "scratch_cnn"), metric="balanced_accuracy", margin=0.02)
        )
        assert verdict.is_first_better is True and verdict.declared_contrast == ("frozen", "scratch_cnn")
        assert (verdict.metric, verdict.margin) == ("balanced_accuracy", 0.02)

    def test_splits_the_level_over_budgets(self):
        tables = [draw_table(rng=k, scratch_backbone=0.6, finetune=0.6) for k in range(3)]
        assert [verdict.alpha for verdict in compute_verdicts(tables, Comparison(level=0.06))] == pytest.approx(
            [0.02] * 3
        )

    def test_splits_the_level_over_planned_budgets(self):
        (verdict,) = compute_verdicts(
            [replace(draw_table(frozen=0.9, finetune=0.9), num_planned_budgets=3)], Comparison(level=0.05)
        )
        assert verdict.alpha == pytest.approx(0.05 / 3)


class TestTie:
    def test_takes_enough_images(self):
        assert compute_verdict(draw_table(images=60_000, seeds=10, frozen=0.95, finetune=0.95), alpha=0.05).is_tie
        assert not compute_verdict(draw_table(images=40, frozen=0.95, finetune=0.95), alpha=0.05).is_tie

    def test_is_rare_for_different_arms_on_few_images(self):
        tied = [
            compute_verdict(draw_table(images=40, rng=rng, frozen=0.9, finetune=0.885), alpha=0.05).is_tie
            for rng in range(100)
        ]
        assert sum(tied) <= 5

    def test_of_declared_arms_is_the_same_within_the_margin(self):
        arms = {"scratch_backbone": 0.99, "finetune": 0.99}
        told = [compute_verdict(draw_table(images=4000, seeds=5, rng=rng, **arms), alpha=0.05) for rng in range(20)]
        assert {text.describe_declared_answer(verdict) for verdict in told if verdict.is_tie} == {
            "the same within the margin"
        }

    def test_takes_two_one_sided_tests(self):
        verdict = compute_verdict(draw_table(frozen=0.9, finetune=0.9), alpha=0.05)
        (pair,) = combinations(verdict.unbeaten, 2)
        one_sided, two_sided = (
            max(map(abs, contrast_interval(verdict.contrasts[pair], level))) for level in (0.1, 0.05)
        )
        assert one_sided < two_sided
        assert (
            replace(verdict, margin=(one_sided + two_sided) / 2).is_tie
            and not replace(verdict, margin=0.999 * one_sided).is_tie
        )


class TestSmallLead:
    def test_is_a_win_by_less_than_the_margin(self):
        verdict = compute_verdict(draw_table(images=60_000, seeds=10, frozen=0.950, finetune=0.956), alpha=0.05)
        assert verdict.unbeaten == ["finetune"] and verdict.has_small_lead
        assert not compute_verdict(draw_table(scratch_backbone=0.5, finetune=0.7), alpha=0.05).has_small_lead

    def test_needs_the_whole_interval_below_the_margin(self):
        verdict = compute_verdict(draw_table(scratch_backbone=0.5, finetune=0.7), alpha=0.05)
        contrast = verdict.contrasts["finetune", "scratch_backbone"]
        above = contrast_interval(contrast, verdict.alpha)[1]
        assert replace(verdict, margin=above + 0.001).has_small_lead
        assert not replace(verdict, margin=(contrast.mean + above) / 2).has_small_lead


class TestText:
    def test_names_no_winner_by_default(self):
        table = draw_table(frozen=0.9)
        verdict = compute_verdict(replace(table, exclusions={"scratch_cnn": "seed 0 never learned"}), alpha=0.05)
        assert text.describe_unbeaten(verdict) == "no verdict: only frozen is fit to be compared"
        assert any(
            "scratch_cnn is refused as evidence: seed 0 never learned" in sentence
            for sentence in caveats.describe_verdict_caveats([verdict])
        )
        none = replace(table, correct={}, exclusions={"frozen": "seed 0 failed", "scratch_cnn": "seed 0 never learned"})
        assert "no arm is" in text.describe_unbeaten(compute_verdict(none, alpha=0.05))

    def test_has_the_largest_loss_of_the_frozen_arm(self):
        verdict = compute_verdict(draw_table(scratch_backbone=0.5, frozen=0.65, finetune=0.7), alpha=0.05)
        high = contrast_interval(verdict.contrasts["finetune", "frozen"], 0.05)[1]
        most = f"frozen loses at most {np.ceil(1000 * high) / 10:g} points (to finetune)"
        assert text.describe_frozen_loss(verdict) == f"{most}, with 95 % confidence"
        none = text.describe_frozen_loss(compute_verdict(draw_table(frozen=0.9, finetune=0.5), alpha=0.05 / 3))
        assert none == "frozen loses to no other arm, with 98.3 % confidence"
        assert text.describe_frozen_loss(compute_verdict(draw_table(scratch_cnn=0.9, finetune=0.5), alpha=0.05)) is None

    def test_has_the_level_over_all_looks(self):
        verdict = caveats.describe_verdict_caveats(
            [compute_verdict(replace(draw_table(frozen=0.8, finetune=0.8), num_looks=2), alpha=0.05)]
        )
        assert any("2 looks" in sentence and "up to 10 % instead of 5 %" in sentence for sentence in verdict)

    def test_recommends_nothing_for_equal_declared_arms(self):
        same = compute_verdict(
            draw_table(images=60_000, seeds=10, scratch_backbone=0.95, finetune=0.95, frozen=0.7), alpha=0.05
        )
        assert same.is_first_better is None and same.is_within_margin
        assert text.describe_declared_answer(same) == "the same within the margin"
        lead = compute_verdict(draw_table(images=60_000, seeds=10, scratch_backbone=0.950, finetune=0.956), alpha=0.05)
        assert text.describe_declared_answer(lead) == "yes, by less than the margin"
        assert (
            text.describe_declared_answer(
                compute_verdict(draw_table(images=150, scratch_backbone=0.7, finetune=0.7), alpha=0.05)
            )
            == "not clear yet"
        )

    def test_answers_with_the_refused_arm(self):
        table = draw_table(frozen=0.9, scratch_backbone=0.5)
        models = {**table.models, "finetune": "finetune"}
        verdict = compute_verdict(
            replace(table, models=models, exclusions={"finetune": "seed 0 never learned"}), alpha=0.05
        )
        assert text.declared_question(verdict) == "Did pretraining help?" and verdict.declared_pair is None
        assert text.describe_declared_answer(verdict) == "no answer: finetune was refused"
