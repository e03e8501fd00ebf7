"""Whether fine-tuning and more photographs are worth it."""

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report

FINETUNING, PHOTOGRAPHS = "Is fine-tuning worth it?", "Do I need more photographs?"


@pytest.fixture
def answers(fake_run, fake_command):
    """Returns the answers for arms with these shares of correct images at each budget."""

    def of_arms(budgets=(20,), seeds=5, **shares):
        for arm, by_budget in shares.items():
            for budget, right in zip(budgets, by_budget, strict=True):
                for seed in range(seeds):
                    sweep = fake_run(arm, seed, budget, right, images=300).parent
        fake_command(sweep)
        (data,) = build_report(analyze_sweep(sweep))["data"]
        return {item["question"]: item for item in data["questions"]}

    return of_arms


class TestAnswerQuestions:
    def test_says_whether_fine_tuning_is_better(self, answers):
        assert answers(finetune=(0.95,), frozen=(0.5,))[FINETUNING]["answer"].startswith("Yes: +")

    def test_says_whether_fine_tuning_is_worse(self, answers):
        assert answers(finetune=(0.3,), knn=(0.8,))[FINETUNING]["answer"].startswith("No: −")

    def test_leaves_close_arms_open(self, answers):
        assert answers(finetune=(0.71,), frozen=(0.69,))[FINETUNING]["answer"].startswith("Not clear yet: +")

    def test_sees_no_sign_of_a_gain_where_fine_tuning_is_behind(self, answers):
        assert answers(finetune=(0.7,), frozen=(0.69,))[FINETUNING]["answer"].startswith("No sign of it: −")

    def test_asks_about_fine_tuning_where_both_arms_are(self, answers):
        assert list(answers(finetune=(0.9,), scratch_cnn=(0.5,))) == [PHOTOGRAPHS]

    def test_measures_what_more_labels_brought(self, answers):
        item = answers(budgets=(10, 20), finetune=(0.5, 0.9), frozen=(0.4, 0.4))[PHOTOGRAPHS]
        assert item["gain"] > 0.2 and f"finetune gained {100 * item['gain']:.1f}".removesuffix(".0") in item["answer"]

    def test_asks_for_no_photographs_where_arms_are_decided(self, answers):
        assert answers(finetune=(0.95,), frozen=(0.5,))[PHOTOGRAPHS]["answer"].startswith("Not for this choice.")

    def test_needs_a_verdict(self, answers):
        assert answers(frozen=(0.9,)) == {}
