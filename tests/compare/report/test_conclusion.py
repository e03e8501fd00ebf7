"""What a verdict means for a user."""

from dataclasses import replace

import pytest

from headstart.compare.best_arm import select_best_arm
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.inference.looks import plan_looks
from headstart.compare.report.answers import guess_score
from headstart.compare.report.conclusion import Conclusion, conclude_verdicts, select_next_step
from headstart.compare.report.content import build_report
from headstart.compare.report.recommendations import NextStep
from headstart.reporting.formats import format_percent, format_signed_points

WINNING = {"finetune": 0.95, "frozen": 0.7, "scratch_backbone": 0.45}
OPEN = {"finetune": 0.76, "frozen": 0.7, "scratch_backbone": 0.3}


@pytest.fixture
def analyze(fake_run):
    def of_arms(shares, seeds=5, images=400, **changes):
        for arm, right in shares.items():
            for seed in range(seeds):
                cost = {"seconds": {"frozen": 2.0, "scratch_backbone": 29.0}.get(arm, 30.0), "seconds_in_all": 31.0}
                sweep = fake_run(arm, seed, right=right, images=images, cost=cost, **changes).parent
        return analyze_sweep(sweep)

    return of_arms


class TestConcludeVerdicts:
    def test_names_the_winner_with_its_leads_and_cost(self, analyze):
        analysis = analyze(WINNING)
        (conclusion,) = conclude_verdicts(analysis)
        (answer,) = build_report(analysis)["data"][0]["answers"]
        assert conclusion.is_clear and conclusion.arm == "finetune"
        winner, pairs = (
            answer["arms"][0],
            {pair["second"]: pair for pair in answer["pairs"] if pair["first"] == "finetune"},
        )
        parts = [format_percent(winner[key]) for key in ("mean", "low", "high")]
        for rival in ("frozen", "scratch_backbone"):
            parts += [rival, *(format_signed_points(pairs[rival][key]) for key in ("difference", "low", "high"))]
        for part in [*parts, "30.0 s"]:
            assert part in conclusion.text

    def test_names_the_best_and_the_cheapest_of_open_arms(self, analyze):
        (conclusion,) = conclude_verdicts(analyze(OPEN))
        assert not conclusion.is_clear and conclusion.arm == "finetune"
        assert "Best so far: finetune" in conclusion.text and "Cheapest: frozen" in conclusion.text
        assert "2.0 s" in conclusion.text and "30.0 s" in conclusion.text

    def test_says_where_more_trainings_are_unlikely_to_decide(self, analyze):
        analysis = analyze(OPEN)
        (verdict,) = analysis.verdicts
        table = replace(verdict.table, schedule=plan_looks(20))
        ended = replace(verdict, table=table, looks=plan_looks(20)[:1])
        (conclusion,) = conclude_verdicts(replace(analysis, verdicts=[ended]))
        assert "more trainings are unlikely to tell" in conclusion.text
        assert "yet" not in conclusion.text + conclusion.brief and "so far" not in conclusion.text + conclusion.brief
        (waiting,) = conclude_verdicts(replace(analysis, verdicts=[replace(ended, next_look=plan_looks(20)[1])]))
        assert "No clear winner yet" in waiting.text

    def test_names_no_cheapest_where_it_saves_next_to_nothing(self, analyze):
        (conclusion,) = conclude_verdicts(analyze({"finetune": 0.72, "scratch_backbone": 0.7}))
        assert not conclusion.is_clear and "Best so far: finetune" in conclusion.text
        assert "heapest" not in conclusion.text and "30.0 s" in conclusion.text

    @pytest.mark.parametrize("shares", [WINNING, OPEN])
    def test_names_the_arm_that_a_refit_trains(self, analyze, shares):
        analysis = analyze(shares)
        assert conclude_verdicts(analysis)[0].arm == select_best_arm("sweep", analysis).name

    def test_uses_the_cheapest_of_equal_arms(self, analyze):
        (conclusion,) = conclude_verdicts(analyze({"finetune": 1.0, "frozen": 1.0}, images=3000))
        assert conclusion.is_clear and conclusion.arm == "frozen"

    def test_names_the_declared_metric(self, analyze):
        (conclusion,) = conclude_verdicts(analyze(WINNING, compare={"metric": "balanced_accuracy"}))
        assert "% balanced accuracy" in conclusion.text and "points of balanced accuracy" in conclusion.text


class TestSelectNextStep:
    def test_takes_that_of_the_largest_budget(self, fake_sweep, fake_command):
        sweep = fake_sweep(seeds=(0,))
        fake_command(sweep)
        conclusions = conclude_verdicts(analyze_sweep(sweep))
        steps = [conclusion.next_step for conclusion in conclusions]
        assert select_next_step(conclusions) == next((step for step in steps[::-1] if step), None)
        assert select_next_step([]) is None

    def test_takes_none_where_the_largest_budget_is_clear(self, analyze):
        (clear,), step = conclude_verdicts(analyze(WINNING)), NextStep("images", "more images")
        smaller = Conclusion("photos", 2, "Open.", "open", next_step=step)
        assert select_next_step([smaller]) is step and select_next_step([smaller, clear]) is None


class TestGuessScore:
    def test_is_the_share_of_the_most_frequent_class(self, analyze):
        (verdict,) = analyze(OPEN, seeds=1, images=100).verdicts
        assert guess_score(verdict) == 0.34

    def test_is_one_of_the_classes_by_balanced_accuracy(self, analyze):
        (verdict,) = analyze(OPEN, seeds=1, images=100, compare={"metric": "balanced_accuracy"}).verdicts
        assert guess_score(verdict) == pytest.approx(1 / 3)
