from dataclasses import replace

import pytest

from headstart.understand.transfer.generalization_gap import generalization_gaps, overfitting_verdict


@pytest.fixture
def gap_rows(run_row):
    """A function that builds runs with given gaps, which vary by a few hundredths over seeds."""

    def build(scratch=1.0, finetune=0.4, seeds=3, budgets=(5, 10)):
        gaps = {"scratch": scratch, "finetune": finetune, "frozen": 0.2}
        return [
            run_row(
                arm,
                seed,
                labels_per_class=budget,
                training_loss=0.1,
                test_loss=0.1 + gap + 0.02 * (seed * i % 3),
            )
            for i, (arm, gap) in enumerate(gaps.items())
            for budget in budgets
            for seed in range(seeds)
        ]

    return build


def compute_verdict(rows):
    return overfitting_verdict(generalization_gaps(rows))


class TestGeneralizationGaps:
    def test_is_test_loss_minus_training_loss(self, gap_rows):
        gaps = generalization_gaps(gap_rows())
        assert [(gap.labels_per_class, gap.arm) for gap in gaps[:3]] == [(5, "finetune"), (5, "frozen"), (5, "scratch")]
        assert gaps[2].loss_gap.value == pytest.approx(1.0) and gaps[2].excess.value == pytest.approx(0.58)
        assert gaps[0].excess is None and gaps[0].accuracy.value == pytest.approx(0.8)

    @pytest.mark.parametrize(("finetune", "excess"), [(0.9, 0.1), (0.1, 0.8)])
    def test_excess_is_over_the_largest_pretrained_gap(self, gap_rows, finetune, excess):
        assert generalization_gaps(gap_rows(finetune=finetune))[2].excess.value == pytest.approx(excess, abs=0.03)

    def test_averages_folds(self, gap_rows):
        folds = [replace(row, test_loss=row.test_loss + shift) for row in gap_rows() for shift in (-0.1, 0.1)]
        expected = generalization_gaps(gap_rows())[2].loss_gap
        assert generalization_gaps(folds)[2].loss_gap == pytest.approx(expected)

    def test_all_labels_come_last(self, gap_rows):
        assert generalization_gaps(gap_rows(budgets=(None, 5)))[-1].labels_per_class is None

    def test_ignores_runs_without_a_training_loss(self, gap_rows):
        assert generalization_gaps([replace(row, training_loss=None) for row in gap_rows()]) == []


class TestOverfittingVerdict:
    def test_holds_if_every_gap_from_scratch_is_larger(self, gap_rows):
        assert compute_verdict(gap_rows()) == "holds"

    @pytest.mark.parametrize("gaps", [{"scratch": 0.1}, {"scratch": -0.5, "finetune": -0.9}])
    def test_fails_if_a_pretrained_gap_is_larger_or_there_is_none(self, gap_rows, gaps):
        assert compute_verdict(gap_rows(**gaps)) == "fails"

    def test_depends_if_budgets_differ(self, gap_rows):
        contrary = gap_rows(scratch=0.1, budgets=(10,))
        assert compute_verdict(gap_rows(budgets=(5,)) + contrary) == "depends"
        assert compute_verdict(gap_rows(scratch=0.43, budgets=(5,)) + contrary) == "depends"

    def test_depends_if_seeds_do_not_decide(self, gap_rows):
        assert compute_verdict(gap_rows(scratch=0.43)) == "depends"
        assert compute_verdict(gap_rows(seeds=1)) == "depends"

    def test_is_not_measured_without_a_pretrained_arm(self, gap_rows):
        rows = [row for row in gap_rows() if not row.is_pretrained]
        assert compute_verdict(rows) == compute_verdict([]) == "not measured"
