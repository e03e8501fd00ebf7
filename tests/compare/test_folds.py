"""Data that were tested in one split and in folds, too: a data set for each, since their test images differ."""

import re
from itertools import product

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report, write_report


@pytest.fixture
def both(fake_run, tmp_path):
    """One split, of 1.5 s a run, and two folds, of 7.5 s a run; the arms change order."""
    for folds, seconds, right in ((1, 1.5, (0.9, 0.2)), (2, 7.5, (0.2, 0.9))):
        for arm, share in zip(("finetune", "scratch_backbone"), right, strict=True):
            for seed, fold in product(range(2), range(folds)):
                cost = {"seconds": seconds, "trainable_parameters": 10}
                fake_run(arm, seed, 5, share, fold=fold, folds=folds, sweep=f"of{folds}", cost=cost)
    return analyze_sweep(tmp_path / "of1", tmp_path / "of2")


def test_one_split_and_folds_are_a_data_set_each(both, tmp_path):
    said = build_report(tmp_path / "of1", tmp_path / "of2")
    names = [data["name"] for data in said["data"]]
    assert [name.partition(", ")[2] for name in names] == ["2 folds", "one split"]
    for data, folds, seconds in zip(said["data"], (2, 1), (7.5, 1.5), strict=True):
        assert {(row["folds"], row["n"], row["seconds"]) for row in data["table"]} == {(folds, 2 * folds, seconds)}
        assert [split["folds"] for split in data["splits"]] == [folds] and "missing" not in data["closer"]
    assert {run["data"] for run in said["runs"]} == set(names)
    assert len(said["data"][0]["answers"]) == len(said["data"][1]["answers"]) == 1


def test_each_has_its_own_price(both, tmp_path):
    page = write_report(tmp_path / "both", both).read_text()
    prices = re.findall(r'<ul class="price">(.*?)</ul>', page, re.DOTALL)
    assert [re.findall(r"[\d.]+ s\b", price) for price in prices] == [["7.5 s"], ["1.5 s"]]


def test_data_tested_in_one_way_keep_their_name(fake_run, tmp_path):
    for sweep in ("old", "new"):
        fake_run("frozen", sweep=sweep)
        fake_run("finetune", sweep=sweep)
    data = build_report(tmp_path / "old", tmp_path / "new")["data"]
    assert len(data) == 1 and ", " not in data[0]["name"]
    assert {(row["arm"], row["n"], *row["notes"]) for row in data[0]["table"]} == {
        ("finetune", 2, "several runs of one seed"),
        ("frozen", 2, "several runs of one seed"),
    }
