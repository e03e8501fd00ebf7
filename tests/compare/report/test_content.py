"""The report's numbers follow from the run directories alone."""

import csv
import json
import shutil
from dataclasses import replace

import pytest

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report, write_report
from headstart.compare.report.terminal import print_analysis
from headstart.errors import HeadstartError
from headstart.files import write_json
from headstart.runs import run_directory
from headstart.runs.result import RunResult, read_result, write_result


def read(page):
    def refuse(constant):
        raise ValueError(constant)

    return json.loads(page.with_name("report.json").read_text(), parse_constant=refuse)


def test_what_is_no_number_is_null(fake_sweep):
    said = read(write_report(fake_sweep()))
    assert [run["log_loss"] for run in said["runs"] if run["seed"] == 2] == [None] * 8


def test_the_report_is_the_same_wherever_the_runs_lie(fake_sweep, tmp_path):
    sweep = fake_sweep()
    write_report(sweep)
    here = {path.name: path.read_bytes() for path in sweep.glob("report.*")}
    assert sorted(here) == ["report.csv", "report.html", "report.json"]
    moved = tmp_path / "elsewhere" / "sweep"
    shutil.move(sweep, moved)
    write_report(moved)
    assert {path.name: path.read_bytes() for path in moved.glob("report.*")} == here


def test_the_csv_has_a_row_a_run_with_its_command(fake_sweep):
    page = write_report(fake_sweep(seeds=(0,)))
    rows = list(csv.DictReader(page.with_name("report.csv").open()))
    assert len(rows) == 8 and {row["command"] for row in rows} == {
        f"headstart-train model={arm} seed=0 data.labels_per_class={budget}"
        for arm in ("finetune", "frozen", "scratch_backbone", "scratch_cnn") for budget in (5, 20)
    }  # fmt: skip
    assert float(rows[0]["accuracy"]) == pytest.approx(float(rows[0]["macro_f1"]) + 0.02)


def test_several_sweeps_make_one_report_and_each_data_set_its_part(fake_run, tmp_path):
    for sweep, data in (("one", "birds"), ("two", "digits")):
        for arm in ("finetune", "scratch_backbone"):
            fake_run(arm, data=data, sweep=sweep)
    write_report(tmp_path / "both", analyze_sweep(tmp_path / "one", tmp_path / "two"))
    said = json.loads((tmp_path / "both" / "report.json").read_text())
    assert said["sweeps"] == ["one", "two"]
    assert [data["name"] for data in said["data"]] == ["birds", "digits"]
    assert all(len(data["answers"]) == 1 and data["closer"]["arm"] for data in said["data"])
    assert not list((tmp_path / "one").glob("report.*"))


def test_images_of_all_folds_are_looked_at(fake_run, tmp_path):
    for fold in range(3):
        for arm in ("finetune", "frozen"):
            fake_run(arm, fold=fold, folds=3, images=20)
    data = build_report(tmp_path / "sweep")["data"][0]
    look, (answer,) = data["closer"], data["answers"]
    assert answer["folds"] == 3 and answer["test_images"] == 60
    assert look["test_images"] == look["answers"] == 60 and look["runs"] == 3


def test_an_order_that_changes_is_found_between_its_budgets(fake_run, tmp_path):
    for budget, first in ((5, 0.1), (10, 0.2), (20, 1.0)):
        for arm, right in (("finetune", first), ("scratch_backbone", 0.65)):
            for seed in range(3):
                fake_run(arm, seed, budget, right, images=300)
    data = build_report(tmp_path / "sweep")["data"][0]
    change = {"data": "photos", "before": 10, "after": 20, "first": "scratch_backbone", "then": "finetune"}
    assert data["changes"] == [change]


def test_results_that_say_hardly_anything_are_reported_as_far_as_they_go(tmp_path):
    (tmp_path / "run").mkdir()
    result = RunResult("finished", "frozen", "digits", 0, labels_per_class=5, metrics={"test/accuracy": 0.5})
    write_result(tmp_path / "run", result)
    assert "50.0 ± –" in write_report(tmp_path).read_text()


def test_a_sweep_whose_runs_all_failed_is_reported_too(tmp_path):
    (tmp_path / "run").mkdir()
    write_result(tmp_path / "run", RunResult("failed", "frozen", "digits", 0, error="the loss is NaN"))
    assert "the loss is NaN" in write_report(tmp_path).read_text()


def test_an_arm_that_failed_somewhere_is_refused_and_named(fake_sweep):
    sweep = fake_sweep(budgets=(5,))
    place = next(sweep.glob("finetune-photos-5-seed1*"))
    write_result(place, replace(read_result(place), status="failed", error="the loss is NaN"))
    (answer,) = build_report(sweep)["data"][0]["answers"]
    assert "finetune" in answer["refused"] and answer["declared"] is None and "finetune" not in answer["left"]
    assert answer["question"] == "Did pretraining help?"
    assert answer["helped"] == "no answer: finetune was refused"
    notes = {row["arm"]: row["notes"] for row in build_report(sweep)["data"][0]["table"]}
    assert notes == {"finetune": ["refused"], "frozen": [], "scratch_backbone": [], "scratch_cnn": []}
    page = write_report(sweep).read_text()
    assert (
        "seed 1 failed: the loss is NaN" in page
        and "Refused as evidence" in page
        and "no answer: finetune was refused" in page
        and "<td>refused</td>" in page
    )


def test_what_an_unfinished_sweep_lacks_stands_at_the_top(fake_sweep, capsys):
    sweep = fake_sweep(asked_seeds=[0, 1, 2, 3], asked_budgets=3, asked_arms=4)
    for name in ("frozen-photos-40-seed0", "frozen-photos-40-seed1"):
        (sweep / name).mkdir()
        (sweep / name / run_directory.IDENTITY_FILE).write_text("begun")
    page = write_report(sweep)
    (state,) = read(page)["unfinished"]
    assert [state[key] for key in ("sweep", "asked", "missing", "begun")] == ["sweep", 48, 24, 2]
    assert state["text"].startswith("Not finished: 24 of 48 runs are missing, and 2 runs have begun.")
    assert state["text"] in page.read_text().partition("<section>")[0]
    print_analysis(analyze_sweep(sweep))
    assert capsys.readouterr().out.startswith(state["text"])


def test_what_an_older_version_trained_is_not_missing(fake_run, tmp_path):
    for arm in ("frozen", "finetune"):
        fake_run(arm, 0)
        fake_run(arm, 1, asked_seeds=[0, 1, 2], asked_budgets=1, asked_arms=2)
    assert build_report(tmp_path / "sweep")["unfinished"][0]["missing"] == 2


def test_a_whole_sweep_and_runs_that_were_asked_for_alone_lack_nothing(fake_run, fake_sweep, tmp_path):
    assert build_report(fake_sweep(asked_seeds=[0, 1, 2], asked_budgets=2, asked_arms=4))["unfinished"] == []
    for seed, arm in ((0, "frozen"), (1, "finetune")):
        fake_run(arm, seed, sweep="alone", asked_seeds=[seed], asked_budgets=1, asked_arms=0)
    assert build_report(tmp_path / "alone")["unfinished"] == []


def test_runs_that_two_sweeps_share_are_missing_in_neither(fake_run, tmp_path):
    for sweep in ("one", "two"):
        for arm in ("frozen", "finetune"):
            fake_run(arm, sweep=sweep, identity=arm, asked_seeds=[0], asked_budgets=1, asked_arms=2)
    assert build_report(tmp_path / "one", tmp_path / "two")["unfinished"] == []


def test_the_whole_price_stands_in_the_terminal_too(fake_sweep, capsys):
    trials = [{"settings": {}, "seconds": 4.0}, {"settings": {"lr": 0.1}, "seconds": 6.5}]
    print_analysis(analyze_sweep(fake_sweep(budgets=(5,), trials=trials)))
    header, first = (line.rstrip() for line in capsys.readouterr().out.splitlines()[:2])
    assert header.split()[4:] == ["trainable", "FLOPs", "memory", "seconds", "tuning"]
    assert first.endswith("22.2 M  1.10 GB     11.5    10.5") and len(header) <= 100


def test_the_search_for_settings_is_part_of_the_price(fake_sweep):
    trials = [{"settings": {}, "seconds": 4.0}, {"settings": {"lr": 0.1}, "seconds": 6.5}]
    page = write_report(fake_sweep(budgets=(5,), trials=trials))
    assert {(run["trials"], run["tuning_seconds"]) for run in read(page)["runs"]} == {(2, 10.5)}
    price = page.read_text().partition('<ul class="price">')[2].partition("</ul>")[0]
    for part in ("10.5 of them tuning in 2 trials", "2.81 M", "22.2 M", "FLOPs an image", "1.10 GB"):
        assert part in price


def test_predictions_that_are_lost_cost_their_budgets_verdict_and_the_closer_look_alone(fake_sweep):
    sweep = fake_sweep(seeds=(0,))
    next(sweep.glob("finetune-photos-20-*/predictions.parquet")).write_bytes(b"half")
    said = read(write_report(sweep))
    five, twenty = said["data"][0]["answers"]
    assert "cannot be read" in said["data"][0]["closer"]["missing"] and "cannot be read" in twenty["unbeaten"]
    assert five["left"] and five["declared"] and twenty["helped"] == "no answer" and not twenty["left"]
    assert len(said["data"][0]["table"]) == 8


def test_the_audit_beside_the_runs_is_told(fake_sweep):
    sweep = fake_sweep(seeds=(0,), budgets=(5,))
    finding = {"paths": ["a.png", "b.png"], "text": "a.png stands twice"}
    audits = [
        {"name": name, "counts": {"exact_duplicate": 1}, "findings": {"exact_duplicate": [finding]}}
        for name in ("photos", "others")
    ]
    write_json(sweep / run_directory.AUDIT_FILE, audits)
    told = {"sweep": "sweep", "counts": {"exact_duplicate": 1}, "findings": [{"kind": "exact_duplicate", **finding}]}
    page = write_report(sweep)
    assert read(page)["audits"] == [{**told, "data": "photos"}, {**told, "data": "others"}]
    assert "a.png stands twice" in page.read_text() and "the same pixels again: 1" in page.read_text()
    assert "exact_duplicate" not in page.read_text()
    assert build_report(sweep.parent)["audits"] == read(page)["audits"]  # of the folder above, too


def test_a_place_that_cannot_be_written_is_named(fake_run, tmp_path):
    fake_run()
    (tmp_path / "taken").write_text("")
    with pytest.raises(HeadstartError, match="taken: no report can be written here"):
        write_report(tmp_path / "taken", analyze_sweep(tmp_path / "sweep"))


def test_a_report_is_made_again_only_where_a_file_changed(fake_sweep, monkeypatch):
    sweep = fake_sweep(seeds=(0,), budgets=(5,))
    page = write_report(sweep)
    made = []
    monkeypatch.setattr("headstart.compare.report.html.render_report", lambda *args: made.append(args) or "new")
    assert write_report(sweep) == page and not made and page.read_text() != "new"
    metrics = next(sweep.glob("frozen-*")) / run_directory.METRICS_FILE
    metrics.write_text(metrics.read_text() + "4,12,0.1,0.5\n")
    write_report(sweep)
    page.with_name("report.csv").unlink()
    write_report(sweep)
    assert len(made) == 2
