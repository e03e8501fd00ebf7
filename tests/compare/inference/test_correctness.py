"""What each arm got right, from the files of its runs."""

import json

import numpy as np
import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.inference.correctness import build_correctness_tables
from headstart.compare.report.terminal import print_analysis
from headstart.compare.summary_table import collect_runs
from headstart.runs import run_directory
from headstart.runs.predictions import write_predictions

LABELS = np.arange(200) % 2


@pytest.fixture
def a_run(tmp_path):
    """Writes a run of ``tmp_path / "sweep"`` that has the first ``right`` of 200 images right."""

    def write(arm, seed, right=150, budget=5, data="photos", images=None, constant=False, fold=0, **more):
        directory = tmp_path / "sweep" / f"{arm}-{data}-{budget}-{seed}-{fold}"
        directory.mkdir(parents=True)
        result = {"status": "finished", "model": arm, "arm": arm, "data": data, "labels_per_class": budget,
                  "seed": seed, "identity": directory.name, "metrics": {"test/accuracy": right / 200},
                  "cost": {"seconds": 1.0, "trainable_parameters": 10}, "settings": {}, "fold": fold}  # fmt: skip
        (directory / run_directory.RESULT_FILE).write_text(json.dumps(result | more))
        predicted = np.where(np.arange(200) < right, LABELS, 1 - LABELS)
        predicted = np.zeros_like(LABELS) if constant else predicted
        probabilities = np.eye(2, dtype=np.float32)[predicted]
        write_predictions(directory, images or [f"{i}.png" for i in range(200)], LABELS, probabilities)
        return tmp_path / "sweep"

    return write


def test_the_table_of_an_arm_has_a_row_a_seed_and_a_column_an_image(a_run):
    for arm, right in (("frozen", 120), ("finetune", 160)):
        for seed in range(3):
            sweep = a_run(arm, seed, right - seed)
    (table,) = build_correctness_tables(collect_runs(sweep).finished)
    assert table.seeds == (0, 1, 2) and table.num_images == 200
    assert table.correct["finetune"].shape == (3, 200)
    assert table.correct["frozen"].sum(axis=1).tolist() == [120, 119, 118]


def test_only_seeds_that_every_arm_has_are_compared_and_the_others_are_named(a_run, capsys):
    for arm, seeds in (("frozen", (0, 1, 2)), ("finetune", (1, 2, 3))):
        for seed in seeds:
            sweep = a_run(arm, seed)
    (table,) = build_correctness_tables(collect_runs(sweep).finished)
    assert table.seeds == (1, 2) and table.unshared_seeds == {"frozen": [0], "finetune": [3]}
    print_analysis(analyze_sweep(sweep))
    assert "At 5 labels per class, left out: seed 0 of frozen, which other arms lack" in capsys.readouterr().out


def test_budgets_and_data_sets_are_compared_within_themselves(a_run):
    for data, budget in (("photos", 40), ("photos", None), ("photos", 5), ("digits", 5)):
        for arm in ("frozen", "finetune"):
            sweep = a_run(arm, 0, budget=budget, data=data)
    assert [(t.data, t.labels_per_class) for t in build_correctness_tables(collect_runs(sweep).finished)] == [
        ("digits", 5), ("photos", 5), ("photos", 40), ("photos", None)]  # fmt: skip


def test_arms_without_a_seed_in_common_keep_their_budgets_card_and_that_is_said(a_run, capsys):
    for arm, seeds in (("frozen", (0, 1)), ("finetune", (0, 1)), ("scratch_cnn", (2,))):
        for seed in seeds:
            sweep = a_run(arm, seed)
    (table,) = build_correctness_tables(collect_runs(sweep).finished)
    assert not table.correct and table.unshared_seeds == {"frozen": [0, 1], "finetune": [0, 1], "scratch_cnn": [2]}
    print_analysis(analyze_sweep(sweep))
    said = capsys.readouterr().out
    assert "no verdict: its arms share no seed" in said and "left out: seed 2 of scratch_cnn" in said


def test_one_arm_alone_is_compared_with_nothing(a_run, capsys):
    sweep = a_run("frozen", 0)
    assert build_correctness_tables(collect_runs(sweep).finished) == []
    print_analysis(analyze_sweep(sweep))
    assert "beat" not in capsys.readouterr().out


def test_runs_on_other_test_images_do_not_compare(a_run, capsys):
    a_run("frozen", 0)
    sweep = a_run("finetune", 0, images=[f"other{i}.png" for i in range(200)])
    (table,) = build_correctness_tables(collect_runs(sweep).finished)
    assert "tested on other images" in table.error and not table.correct
    print_analysis(analyze_sweep(sweep))
    said = capsys.readouterr().out
    assert "finetune" in said and "no verdict: " in said


def test_predictions_that_are_lost_cost_the_verdict_of_their_budget_and_not_the_table(a_run, capsys):
    for budget in (5, 10):
        a_run("frozen", 0, 100, budget=budget)
        sweep = a_run("finetune", 0, 190, budget=budget)
    (sweep / "frozen-photos-5-0-0" / run_directory.PREDICTIONS_FILE).write_bytes(b"half")
    print_analysis(analyze_sweep(sweep))
    said = capsys.readouterr().out
    assert said.count("no verdict: ") == 1 and "frozen-photos-5-0-0/predictions.parquet: cannot be read" in said
    assert "finetune wins" in said and "97.5 % confidence" in said  # the level stays split over both budgets


def test_the_end_of_a_sweep_says_both_answers(a_run, capsys):
    for arm, right in (("scratch_backbone", 100), ("frozen", 170), ("finetune", 171)):
        for seed in range(3):
            sweep = a_run(arm, seed, right + seed)
    print_analysis(analyze_sweep(sweep))
    said = capsys.readouterr().out
    assert "Did pretraining help? finetune against scratch_backbone, 96.2 % intervals in points" in said
    assert "+35.5" in said and " yes" in said
    assert "undecided between finetune and frozen; each beats scratch_backbone" in said


def test_the_level_of_an_interval_stands_in_its_row_where_rows_differ(a_run, capsys):
    for budget, arms in ((5, ("scratch_backbone", "frozen", "finetune")), (10, ("scratch_backbone", "finetune"))):
        for arm in arms:
            for seed in range(3):
                sweep = a_run(arm, seed, 150 + seed, budget=budget)
    print_analysis(analyze_sweep(sweep))
    said = capsys.readouterr().out
    asked = said.partition("Did pretraining help? ")[2].splitlines()
    assert asked[0] == "finetune against scratch_backbone, intervals in points"
    assert asked[1].split() == ["labels/class", "difference", "interval", "level", "answer"]
    assert "  98.1 %  " in asked[2] and "  97.5 %  " in asked[3]


def test_one_seed_speaks_for_the_trained_networks_alone(a_run, capsys):
    a_run("scratch_backbone", 0, 100)
    print_analysis(analyze_sweep(a_run("finetune", 0, 170)))
    said = capsys.readouterr().out
    assert "finetune wins" in said and "for these trained networks only" in said


def test_folds_are_joined_into_a_row_over_all_images(a_run):
    for arm, right in (("frozen", 100), ("finetune", 150)):
        for seed in range(2):
            for fold in range(3):
                names = [f"{fold}-{i}.png" for i in range(200)]
                sweep = a_run(arm, seed, right + fold, images=names, fold=fold, folds=3)
    a_run("finetune", 2, fold=0, folds=3)
    (table,) = build_correctness_tables(collect_runs(sweep).finished)
    assert table.folds == 3 and table.num_images == 600 and table.seeds == (0, 1)
    assert table.unshared_seeds == {"finetune": [2]}
    assert table.correct["finetune"].sum(axis=1).tolist() == [453, 453]


def test_an_arm_that_never_learned_or_failed_is_taken_out_where_it_did_and_named(a_run, capsys):
    for budget in (5, 10):
        for arm in ("scratch_backbone", "frozen", "finetune"):
            for seed in range(3):
                stuck = arm == "scratch_backbone" and budget == 5 and seed == 1
                training = {"loss": 0.69 if stuck else 0.2, "label_entropy": 0.693}
                sweep = a_run(arm, seed, budget=budget, training=training)
    a_run("finetune", 3, budget=10, status="failed", error="the loss is NaN")
    every = collect_runs(sweep)
    five, ten = build_correctness_tables([*every.finished, *every.failures])
    assert set(five.correct) == {"frozen", "finetune"} and set(ten.correct) == {"frozen", "scratch_backbone"}
    assert "seed 1 never learned" in five.exclusions["scratch_backbone"]
    assert ten.exclusions == {"finetune": "seed 3 failed: the loss is NaN"}
    print_analysis(analyze_sweep(sweep))
    said = capsys.readouterr().out
    assert "At 5 labels per class, scratch_backbone is refused as evidence: seed 1 never learned" in said
    assert "At 10 labels per class, finetune is refused as evidence: seed 3 failed" in said
    assert "no answer: finetune was refused" in said and "seed 3 failed: the loss is NaN" in said
    assert [line.split()[:2] for line in said.splitlines() if line.endswith("  refused")] == [
        ["scratch_backbone", "5"], ["finetune", "10"]]  # fmt: skip


def test_two_arms_one_of_which_never_learned_have_no_verdict(a_run, capsys):
    a_run("scratch_cnn", 0, training={"loss": 0.693, "label_entropy": 0.693})
    print_analysis(analyze_sweep(a_run("finetune", 0, 190, training={"loss": 0.1, "label_entropy": 0.693})))
    said = capsys.readouterr().out
    assert "no verdict: only finetune is fit to be compared" in said and "wins" not in said


def test_a_run_that_names_one_class_for_every_image_is_pointed_out(a_run):
    a_run("frozen", 0)
    (table,) = build_correctness_tables(collect_runs(a_run("finetune", 0, constant=True)).finished)
    assert table.constant_seeds == {"finetune": [0]}


def test_seeds_that_were_added_later_are_counted_as_a_look(a_run):
    for arm in ("frozen", "finetune"):
        for seed in range(4):
            sweep = a_run(arm, seed, asked_seeds=[0, 1] if seed < 2 else [0, 1, 2, 3])
    (table,) = build_correctness_tables(collect_runs(sweep).finished)
    assert table.num_looks == 2
