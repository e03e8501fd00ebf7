"""The table of a sweep."""

import math

import pytest

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.terminal import print_analysis
from headstart.compare.summary_table import summarize_arms
from headstart.runs.result import RunResult, write_result
from headstart.runs.run_directory import RESULT_FILE


@pytest.fixture
def fake_result(tmp_path):
    """Writes the result of one run, without predictions, into ``tmp_path / "sweep"``; returns the sweep."""

    def write(arm="finetune", accuracy=0.5, seed=0, budget=5, data="digits", **settings):
        directory = tmp_path / "sweep" / f"{arm}-{data}-{budget}-{seed}-{settings}"
        directory.mkdir(parents=True)
        result = RunResult(
            "finished",
            arm,
            data,
            seed,
            labels_per_class=budget,
            settings=settings,
            identity=directory.name,
            metrics={"test/accuracy": accuracy},
            cost={"seconds": 10.0 * (seed + 1), "trainable_parameters": 13242, "flops": 22246400},
        )
        write_result(directory, result)
        return tmp_path / "sweep"

    return write


def summarize(sweep):
    return summarize_arms(collect_runs(sweep).finished)


class TestSummarizeArms:
    def test_has_mean_and_spread_over_seeds(self, fake_result):
        for seed, accuracy in enumerate([0.8, 0.9, 1.0]):
            sweep = fake_result(accuracy=accuracy, seed=seed)
        (row,) = summarize(sweep).to_dict("records")
        assert row["n"] == 3 and row["trainable_parameters"] == 13242
        assert [row["accuracy"], row["spread"], row["seconds"]] == pytest.approx([0.9, 0.1, 20])

    def test_has_a_row_for_each_arm_of_a_model(self, fake_result):
        for lr in (1e-3, 1e-4):
            for seed in range(3):
                sweep = fake_result(seed=seed, **{"model.head_lr": lr})
        table = summarize(sweep)
        assert set(table["arm"]) == {"finetune head_lr=0.001", "finetune head_lr=0.0001"} and set(table["n"]) == {3}

    def test_has_a_row_for_each_budget_and_data_set(self, fake_result):
        fake_result(budget=5)
        fake_result(budget=None)
        table = summarize(fake_result(budget=5, data="mnist"))
        assert list(table["data"]) == ["digits", "digits", "mnist"]
        assert table["labels_per_class"][0] == 5 and math.isnan(table["labels_per_class"][1])

    def test_sorts_the_best_arm_first(self, fake_result):
        fake_result(arm="frozen", accuracy=0.2)
        assert list(summarize(fake_result(arm="finetune", accuracy=0.7))["arm"]) == ["finetune", "frozen"]


class TestPrintedTable:
    def test_aligns_its_columns(self, fake_result, capsys):
        fake_result(arm="finetune", accuracy=0.912, seed=0)
        fake_result(arm="finetune", accuracy=0.928, seed=1)
        print_analysis(analyze_sweep(fake_result(arm="scratch_backbone", accuracy=1.0, budget=40)))
        header, first, second = capsys.readouterr().out.splitlines()
        assert header.split() == ["arm", "labels", "accuracy", "runs", "seconds", "memory"]
        assert first.split() == ["finetune", "5", "92.0", "±", "1.1", "2", "15.0", "–"]
        assert second.split() == ["scratch_backbone", "40", "100.0", "±", "–", "1", "10.0", "–"]
        assert header.index("seconds") + len("seconds") == first.index("15.0") + len("15.0")
        assert second.index("10.0") == first.index("15.0")

    def test_fits_80_columns(self, fake_sweep, capsys):
        print_analysis(analyze_sweep(fake_sweep(budgets=(5,))))
        assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines()[:5])

    def test_names_the_data_set_where_there_are_several(self, fake_result, capsys):
        fake_result(budget=None)
        print_analysis(analyze_sweep(fake_result(data="mnist")))
        assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["digits", "finetune", "all"]

    def test_is_followed_by_failed_and_unreadable_runs(self, fake_result, capsys):
        sweep = fake_result()
        for name in ("lost", "sad"):
            (sweep / name).mkdir()
        (sweep / "lost" / RESULT_FILE).write_text('{"status": "fini')
        write_result(sweep / "sad", RunResult("failed", "frozen", "digits", 0, error="the loss is NaN"))
        print_analysis(analyze_sweep(sweep))
        unreadable, _, failed = capsys.readouterr().out.partition("failed: ")
        assert failed == "sad: the loss is NaN\n"
        assert "not a whole result.json: lost." in unreadable
