"""What a comparison asks, and by which of its runs' declarations it is judged."""

import pytest

from headstart.compare.declaration import Comparison
from headstart.compare.inference.analysis import analyze_sweep, find_conflicting_declarations, select_comparison
from headstart.compare.report import text
from headstart.compare.report.content import build_report
from headstart.compare.summary_table import collect_runs
from headstart.errors import HeadstartError


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"contrast": ["finetune"]}, r"compare\.contrast"),
        ({"contrast": ["frozen", "frozen"]}, r"compare\.contrast"),
        ({"metric": "f1"}, r"compare\.metric=f1: give accuracy or balanced_accuracy"),
        ({"margin": 0}, r"compare\.margin=0"),
        ({"margin": "wide"}, r"compare\.margin=wide"),
        ({"level": 0.9}, r"compare\.level=0\.9"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_one_line(how, told):
    with pytest.raises(HeadstartError, match=told):
        Comparison(**how)


def test_old_runs_that_declared_nothing_are_judged_by_the_defaults(fake_sweep):
    assert select_comparison(collect_runs(fake_sweep(seeds=(0,), budgets=(5,)))) == Comparison()


def test_the_declaration_of_the_first_run_counts_since_a_later_one_knew_its_result(fake_run):
    late = {"contrast": ["frozen", "scratch_cnn"], "metric": "accuracy", "margin": 0.2, "level": 0.4}
    early = {**late, "contrast": ["frozen", "finetune"], "margin": 0.02, "metric": "balanced_accuracy", "level": 0.1}
    fake_run("frozen", compare=late, started="2026-02-01T00:00:00+00:00")
    place = fake_run("finetune", compare=early, started="2026-01-01T00:00:00+00:00")
    (verdict,) = analyze_sweep(place.parent).verdicts
    assert verdict.declared_pair == ("frozen", "finetune") and verdict.metric == "balanced_accuracy"
    assert (verdict.margin, verdict.alpha) == (0.02, 0.1)
    assert text.declared_question(verdict) == "Is frozen better than finetune?"


def test_a_look_at_an_unfinished_sweep_has_the_level_of_the_whole(fake_sweep):
    (verdict,) = analyze_sweep(fake_sweep(budgets=(5,), asked_budgets=3)).verdicts
    assert verdict.alpha == pytest.approx(0.05 / 3)


def test_several_data_sets_do_not_share_a_level_nor_names_of_arms(fake_sweep, tmp_path):
    fake_sweep(budgets=(5, 20), data="one", settings={"data.image_size": 32})
    fake_sweep(budgets=(5,), data="other", settings={"data.image_size": 64})
    of = {(v.table.data, v.table.labels_per_class): v for v in analyze_sweep(tmp_path / "sweep").verdicts}
    assert of["other", 5].alpha == pytest.approx(0.05) and of["one", 5].alpha == pytest.approx(0.025)
    assert set(of["other", 5].table.correct) == {"scratch_cnn", "scratch_backbone", "frozen", "finetune"}


def test_two_runs_of_one_seed_that_differ_are_no_two_seeds(fake_sweep, tmp_path):
    fake_sweep(budgets=(5,), sweep="old")
    fake_sweep(budgets=(5,), sweep="new")
    fake_sweep(budgets=(20,), sweep="new")
    spoilt, whole = analyze_sweep(tmp_path / "old", tmp_path / "new").verdicts
    assert "are the same arm and seed and differ" in text.describe_unbeaten(spoilt) and spoilt.unbeaten == []
    assert whole.unbeaten and whole.alpha == 0.025


def test_declarations_that_differ_are_told(fake_run, tmp_path):
    asked = {"contrast": ["finetune", "frozen"], "margin": 0.01}
    fake_run("frozen", compare={**asked, "margin": 0.05}, started="2026-02-01T00:00:00+00:00")
    fake_run("finetune", compare=asked, started="2026-01-01T00:00:00+00:00")
    assert find_conflicting_declarations(analyze_sweep(tmp_path / "sweep").runs) == {"margin": [0.01, 0.05]}
    caution = build_report(tmp_path / "sweep")["cautions"][0]
    assert "(compare.margin: 0.01 or 0.05)" in caution and "the first to train" in caution
    fake_run("frozen", sweep="alike", compare=asked)
    fake_run("finetune", sweep="alike", compare=asked)
    assert not any("declared" in sentence for sentence in build_report(tmp_path / "alike")["cautions"])


def test_a_contrast_of_arms_that_are_not_there_has_no_answer_and_that_is_said(fake_run, tmp_path):
    for arm in ("frozen", "finetune"):
        fake_run(arm, compare={"contrast": ["finetune", "distilled"]})
    said = build_report(tmp_path / "sweep")
    assert said["data"][0]["answers"][0]["question"] is None
    told = "At 5 labels per class, finetune against distilled has no answer: no run of distilled is here."
    assert told in said["cautions"]


def test_an_arms_own_name_declares_a_contrast_of_two_arms_of_one_model(fake_run, tmp_path):
    pair = ["finetune lr=0.1", "finetune lr=0.2"]
    for lr in (0.1, 0.2):
        for seed in range(3):
            fake_run(
                "finetune",
                seed,
                right=4 * lr,
                settings={"model.lr": lr, "pad": "x" * int(10 * lr)},
                compare={"contrast": pair},
            )
    (verdict,) = analyze_sweep(tmp_path / "sweep").verdicts
    assert (
        verdict.declared_pair == tuple(pair)
        and text.declared_question(verdict) == f"Is {pair[0]} better than {pair[1]}?"
    )
