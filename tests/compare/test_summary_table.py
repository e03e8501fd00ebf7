"""A sweep's table comes from its files alone."""

import json
import math

import pytest

from headstart.compare import summary_table
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.terminal import print_analysis
from headstart.errors import HeadstartError
from headstart.runs.result import RunResult


@pytest.fixture
def a_run(tmp_path):
    """Writes the result of one run into the sweep ``tmp_path / "sweep"``."""
    count = 0

    def write(arm="finetune", accuracy=0.5, seed=0, budget=5, data="digits", sweep="sweep", identity=None, **settings):
        nonlocal count
        count += 1
        directory = tmp_path / sweep / f"run{count}"
        directory.mkdir(parents=True)
        result = {
            "status": "finished",
            "model": arm,
            "arm": arm,
            "data": data,
            "labels_per_class": budget,
            "seed": seed,
            "fold": 0,
            "identity": identity or f"{count:08x}",
            "metrics": {"test/accuracy": accuracy},
            "cost": {
                "seconds": 10.0 * (seed + 1),
                "parameters": 2000000,
                "trainable_parameters": 13242,
                "flops": 22246400,
            },
            "settings": settings,
        }
        (directory / "result.json").write_text(json.dumps(result))
        return tmp_path / sweep

    return write


def rows(sweep):
    return summary_table.summarize_arms([result for _, result in summary_table.collect_runs(sweep).finished])


def test_an_arm_has_the_mean_and_the_spread_over_its_seeds(a_run):
    for seed, accuracy in enumerate([0.8, 0.9, 1.0]):
        sweep = a_run(accuracy=accuracy, seed=seed)
    (row,) = rows(sweep).to_dict("records")
    assert row["n"] == 3
    assert row["accuracy"] == pytest.approx(0.9)
    assert row["spread"] == pytest.approx(0.1)
    assert row["seconds"] == pytest.approx(20)
    assert row["trainable_parameters"] == 13242


def test_arms_of_one_model_are_rows_of_their_own(a_run):
    for lr in (1e-3, 1e-4):
        for seed in range(3):
            sweep = a_run(seed=seed, **{"model.head_lr": lr})
    found = rows(sweep)
    assert set(found["arm"]) == {"finetune head_lr=0.001", "finetune head_lr=0.0001"}
    assert set(found["n"]) == {3}


def test_budgets_and_data_sets_are_rows_of_their_own(a_run, capsys):
    a_run(budget=5)
    a_run(budget=None)
    sweep = a_run(budget=5, data="mnist")
    found = rows(sweep)
    assert list(found["data"]) == ["digits", "digits", "mnist"]
    assert found["labels_per_class"][0] == 5
    assert math.isnan(found["labels_per_class"][1])
    print_analysis(analyze_sweep(sweep))
    assert capsys.readouterr().out.splitlines()[2].split()[:3] == ["digits", "finetune", "all"]


def test_the_best_arm_of_a_budget_comes_first(a_run):
    a_run(arm="frozen", accuracy=0.2)
    sweep = a_run(arm="finetune", accuracy=0.7)
    assert list(rows(sweep)["arm"]) == ["finetune", "frozen"]


def test_a_run_that_two_sweeps_share_counts_once(a_run, tmp_path):
    a_run(sweep="one", identity="same")
    a_run(sweep="two", identity="same")
    assert len(summary_table.collect_runs(tmp_path / "one", tmp_path / "two").finished) == 1


def test_the_printed_columns_line_up(a_run, capsys):
    a_run(arm="finetune", accuracy=0.912, seed=0)
    a_run(arm="finetune", accuracy=0.928, seed=1)
    sweep = a_run(arm="scratch_backbone", accuracy=1.0, budget=40)
    print_analysis(analyze_sweep(sweep))
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["arm", "labels/class", "accuracy", "n", "trainable", "FLOPs", "memory", "seconds"]
    assert first.split() == ["finetune", "5", "92.0", "±", "1.1", "2", "13,242", "22.2", "M", "–", "15.0"]
    assert second.split() == ["scratch_backbone", "40", "100.0", "±", "–", "1", "13,242", "22.2", "M", "–", "10.0"]
    assert header.index("trainable") + len("trainable") == first.index("13,242") + len("13,242")
    assert second.index("13,242") == first.index("13,242")


def test_failed_and_half_written_runs_are_named_beneath(a_run, capsys):
    sweep = a_run()
    for name, text in [
        ("lost", '{"status": "fini'),
        ("sad", json.dumps(RunResult("failed", "frozen", "digits", 0, error="the loss is NaN").to_dict())),
    ]:
        (sweep / name).mkdir()
        (sweep / name / "result.json").write_text(text)
    print_analysis(analyze_sweep(sweep))
    *_, passed_over, failed = capsys.readouterr().out.splitlines()
    assert failed == "failed: sad: the loss is NaN"
    assert passed_over.startswith("Passed over") and "lost" in passed_over


def test_a_folder_without_runs_is_an_error(tmp_path):
    with pytest.raises(HeadstartError, match="holds no run"):
        print_analysis(analyze_sweep(tmp_path))
    with pytest.raises(HeadstartError, match="no such folder"):
        print_analysis(analyze_sweep(tmp_path / "gone"))


def test_data_of_one_name_and_other_classes_are_told_apart(fake_run, tmp_path):
    names = [f"{i}.png" for i in range(60)]
    for classes in (("ant", "bee"), ("bee", "cat")):
        for arm in ("frozen", "finetune"):
            sweep = "".join(classes)
            fake_run(arm, classes=classes, sweep=f"sweep/{sweep}", names=names)
            path = tmp_path / "sweep" / sweep / f"{arm}-photos-5-seed0-0-4" / "result.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"classes": classes}))
    told = analyze_sweep(tmp_path / "sweep")
    assert [v.table.data for v in told.verdicts] == ["photos, classes ant, bee", "photos, classes bee, cat"]
