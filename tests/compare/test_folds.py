"""Data that were tested in one split and in folds are two data sets, since their test images differ."""

import re
from itertools import product

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report, write_report


@pytest.fixture
def analysis(fake_run, tmp_path):
    """One split, of 1.5 s a run, and two folds, of 7.5 s a run; the arms change order."""
    for folds, seconds, shares in ((1, 1.5, (0.9, 0.2)), (2, 7.5, (0.2, 0.9))):
        cost = {"seconds": seconds, "trainable_parameters": 10}
        for arm, right in zip(("finetune", "scratch_backbone"), shares, strict=True):
            for seed, fold in product(range(2), range(folds)):
                fake_run(arm, seed, 5, right, fold=fold, folds=folds, sweep=f"of{folds}", cost=cost)
    return analyze_sweep(tmp_path / "of1", tmp_path / "of2")


class TestSplitsAndFolds:
    def test_are_two_data_sets(self, analysis):
        report = build_report(analysis)
        names = [data["name"] for data in report["data"]]
        assert [name.partition(", ")[2] for name in names] == ["2 folds", "one split"]
        for data, folds, seconds in zip(report["data"], (2, 1), (7.5, 1.5), strict=True):
            assert {(row["folds"], row["n"], row["seconds"]) for row in data["table"]} == {(folds, 2 * folds, seconds)}
            assert [split["folds"] for split in data["splits"]] == [folds] and "missing" not in data["best_arm"]
            assert len(data["answers"]) == 1
        assert {run["data"] for run in report["runs"]} == set(names)

    def test_have_their_own_cost(self, analysis, tmp_path):
        page = write_report(tmp_path / "both", analysis).read_text()
        costs = re.findall(r'<ul class="price">(.*?)</ul>', page, re.DOTALL)
        assert [re.findall(r"[\d.]+ s\b", cost) for cost in costs] == [["7.5 s"], ["1.5 s"]]

    def test_keep_the_name_of_data_tested_in_one_way(self, fake_run, tmp_path):
        for sweep, arm in product(("old", "new"), ("frozen", "finetune")):
            fake_run(arm, sweep=sweep)
        (data,) = build_report(analyze_sweep(tmp_path / "old", tmp_path / "new"))["data"]
        assert data["name"] == "photos"
        assert {(row["arm"], row["n"], *row["notes"]) for row in data["table"]} == {
            ("finetune", 2, "several runs of one seed"),
            ("frozen", 2, "several runs of one seed"),
        }
