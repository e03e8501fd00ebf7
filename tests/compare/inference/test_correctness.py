"""Which images each arm classifies correctly, from the files of its runs."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.inference.correctness import build_correctness_tables
from headstart.compare.inference.looks import plan_looks
from headstart.compare.report.caveats import collect_caveats
from headstart.compare.report.terminal import print_analysis
from headstart.runs.predictions import write_predictions
from headstart.runs.result import RunResult, write_result
from headstart.runs.run_directory import PREDICTIONS_FILE
from headstart.runs.sweep_file import PlannedRun, SweepCommand, append_sweep_command

LABELS = np.arange(200) % 2


def plan_run(model, seed, fold=None):
    name = f"{model}-{seed}-{fold}"
    return PlannedRun(name, name, model, {}, "photos", 5, seed, fold or 0, None if fold is None else 5)


@pytest.fixture
def fake_run(tmp_path):
    """Writes a run that has the first ``correct`` of 200 images right; returns its sweep."""

    def write(arm, seed, correct=150, budget=5, data="photos", images=None, constant=False, fold=0, **changes):
        directory = tmp_path / "sweep" / f"{arm}-{data}-{budget}-{seed}-{fold}"
        directory.mkdir(parents=True)
        result = RunResult(
            "finished",
            arm,
            data,
            seed,
            labels_per_class=budget,
            fold=fold,
            identity=directory.name,
            metrics={"test/accuracy": correct / 200},
            cost={"seconds": 1.0, "trainable_parameters": 10},
        )
        write_result(directory, replace(result, **changes))
        predicted = np.where(np.arange(200) < correct, LABELS, 1 - LABELS)
        predicted = np.zeros_like(LABELS) if constant else predicted
        names = images or [f"{i}.png" for i in range(200)]
        write_predictions(directory, names, LABELS, np.eye(2, dtype=np.float32)[predicted])
        return tmp_path / "sweep"

    return write


def build_tables(sweep):
    return build_correctness_tables(collect_runs(sweep))


class TestBuildCorrectnessTables:
    def test_has_a_row_a_seed_and_a_column_an_image(self, fake_run):
        for (arm, correct), seed in product((("frozen", 120), ("finetune", 160)), range(3)):
            sweep = fake_run(arm, seed, correct - seed)
        (table,) = build_tables(sweep)
        assert table.seeds == (0, 1, 2) and table.num_images == 200
        assert table.correct["finetune"].shape == (3, 200)
        assert table.correct["frozen"].sum(axis=1).tolist() == [120, 119, 118]

    def test_compares_the_seeds_that_all_arms_have(self, fake_run):
        for arm, seeds in (("frozen", (0, 1, 2)), ("finetune", (1, 2, 3))):
            for seed in seeds:
                sweep = fake_run(arm, seed)
        (table,) = build_tables(sweep)
        assert table.seeds == (1, 2) and table.unshared_seeds == {"frozen": [0], "finetune": [3]}

    def test_has_no_images_without_a_shared_seed(self, fake_run):
        for arm, seeds in (("frozen", (0, 1)), ("finetune", (0, 1)), ("scratch_cnn", (2,))):
            for seed in seeds:
                sweep = fake_run(arm, seed)
        (table,) = build_tables(sweep)
        assert not table.correct
        assert table.unshared_seeds == {"frozen": [0, 1], "finetune": [0, 1], "scratch_cnn": [2]}

    def test_sorts_data_sets_and_budgets(self, fake_run):
        for data, budget in (("photos", 40), ("photos", None), ("photos", 5), ("digits", 5)):
            for arm in ("frozen", "finetune"):
                sweep = fake_run(arm, 0, budget=budget, data=data)
        assert [(table.data, table.labels_per_class) for table in build_tables(sweep)] == [
            ("digits", 5),
            ("photos", 5),
            ("photos", 40),
            ("photos", None),
        ]

    def test_is_empty_for_a_single_arm(self, fake_run):
        assert build_tables(fake_run("frozen", 0)) == []

    def test_rejects_other_test_images(self, fake_run):
        fake_run("frozen", 0)
        (table,) = build_tables(fake_run("finetune", 0, images=[f"other{i}.png" for i in range(200)]))
        assert "tested on other images" in table.error and not table.correct

    def test_limits_a_lost_file_to_its_budget(self, fake_run):
        for budget, (arm, correct) in product((5, 10), (("frozen", 100), ("finetune", 190))):
            sweep = fake_run(arm, 0, correct, budget=budget)
        (sweep / "frozen-photos-5-0-0" / PREDICTIONS_FILE).write_bytes(b"half")
        five, ten = analyze_sweep(sweep).verdicts
        assert "frozen-photos-5-0-0/predictions.parquet: cannot be read" in five.table.error
        assert ten.unbeaten == ["finetune"] and ten.alpha == pytest.approx(0.025)

    def test_joins_folds_to_a_row_over_all_images(self, fake_run):
        for (arm, correct), seed, fold in product((("frozen", 100), ("finetune", 150)), range(2), range(3)):
            names = [f"{fold}-{i}.png" for i in range(200)]
            fake_run(arm, seed, correct + fold, images=names, fold=fold, folds=3)
        (table,) = build_tables(fake_run("finetune", 2, fold=0, folds=3))
        assert table.folds == 3 and table.num_images == 600 and table.seeds == (0, 1)
        assert table.unshared_seeds == {"finetune": [2]}
        assert table.correct["finetune"].sum(axis=1).tolist() == [453, 453]

    def test_excludes_arms_that_failed_or_never_learned(self, fake_run):
        for budget, arm, seed in product((5, 10), ("scratch_backbone", "frozen", "finetune"), range(3)):
            is_stuck = arm == "scratch_backbone" and budget == 5 and seed == 1
            fake_run(arm, seed, budget=budget, training={"loss": 0.69 if is_stuck else 0.2, "label_entropy": 0.693})
        five, ten = build_tables(fake_run("finetune", 3, budget=10, status="failed", error="the loss is NaN"))
        assert set(five.correct) == {"frozen", "finetune"} and set(ten.correct) == {"frozen", "scratch_backbone"}
        assert "seed 1 never learned" in five.exclusions["scratch_backbone"]
        assert ten.exclusions == {"finetune": "seed 3 failed: the loss is NaN"}

    def test_names_seeds_with_constant_predictions(self, fake_run):
        fake_run("frozen", 0)
        (table,) = build_tables(fake_run("finetune", 0, constant=True))
        assert table.constant_seeds == {"finetune": [0]}

    def test_counts_looks_at_added_seeds(self, fake_run, fake_command):
        for arm, seed in product(("frozen", "finetune"), range(4)):
            sweep = fake_run(arm, seed, started="2026-01-02")
        runs = sorted(sweep.iterdir())
        fake_command(sweep, [run for run in runs if run.name.endswith(("-0-0", "-1-0"))], "2026-01-01")
        fake_command(sweep, runs, "2026-01-03")
        (table,) = build_tables(sweep)
        assert table.num_looks == 2

    def test_reads_the_predictions_of_a_run_once(self, fake_run, monkeypatch):
        from headstart.compare.inference import analysis
        from headstart.compare.report.content import build_report

        for arm in ("frozen", "finetune"):
            sweep = fake_run(arm, 0)
        directories = []
        read = analysis.read_predictions
        monkeypatch.setattr(analysis, "read_predictions", lambda path: directories.append(path) or read(path))
        build_report(analysis.analyze_sweep(sweep))
        assert len(directories) == len(set(directories)) == 2


class TestRotation:
    """Seed s tests fold s mod 5 alone."""

    def write_runs(self, fake_run, arms, seeds=range(5)):
        for arm, seed in product(arms, seeds):
            fold = seed % 5
            sweep = fake_run(arm, seed, fold=fold, folds=5, images=[f"{fold}-{i}.png" for i in range(200)])
        return sweep

    def test_has_a_part_of_the_images_in_each_row(self, fake_run):
        (table,) = build_tables(self.write_runs(fake_run, ("frozen", "finetune"), range(3)))
        assert table.rotates and table.seeds == (0, 1, 2) and table.num_images == 600
        tested = ~np.isnan(table.correct["frozen"])
        assert tested.sum(axis=1).tolist() == [200] * 3 and (tested.sum(axis=0) == 1).all()
        assert table.tested_share == pytest.approx(3 / 5)

    def test_has_one_fold_where_seeds_repeat_it(self, fake_run):
        (table,) = build_tables(self.write_runs(fake_run, ("frozen", "finetune"), (0, 5, 10)))
        assert table.tested_share == pytest.approx(1 / 5) and table.folds_in(table.correct["frozen"]) == 1

    def test_has_all_images_after_five_seeds(self, fake_run):
        (table,) = build_tables(self.write_runs(fake_run, ("frozen", "finetune"), range(7)))
        assert table.num_images == 1000 and table.tested_share == 1 and len(table.seeds) == 7

    def test_is_not_that_of_an_unfinished_sweep_of_all_folds(self, fake_run):
        sweep = self.write_runs(fake_run, ("frozen", "finetune"), [0])
        plan = SweepCommand("all", "2026-11-30", tuple(plan_run(arm, 0, k) for arm in "ab" for k in range(5)), {})
        append_sweep_command(sweep, plan)
        (table,) = build_tables(sweep)
        assert not table.rotates and not table.seeds

    def test_goes_on_in_a_sweep_that_tested_all_folds(self, fake_run):
        arms, seeds = ("frozen", "finetune"), range(3)
        for arm, seed, fold in product(arms, (0, 1), range(5)):
            if fold != seed:
                fake_run(arm, seed, fold=fold, folds=5, images=[f"{fold}-{i}.png" for i in range(200)])
        sweep = self.write_runs(fake_run, arms, seeds)
        planned = [plan_run(arm, seed, fold) for seed, fold, arm in product(seeds, range(5), arms)]
        typed = tuple(replace(run, directory=f"{run.model}-photos-5-{run.seed}-{run.fold}") for run in planned)
        rotating = tuple(run for run in typed if run.fold == run.seed)
        append_sweep_command(sweep, SweepCommand("typed", "", typed, {}, looks=plan_looks(3)))
        race = SweepCommand("race", "2026-11-30", rotating, {}, looks=plan_looks(3), rotates=True)
        append_sweep_command(sweep, race)
        (table,) = build_tables(sweep)
        assert table.rotates and table.num_images == 600 and table.num_looks == 2
        analysis = analyze_sweep(sweep)
        (verdict,) = analysis.verdicts
        assert verdict.looks == race.looks and len(analysis.runs.finished) == 6
        assert "16 runs are superseded" in " ".join(collect_caveats(analysis))
        append_sweep_command(sweep, SweepCommand("typed", "2026-12-01", typed, {}))
        assert not build_tables(sweep)[0].rotates and not collect_runs(sweep).superseded

    def test_is_judged(self, fake_run):
        self.write_runs(fake_run, ("frozen",))
        for seed in range(5):
            images = [f"{seed}-{i}.png" for i in range(200)]
            sweep = fake_run("finetune", seed, 190, fold=seed, folds=5, images=images)
        (verdict,) = analyze_sweep(sweep).verdicts
        assert verdict.beaten_by == {"frozen": ["finetune"]}
        assert verdict.score("finetune") == pytest.approx(0.95)


class TestSchedule:
    def write_plan(self, sweep, arms=("frozen", "finetune"), seeds=5):
        runs = tuple(plan_run(arm, seed) for seed, arm in product(range(seeds), arms))
        append_sweep_command(sweep, SweepCommand("race", "2026-11-30", runs, {}, looks=plan_looks(seeds)))

    def test_has_the_seeds_of_each_arm_in_order(self, fake_run):
        for arm, seeds in (("frozen", (0, 1, 2, 4)), ("finetune", (0, 1))):
            for seed in seeds:
                sweep = fake_run(arm, seed)
        self.write_plan(sweep)
        (table,) = build_tables(sweep)
        assert [look.seeds for look in table.schedule] == [3, 5]
        assert {arm: len(rows) for arm, rows in table.correct.items()} == {"frozen": 3, "finetune": 2}

    def test_gives_no_verdict_before_the_first_look(self, fake_run):
        for arm, seed in product(("frozen", "finetune"), range(2)):
            sweep = fake_run(arm, seed)
        self.write_plan(sweep)
        (verdict,) = analyze_sweep(sweep).verdicts
        assert not verdict.table.correct and not verdict.unbeaten

    def test_knows_arms_that_have_not_begun(self, fake_run):
        for arm, seed in product(("frozen", "finetune"), range(3)):
            sweep = fake_run(arm, seed)
        self.write_plan(sweep, ("frozen", "finetune", "scratch_cnn"))
        (table,) = build_tables(sweep)
        assert table.lacks_arms

    def test_stops_an_arm_at_a_failed_run(self, fake_run):
        for arm, seed in product(("frozen", "finetune"), range(3)):
            failed = {"status": "failed", "error": "diverged"} if (arm, seed) == ("frozen", 1) else {}
            sweep = fake_run(arm, seed, **failed)
        self.write_plan(sweep)
        (table,) = build_tables(sweep)
        assert table.bad_rows == {"frozen": (1, "seed 1 failed: diverged")}


class TestPrintedVerdict:
    def test_has_both_answers(self, fake_run, capsys):
        for (arm, correct), seed in product((("scratch_backbone", 100), ("frozen", 170), ("finetune", 171)), range(3)):
            sweep = fake_run(arm, seed, correct + seed)
        print_analysis(analyze_sweep(sweep))
        printed = capsys.readouterr().out
        assert "Did pretraining help? (finetune against scratch_backbone, 98.3 % intervals)" in printed
        assert "yes: +35.5 points" in printed
        assert "finetune and frozen; beaten: scratch_backbone" in printed

    def test_names_each_level_where_levels_differ(self, fake_run, capsys):
        for budget, arms in ((5, ("scratch_backbone", "frozen", "finetune")), (10, ("scratch_backbone", "finetune"))):
            for arm, seed in product(arms, range(3)):
                sweep = fake_run(arm, seed, 150 + seed, budget=budget)
        print_analysis(analyze_sweep(sweep))
        assert "scratch_backbone, 97.5 or 99.2 % intervals)" in " ".join(capsys.readouterr().out.split())

    def test_marks_excluded_arms(self, fake_run, capsys):
        for arm, loss in (("scratch_cnn", 0.693), ("finetune", 0.1)):
            sweep = fake_run(arm, 0, 190, training={"loss": loss, "label_entropy": 0.693})
        print_analysis(analyze_sweep(sweep))
        printed = capsys.readouterr().out
        assert "no verdict: only finetune is fit to be compared" in printed and "wins" not in printed
        assert "At 5 labels per class, scratch_cnn is refused as evidence: seed 0 never learned" in printed
        (marked,) = [line.split() for line in printed.splitlines() if line.rstrip().endswith("  refused")]
        assert marked[:2] == ["scratch_cnn", "5"]

    def test_names_seeds_that_are_left_out(self, fake_run, capsys):
        for arm, seeds in (("frozen", (0, 1)), ("finetune", (1,))):
            for seed in seeds:
                sweep = fake_run(arm, seed)
        print_analysis(analyze_sweep(sweep))
        printed = capsys.readouterr().out
        assert "At 5 labels per class, left out: seed 0 of frozen, which other arms lack" in printed
        assert "about these trained networks only" in printed

    def test_is_left_out_for_a_single_arm(self, fake_run, capsys):
        print_analysis(analyze_sweep(fake_run("frozen", 0)))
        assert "in the running" not in capsys.readouterr().out
