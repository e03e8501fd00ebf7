"""What a comparison declares, and which declaration of its runs counts."""

import pytest

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.declaration import Comparison
from headstart.compare.inference.analysis import analyze_sweep, find_conflicting_declarations, select_comparison
from headstart.compare.report import text
from headstart.compare.report.content import build_report
from headstart.errors import HeadstartError

EARLY, LATE = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"


class TestComparison:
    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"contrast": ["finetune"]}, r"compare\.contrast"),
            ({"contrast": ["frozen", "frozen"]}, r"compare\.contrast"),
            ({"metric": "f1"}, r"compare\.metric=f1: give accuracy or balanced_accuracy"),
            ({"margin": 0}, r"compare\.margin=0"),
            ({"margin": "wide"}, r"compare\.margin=wide"),
            ({"level": 0.9}, r"compare\.level=0\.9"),
        ],
    )
    def test_refuses_values_out_of_range(self, values, message):
        with pytest.raises(HeadstartError, match=message):
            Comparison(**values)


class TestSelectComparison:
    def test_has_defaults_without_a_declaration(self, fake_run):
        assert select_comparison(collect_runs(fake_run().parent)) == Comparison()

    def test_takes_the_first_run_that_started(self, fake_run):
        late = {"contrast": ["frozen", "scratch_cnn"], "metric": "accuracy", "margin": 0.2, "level": 0.4}
        early = {"contrast": ["frozen", "finetune"], "metric": "balanced_accuracy", "margin": 0.02, "level": 0.1}
        fake_run("frozen", compare=late, started=LATE)
        run = fake_run("finetune", compare=early, started=EARLY)
        (verdict,) = analyze_sweep(run.parent).verdicts
        assert verdict.declared_pair == ("frozen", "finetune") and verdict.metric == "balanced_accuracy"
        assert (verdict.margin, verdict.alpha) == (0.02, 0.1)
        assert text.declared_question(verdict) == "Is frozen better than finetune?"


class TestFindConflictingDeclarations:
    def test_lists_the_values_with_the_earliest_first(self, fake_run):
        declared = {"contrast": ["finetune", "frozen"], "margin": 0.01}
        fake_run("frozen", compare={**declared, "margin": 0.05}, started=LATE)
        analysis = analyze_sweep(fake_run("finetune", compare=declared, started=EARLY).parent)
        assert find_conflicting_declarations(analysis.runs) == {"margin": [0.01, 0.05]}
        assert "(compare.margin: 0.01 or 0.05)" in build_report(analysis)["cautions"][0]

    def test_is_empty_for_equal_declarations(self, fake_run):
        fake_run("frozen", compare={"margin": 0.01})
        runs = collect_runs(fake_run("finetune", compare={"margin": 0.01}).parent)
        assert find_conflicting_declarations(runs) == {}


class TestLevel:
    def test_is_split_over_planned_budgets(self, fake_sweep, fake_command, missing_run):
        sweep = fake_sweep(budgets=(5,))
        fake_command(sweep)
        fake_command(sweep, [missing_run(budget=budget) for budget in (10, 20)])
        (verdict,) = analyze_sweep(sweep).verdicts
        assert verdict.alpha == pytest.approx(0.05 / 3)

    def test_is_each_data_sets_own(self, fake_sweep, tmp_path):
        fake_sweep(budgets=(5, 20), data="one", settings={"data.image_size": 32})
        fake_sweep(budgets=(5,), data="other", settings={"data.image_size": 64})
        verdicts = {(v.table.data, v.table.labels_per_class): v for v in analyze_sweep(tmp_path / "sweep").verdicts}
        assert verdicts["other", 5].alpha == pytest.approx(0.05)
        assert verdicts["one", 5].alpha == pytest.approx(0.025)
        assert set(verdicts["other", 5].table.correct) == {"scratch_cnn", "scratch_backbone", "frozen", "finetune"}

    def test_stays_split_where_two_sweeps_conflict(self, fake_sweep, tmp_path):
        for sweep, budget in (("old", 5), ("new", 5), ("new", 20)):
            fake_sweep(budgets=(budget,), sweep=sweep)
        conflicting, whole = analyze_sweep(tmp_path / "old", tmp_path / "new").verdicts
        assert "are the same arm and seed and differ" in conflicting.table.error and conflicting.unbeaten == []
        assert whole.unbeaten and whole.alpha == 0.025


class TestContrast:
    def test_has_no_answer_without_its_arms(self, fake_run):
        for arm in ("frozen", "finetune"):
            run = fake_run(arm, compare={"contrast": ["finetune", "distilled"]})
        report = build_report(analyze_sweep(run.parent))
        assert report["data"][0]["answers"][0]["question"] is None
        assert any("finetune against distilled has no answer" in line for line in report["cautions"])

    def test_may_name_two_arms_of_one_model(self, fake_run, tmp_path):
        pair = ["finetune lr=0.1", "finetune lr=0.2"]
        for lr in (0.1, 0.2):
            settings = {"model.lr": lr, "pad": "x" * int(10 * lr)}
            for seed in range(3):
                fake_run("finetune", seed, right=4 * lr, settings=settings, compare={"contrast": pair})
        (verdict,) = analyze_sweep(tmp_path / "sweep").verdicts
        assert verdict.declared_pair == tuple(pair)
        assert text.declared_question(verdict) == f"Is {pair[0]} better than {pair[1]}?"
