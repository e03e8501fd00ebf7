"""The numbers of a report follow from the run directories alone."""

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
from headstart.runs.result import RunResult, read_result, write_result
from headstart.runs.run_directory import AUDIT_FILE, IDENTITY_FILE

TRIALS = [{"settings": {}, "seconds": 4.0}, {"settings": {"lr": 0.1}, "seconds": 6.5}]


def report_of(*directories):
    return build_report(analyze_sweep(*directories))


def read_report(page):
    """The content of report.json, in which NaN is an error."""

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(page.with_name("report.json").read_text(), parse_constant=refuse)


class TestWriteReport:
    def test_writes_null_for_what_is_no_number(self, fake_sweep):
        report = read_report(write_report(fake_sweep(budgets=(5,))))
        assert [run["log_loss"] for run in report["runs"] if run["seed"] == 2] == [None] * 4

    def test_writes_equal_files_wherever_the_runs_are(self, fake_sweep, tmp_path):
        sweep = fake_sweep(budgets=(5,))
        write_report(sweep)
        files = {path.name: path.read_bytes() for path in sweep.glob("report.*")}
        assert sorted(files) == ["report.csv", "report.html", "report.json"]
        moved = tmp_path / "elsewhere" / "sweep"
        shutil.move(sweep, moved)
        write_report(moved)
        assert {path.name: path.read_bytes() for path in moved.glob("report.*")} == files

    def test_writes_a_csv_row_for_each_run(self, fake_sweep):
        page = write_report(fake_sweep(seeds=(0,)))
        rows = list(csv.DictReader(page.with_name("report.csv").open()))
        assert len(rows) == 8 and {row["command"] for row in rows} == {
            f"headstart-train model={arm} seed=0 data.labels_per_class={budget}"
            for arm in ("finetune", "frozen", "scratch_backbone", "scratch_cnn")
            for budget in (5, 20)
        }
        assert float(rows[0]["accuracy"]) == pytest.approx(float(rows[0]["macro_f1"]) + 0.02)

    def test_joins_several_sweeps(self, fake_run, tmp_path):
        for sweep, data in (("one", "birds"), ("two", "digits")):
            for arm in ("finetune", "scratch_backbone"):
                fake_run(arm, data=data, sweep=sweep)
        report = read_report(write_report(tmp_path / "both", analyze_sweep(tmp_path / "one", tmp_path / "two")))
        assert report["sweeps"] == ["one", "two"]
        assert [data["name"] for data in report["data"]] == ["birds", "digits"]
        assert all(len(data["answers"]) == 1 and data["best_arm"]["arm"] for data in report["data"])
        assert not list((tmp_path / "one").glob("report.*"))

    def test_names_a_folder_that_cannot_be_written(self, fake_run, tmp_path):
        (tmp_path / "taken").write_text("")
        with pytest.raises(HeadstartError, match="taken: no report can be written here"):
            write_report(tmp_path / "taken", analyze_sweep(fake_run().parent))

    def test_writes_the_same_bytes_again(self, fake_sweep):
        sweep = fake_sweep(seeds=(0,), budgets=(5,))
        assert write_report(sweep).read_bytes() == write_report(sweep).read_bytes()

    def test_reports_failed_runs_alone(self, tmp_path):
        (tmp_path / "run").mkdir()
        write_result(tmp_path / "run", RunResult("failed", "frozen", "digits", 0, error="the loss is NaN"))
        assert "the loss is NaN" in write_report(tmp_path).read_text()

    def test_reports_runs_without_any_other_file(self, tmp_path):
        (tmp_path / "run").mkdir()
        result = RunResult("finished", "frozen", "digits", 0, labels_per_class=5, metrics={"test/accuracy": 0.5})
        write_result(tmp_path / "run", result)
        assert "50.0 ± –" in write_report(tmp_path).read_text()


class TestBuildReport:
    def test_evaluates_the_images_of_all_folds(self, fake_run, tmp_path):
        for fold in range(3):
            for arm in ("finetune", "frozen"):
                fake_run(arm, fold=fold, folds=3, images=20)
        data = report_of(tmp_path / "sweep")["data"][0]
        evaluation, (answer,) = data["best_arm"], data["answers"]
        assert answer["folds"] == 3 and answer["test_images"] == 60
        assert evaluation["test_images"] == evaluation["answers"] == 60 and evaluation["runs"] == 3

    def test_finds_a_change_of_order(self, fake_run, tmp_path):
        for budget, share in ((5, 0.1), (10, 0.2), (20, 1.0)):
            for arm, right in (("finetune", share), ("scratch_backbone", 0.65)):
                for seed in range(3):
                    fake_run(arm, seed, budget, right, images=300)
        change = {"data": "photos", "before": 10, "after": 20, "first": "scratch_backbone", "then": "finetune"}
        assert report_of(tmp_path / "sweep")["data"][0]["changes"] == [change]

    def test_refuses_an_arm_with_a_failed_run(self, fake_sweep):
        sweep = fake_sweep(budgets=(5,))
        run = next(sweep.glob("finetune-photos-5-seed1*"))
        write_result(run, replace(read_result(run), status="failed", error="the loss is NaN"))
        page = write_report(sweep)
        data = read_report(page)["data"][0]
        (answer,) = data["answers"]
        assert "finetune" in answer["excluded"] and answer["declared"] is None and "finetune" not in answer["unbeaten"]
        assert answer["question"] == "Did pretraining help?"
        assert answer["answer"] == "no answer: finetune was refused"
        notes = {row["arm"]: row["notes"] for row in data["table"]}
        assert notes == {"finetune": ["refused"], "frozen": [], "scratch_backbone": [], "scratch_cnn": []}
        for part in ("seed 1 failed: the loss is NaN", "Refused as evidence", answer["answer"], "<td>refused</td>"):
            assert part in page.read_text()

    def test_limits_lost_predictions_to_their_budget(self, fake_sweep):
        sweep = fake_sweep(seeds=(0,))
        next(sweep.glob("finetune-photos-20-*/predictions.parquet")).write_bytes(b"half")
        data = read_report(write_report(sweep))["data"][0]
        five, twenty = data["answers"]
        assert "cannot be read" in data["best_arm"]["missing"] and "cannot be read" in twenty["unbeaten_text"]
        assert five["unbeaten"] and five["declared"] and twenty["answer"] == "no answer" and not twenty["unbeaten"]
        assert len(data["table"]) == 8

    def test_lists_the_findings_of_each_audit(self, fake_sweep):
        sweep = fake_sweep(seeds=(0,), budgets=(5,))
        finding = {"paths": ["a.png", "b.png"], "text": "a.png stands twice"}
        counts = {"exact_duplicate": 1}
        names = ("photos", "others")
        audits = [{"name": name, "counts": counts, "findings": {"exact_duplicate": [finding]}} for name in names]
        write_json(sweep / AUDIT_FILE, audits)
        findings = [{"kind": "exact_duplicate", **finding}]
        page = write_report(sweep)
        assert read_report(page)["audits"] == [
            {"sweep": "sweep", "data": name, "counts": counts, "findings": findings} for name in names
        ]
        assert report_of(sweep.parent)["audits"] == read_report(page)["audits"]  # found below the folder above, too
        assert "a.png stands twice" in page.read_text() and "the same pixels again: 1" in page.read_text()
        assert "exact_duplicate" not in page.read_text()


class TestUnfinishedSweep:
    def test_is_described_at_the_top(self, fake_sweep, fake_command, missing_run, capsys):
        sweep = fake_sweep(budgets=(5,))
        fake_command(sweep)
        fake_command(sweep, [missing_run(seed=seed) for seed in (3, 4)])
        (sweep / "frozen-photos-40-seed0").mkdir()
        (sweep / "frozen-photos-40-seed0" / IDENTITY_FILE).write_text("begun")
        page = write_report(sweep)
        (state,) = read_report(page)["unfinished"]
        assert [state[key] for key in ("sweep", "asked", "missing", "begun")] == ["sweep", 14, 2, 1]
        assert state["text"].startswith("Not finished: 2 of 14 runs are missing, and 1 run has begun.")
        assert state["text"] in page.read_text().partition("<section>")[0]
        print_analysis(analyze_sweep(sweep))
        assert " ".join(capsys.readouterr().out.split()).startswith(state["text"])


class TestTuning:
    def test_has_its_seconds_in_the_terminal(self, fake_sweep, capsys):
        print_analysis(analyze_sweep(fake_sweep(budgets=(5,), trials=TRIALS)))
        header, first = (line.rstrip() for line in capsys.readouterr().out.splitlines()[:2])
        assert header.split()[4:] == ["seconds", "memory", "tuning"]
        assert first.endswith("11.5  1.10 GB    10.5") and len(header) <= 80

    def test_is_part_of_the_cost(self, fake_sweep):
        page = write_report(fake_sweep(budgets=(5,), trials=TRIALS))
        assert {(run["trials"], run["tuning_seconds"]) for run in read_report(page)["runs"]} == {(2, 10.5)}
        cost = page.read_text().partition('<ul class="price">')[2].partition("</ul>")[0]
        for part in ("10.5 of them tuning in 2 trials", "2.81 M", "22.2 M", "FLOPs an image", "1.10 GB"):
            assert part in cost
