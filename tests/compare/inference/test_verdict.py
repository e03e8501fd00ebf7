"""Whether pretraining helped, and which arms nothing beat; said only as far as the runs carry it."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from headstart.compare.inference.contrast import contrast_interval
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.verdict import compute_verdict, compute_verdicts
from headstart.compare.report import text
from headstart.compare.report.recommendations import recommend_next_steps
from headstart.errors import HeadstartError

MODELS = ("scratch_cnn", "scratch_backbone", "frozen", "finetune")


def outcomes(seeds=5, images=863, rng=0, models=None, **accuracies):
    """Arms with these accuracies, whose errors on an image have half of their variance in common."""
    draw = np.random.default_rng(rng)
    hard = draw.normal(size=images)
    correct = {
        arm: hard + draw.normal(size=(seeds, images)) < np.sqrt(2) * np.quantile(draw.normal(size=100_000), accuracy)
        for arm, accuracy in accuracies.items()
    }
    return CorrectnessTable("flowers", 10, tuple(range(seeds)), correct, models or {arm: arm for arm in correct},
                    np.arange(images) % 2)  # fmt: skip


def test_a_large_gain_is_found_and_named_in_both_answers():
    said = compute_verdict(outcomes(scratch_backbone=0.5, finetune=0.7), alpha=0.05)
    assert said.declared_pair == ("finetune", "scratch_backbone")
    assert said.is_first_better is True
    assert said.unbeaten == ["finetune"] and said.beaten_by == {"scratch_backbone": ["finetune"]}


def test_pretraining_that_hurts_is_said_too():
    assert compute_verdict(outcomes(scratch_backbone=0.7, finetune=0.5), alpha=0.05).is_first_better is False


def test_the_tutorials_two_accuracies_are_undecided():
    right = np.ones((2, 153), dtype=bool)
    right[0, :7] = False
    right[1, :11] = False
    table = CorrectnessTable("bees", None, (0,), {"frozen": right[:1], "finetune": right[1:]},
                     {"frozen": "frozen", "finetune": "finetune"}, np.arange(153) % 2)  # fmt: skip
    said = compute_verdict(table, alpha=0.05)
    assert said.contrasts["frozen", "finetune"].p_value == pytest.approx(0.125)
    assert said.unbeaten == ["frozen", "finetune"] and not said.beaten_by and not said.is_tie
    assert text.describe_unbeaten(said) == "undecided between frozen and finetune"


def test_both_transfer_arms_may_win_while_their_order_is_open():
    said = compute_verdict(outcomes(scratch_cnn=0.45, scratch_backbone=0.5, frozen=0.75, finetune=0.75), alpha=0.05)
    assert set(said.unbeaten) == {"frozen", "finetune"}
    assert all({"frozen", "finetune"} <= set(winners) for winners in said.beaten_by.values())
    assert not said.is_tie


def test_equal_arms_are_a_tie_only_where_the_images_suffice():
    assert compute_verdict(outcomes(images=60_000, seeds=10, frozen=0.95, finetune=0.95), alpha=0.05).is_tie
    assert not compute_verdict(outcomes(images=40, frozen=0.95, finetune=0.95), alpha=0.05).is_tie


def test_a_winner_by_less_than_the_margin_is_called_so():
    said = compute_verdict(outcomes(images=60_000, seeds=10, frozen=0.950, finetune=0.956), alpha=0.05)
    assert said.unbeaten == ["finetune"] and said.has_small_lead
    assert not compute_verdict(outcomes(scratch_backbone=0.5, finetune=0.7), alpha=0.05).has_small_lead


def test_the_two_answers_and_the_interval_never_contradict_each_other():
    for rng in range(60):
        table = outcomes(seeds=3, images=150, rng=rng, scratch_cnn=0.6, scratch_backbone=0.6, frozen=0.7, finetune=0.8)
        said = compute_verdict(table, alpha=0.05)
        low, high = contrast_interval(said.contrasts[said.declared_pair], said.declared_alpha)
        assert said.is_first_better is (True if low > 0 else False if high < 0 else None)
        assert (said.is_first_better is True) == ("finetune" in said.beaten_by.get("scratch_backbone", []))


def test_an_arm_outside_the_declared_contrast_may_be_beaten_where_that_is_open():
    said = compute_verdict(outcomes(scratch_cnn=0.4, scratch_backbone=0.8, frozen=0.8, finetune=0.8), alpha=0.05)
    assert said.is_first_better is None and set(said.beaten_by) == {"scratch_cnn"}


def test_the_declared_contrast_is_tested_at_its_share_alone_and_opens_the_level_to_the_rest():
    arms = {"scratch_cnn": 0.5, "scratch_backbone": 0.5, "frozen": 0.5, "finetune": 0.6}
    for rng in range(40):
        said = compute_verdict(outcomes(seeds=1, images=300, rng=rng, **arms), alpha=0.05)
        p = {pair: found.p_value for pair, found in said.contrasts.items()}
        assert (said.is_first_better is not None) == (p["finetune", "scratch_backbone"] <= 0.0375)
        others = [p[pair] for pair in combinations(arms, 2) if set(pair) != {"finetune", "scratch_backbone"}]
        if said.is_first_better is not None and min(others) <= 0.05 / 3:
            assert sum(map(len, said.beaten_by.values())) > 1
        if said.is_first_better is None and min(others) > 0.0125 / 5:
            assert not said.beaten_by


def test_balanced_accuracy_counts_each_class_the_same():
    labels = np.array([0] * 180 + [1] * 20)
    right = {"finetune": np.ones((3, 200), dtype=bool), "scratch_backbone": np.tile(labels == 0, (3, 1))}
    right["finetune"][:, :18] = False
    table = CorrectnessTable("rare", 10, (0, 1, 2), right, {arm: arm for arm in right}, labels)
    assert compute_verdict(table, alpha=0.05).is_first_better is None
    said = compute_verdict(table, alpha=0.05, metric="balanced_accuracy")
    assert said.score("finetune") == pytest.approx(0.95) and said.score("scratch_backbone") == 0.5
    assert said.contrasts["finetune", "scratch_backbone"].mean == pytest.approx(0.45)
    assert said.is_first_better is True and said.unbeaten == ["finetune"]


def test_another_metric_or_contrast_is_asked_for_by_name():
    tables = [outcomes(scratch_cnn=0.4, frozen=0.7)]
    assert compute_verdicts(tables, contrast=("frozen", "scratch_cnn"))[0].is_first_better is True
    with pytest.raises(HeadstartError, match="give accuracy or balanced_accuracy"):
        compute_verdicts(tables, metric="f1")


def test_arms_a_point_and_a_half_apart_are_no_tie_on_forty_images():
    tied = [
        compute_verdict(outcomes(images=40, rng=rng, frozen=0.9, finetune=0.885), alpha=0.05).is_tie
        for rng in range(100)
    ]
    assert sum(tied) <= 5


def test_the_level_is_one_for_the_sweep_and_split_over_its_budgets():
    tables = [outcomes(rng=k, scratch_backbone=0.6, finetune=0.6) for k in range(3)]
    assert [said.alpha for said in compute_verdicts(tables, level=0.06)] == pytest.approx([0.02] * 3)


def test_several_arms_of_one_model_leave_the_declared_contrast_open():
    arms = {"finetune lr=1": 0.7, "finetune lr=2": 0.7, "scratch_backbone": 0.5}
    models = {"finetune lr=1": "finetune", "finetune lr=2": "finetune", "scratch_backbone": "scratch_backbone"}
    said = compute_verdict(outcomes(models=models, **arms), alpha=0.05)
    assert said.declared_pair is None and said.is_first_better is None
    assert set(said.unbeaten) == {"finetune lr=1", "finetune lr=2"}


def test_refused_arms_leave_no_winner_by_default():
    table = outcomes(frozen=0.9)
    said = compute_verdict(replace(table, exclusions={"scratch_cnn": "seed 0 never learned"}), alpha=0.05)
    assert text.describe_unbeaten(said) == "no verdict: only frozen is fit to be compared"
    assert any(
        "scratch_cnn is refused as evidence: seed 0 never learned" in sentence
        for sentence in text.describe_verdict_caveats([said])
    )
    none = replace(table, correct={}, exclusions={"frozen": "seed 0 failed", "scratch_cnn": "seed 0 never learned"})
    assert "no arm is" in text.describe_unbeaten(compute_verdict(none, alpha=0.05))


def test_it_is_always_said_what_the_frozen_arm_loses_at_most():
    said = compute_verdict(outcomes(scratch_backbone=0.5, frozen=0.65, finetune=0.7), alpha=0.05)
    high = contrast_interval(said.contrasts["finetune", "frozen"], 0.05)[1]
    most = f"frozen loses at most {np.ceil(1000 * high) / 10:g} points (to finetune)"
    assert text.describe_frozen_loss(said) == f"{most}, with 95 % confidence"
    none = text.describe_frozen_loss(compute_verdict(outcomes(frozen=0.9, finetune=0.5), alpha=0.05 / 3))
    assert none == "frozen loses to no other arm, with 98.3 % confidence"
    assert text.describe_frozen_loss(compute_verdict(outcomes(scratch_cnn=0.9, finetune=0.5), alpha=0.05)) is None


def test_no_interval_and_no_loss_goes_beyond_a_hundred_points():
    said = compute_verdict(outcomes(images=12, seeds=2, scratch_backbone=0.2, frozen=0.4, finetune=0.9), alpha=0.05)
    assert all(-1 <= limit <= 1 for found in said.contrasts.values() for limit in contrast_interval(found, 0.001))
    assert text.describe_frozen_loss(said).startswith("frozen loses at most 100 points (to ")


def test_a_second_look_is_told_with_what_it_does_to_the_level():
    said = text.describe_verdict_caveats(
        [compute_verdict(replace(outcomes(frozen=0.8, finetune=0.8), num_looks=2), alpha=0.05)]
    )
    assert any("2 looks" in sentence and "up to 10 % instead of 5 %" in sentence for sentence in said)


def test_an_open_verdict_says_what_would_settle_it():
    said = recommend_next_steps(
        [compute_verdict(outcomes(images=150, seeds=1, scratch_backbone=0.7, finetune=0.72), alpha=0.05)]
    )
    assert "one seed says nothing of how trainings scatter" in said[0]
    assert "At 10 labels per class, a tie within 1 point takes at least 299 test images; here are 150." in said


def test_advice_that_holds_at_several_budgets_is_given_once_with_all_of_them():
    table = outcomes(images=150, seeds=1, scratch_backbone=0.7, finetune=0.72)
    told = recommend_next_steps(compute_verdicts([replace(table, labels_per_class=k) for k in (5, 10, None)]))
    (settling,) = [sentence for sentence in told if "one seed says nothing" in sentence]
    assert settling.startswith(
        "At 5 and 10 labels per class and with all labels, finetune against scratch_backbone: one"
    )
    assert sum("a tie within" in sentence for sentence in told) == 1
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in [*told[:-1]])
    both = recommend_next_steps(compute_verdicts([table, replace(table, data="birds")]))
    assert both[0].startswith("flowers, at 10 labels per class, ") and both[1].startswith("birds, at 10 labels")


def test_declared_arms_that_are_equal_within_the_margin_are_said_to_be_and_nothing_is_advised():
    same = compute_verdict(
        outcomes(images=60_000, seeds=10, scratch_backbone=0.95, finetune=0.95, frozen=0.7), alpha=0.05
    )
    assert same.is_first_better is None and same.is_within_margin
    assert text.describe_declared_answer(same) == "the same within the margin" and recommend_next_steps([same]) == []
    lead = compute_verdict(outcomes(images=60_000, seeds=10, scratch_backbone=0.950, finetune=0.956), alpha=0.05)
    assert text.describe_declared_answer(lead) == "yes, by less than the margin"
    assert (
        text.describe_declared_answer(
            compute_verdict(outcomes(images=150, scratch_backbone=0.7, finetune=0.7), alpha=0.05)
        )
        == "undecided"
    )


def test_a_tie_of_the_declared_arms_is_none_that_is_called_undecided():
    arms = {"scratch_backbone": 0.99, "finetune": 0.99}
    told = [compute_verdict(outcomes(images=4000, seeds=5, rng=rng, **arms), alpha=0.05) for rng in range(20)]
    assert {text.describe_declared_answer(said) for said in told if said.is_tie} == {"the same within the margin"}


def test_a_refused_arm_of_the_contrast_leaves_the_question_with_the_reason():
    table = outcomes(frozen=0.9, scratch_backbone=0.5)
    models = {**table.models, "finetune": "finetune"}
    said = compute_verdict(replace(table, models=models, exclusions={"finetune": "seed 0 never learned"}), alpha=0.05)
    assert text.declared_question(said) == "Did pretraining help?" and said.declared_pair is None
    assert text.describe_declared_answer(said) == "no answer: finetune was refused"


def test_an_early_look_has_the_level_of_all_budgets_that_were_asked_for():
    (said,) = compute_verdicts([replace(outcomes(frozen=0.9, finetune=0.9), num_planned_budgets=3)], level=0.05)
    assert said.alpha == pytest.approx(0.05 / 3)


def test_a_lead_is_small_only_where_its_whole_interval_is():
    said = compute_verdict(outcomes(scratch_backbone=0.5, finetune=0.7), alpha=0.05)
    found = said.contrasts["finetune", "scratch_backbone"]
    above = contrast_interval(found, said.alpha)[1]
    assert replace(said, margin=above + 0.001).has_small_lead
    assert not replace(said, margin=(found.mean + above) / 2).has_small_lead


def test_a_tie_takes_two_one_sided_tests_at_the_level():
    said = compute_verdict(outcomes(frozen=0.9, finetune=0.9), alpha=0.05)
    (pair,) = combinations(said.unbeaten, 2)
    one_sided, two_sided = (max(map(abs, contrast_interval(said.contrasts[pair], level))) for level in (0.1, 0.05))
    assert one_sided < two_sided
    assert (
        replace(said, margin=(one_sided + two_sided) / 2).is_tie and not replace(said, margin=0.999 * one_sided).is_tie
    )
