"""Whether training from scratch overfits, with cases in which the claim must fail."""

import pytest

from headstart.understand.transfer.generalization_gap import generalization_gaps, overfitting_verdict


def rows(scratch=1.0, finetune=0.4, seeds=3, budgets=(5, 10)):
    """Runs with these gaps, jittered by a few hundredths."""
    return [
        {
            "arm": arm,
            "pretrained": arm != "scratch",
            "labels_per_class": budget,
            "seed": seed,
            "train_loss": 0.1,
            "test_loss": 0.1 + gap + 0.02 * (seed * place % 3),
            "accuracy": 0.8,
        }
        for place, (arm, gap) in enumerate({"scratch": scratch, "finetune": finetune, "frozen": 0.2}.items())
        for budget in budgets
        for seed in range(seeds)
    ]


def test_a_gap_is_what_test_images_cost_more_than_training_images():
    found = generalization_gaps(rows())
    assert [(gap.labels_per_class, gap.arm) for gap in found[:3]] == [(5, "finetune"), (5, "frozen"), (5, "scratch")]
    assert found[2].loss_gap.value == pytest.approx(1.0) and found[2].excess.value == pytest.approx(0.58)
    assert found[0].excess is None and found[0].accuracy.value == pytest.approx(0.8)


def test_it_is_held_against_the_largest_gap_of_a_pretrained_arm():
    assert (
        generalization_gaps(rows(finetune=0.9))[2].excess.value
        < 0.1
        < generalization_gaps(rows(finetune=0.1))[2].excess.value
    )


def test_folds_are_averaged_and_all_labels_come_last():
    folded = [{**row, "test_loss": row["test_loss"] + shift} for row in rows() for shift in (-0.1, 0.1)]
    assert generalization_gaps(folded)[2].loss_gap == pytest.approx(generalization_gaps(rows())[2].loss_gap)
    assert generalization_gaps(rows(budgets=(None, 5)))[-1].labels_per_class is None


def test_the_claim_holds_where_every_gap_from_scratch_is_the_larger_one():
    assert overfitting_verdict(generalization_gaps(rows())) == "holds"


def test_the_claim_fails_where_the_pretrained_gap_is_the_larger_one_or_there_is_no_gap():
    assert overfitting_verdict(generalization_gaps(rows(scratch=0.1))) == "fails"
    assert overfitting_verdict(generalization_gaps(rows(scratch=-0.5, finetune=-0.9))) == "fails"


def test_it_depends_where_budgets_differ_or_seeds_do_not_tell():
    mixed = [row for row in rows() if row["labels_per_class"] == 5] + rows(scratch=0.1, budgets=(10,))
    assert overfitting_verdict(generalization_gaps(mixed)) == "depends"
    assert overfitting_verdict(generalization_gaps(rows(scratch=0.43))) == "depends"
    unsure = [row for row in rows(scratch=0.43) if row["labels_per_class"] == 5] + rows(scratch=0.1, budgets=(10,))
    assert overfitting_verdict(generalization_gaps(unsure)) == "depends", (
        "one that surely has none says nothing of the other"
    )
    assert overfitting_verdict(generalization_gaps(rows(seeds=1))) == "depends"


def test_without_a_pretrained_arm_nothing_is_measured():
    assert (
        overfitting_verdict(generalization_gaps([row for row in rows() if not row["pretrained"]]))
        == "not measured"
        == overfitting_verdict([])
    )
