"""Which runs of a sweep count."""

import pytest

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report
from headstart.errors import HeadstartError
from headstart.runs.run_directory import RESULT_FILE


class TestCollectRuns:
    def test_counts_a_run_that_two_sweeps_share_once(self, fake_run, tmp_path):
        for sweep in ("one", "two"):
            fake_run(sweep=sweep, identity="same")
        runs = collect_runs(tmp_path / "one", tmp_path / "two")
        assert len(runs.finished) == len(runs.duplicates) == 1

    def test_reads_a_sweep_that_is_named_twice_once(self, fake_run):
        sweep = fake_run().parent
        runs = collect_runs(sweep, str(sweep) + "/")
        assert len(runs.directories) == len(runs.finished) == 1 and not runs.duplicates

    def test_tells_data_sets_of_other_classes_apart(self, fake_run, tmp_path):
        names = [f"{i}.png" for i in range(60)]
        for classes in (("ant", "bee"), ("bee", "cat")):
            for arm in ("frozen", "finetune"):
                fake_run(arm, classes=classes, sweep=f"sweep/{''.join(classes)}", names=names)
        for path in (tmp_path / "sweep").rglob(RESULT_FILE):
            classes = '["ant", "bee"]' if "antbee" in str(path) else '["bee", "cat"]'
            path.write_text(path.read_text().replace('"classes": []', f'"classes": {classes}'))
        analysis = analyze_sweep(tmp_path / "sweep")
        assert [verdict.table.data for verdict in analysis.verdicts] == [
            "photos, classes ant, bee",
            "photos, classes bee, cat",
        ]

    def test_names_arms_of_failed_and_finished_runs_alike(self, fake_run):
        fake_run("frozen", settings={"model.lr": 0.1})
        run = fake_run("frozen", settings={"model.lr": 0.25}, status="failed", error="boom")
        runs = collect_runs(run.parent)
        assert runs.finished[0].arm == "frozen lr=0.1" and runs.failed[0].arm == "frozen lr=0.25"

    def test_refuses_a_folder_without_results(self, tmp_path):
        with pytest.raises(HeadstartError, match="holds no run"):
            collect_runs(tmp_path)
        with pytest.raises(HeadstartError, match="no such folder"):
            collect_runs(tmp_path / "gone")


class TestDebugRuns:
    REASON = "trainer.fast_dev_run=true"

    def test_count_in_no_verdict_and_no_table(self, fake_sweep, fake_run):
        sweep = fake_sweep(budgets=(5,))
        expected = build_report(analyze_sweep(sweep))
        fake_run("finetune", 7, right=0.1, debug=self.REASON)
        fake_run("frozen", 1, status="failed", error="boom", settings={"trainer.fast_dev_run": True}, debug=self.REASON)
        report = build_report(analyze_sweep(sweep))
        for key in ("data", "runs", "failed", "next_steps", "conditions", "skipped", "unfinished"):
            assert report[key] == expected[key]

    def test_are_named_with_their_reason(self, fake_run):
        sweep = fake_run().parent
        run = fake_run(seed=1, debug=self.REASON)
        report = build_report(analyze_sweep(sweep))
        assert report["debug"] == [{"run": run.name, "reason": self.REASON}]
        assert any("1 debug run is not counted" in line and run.name in line for line in report["cautions"])

    def test_alone_are_reported_without_a_verdict(self, fake_run):
        analysis = analyze_sweep(fake_run(debug=self.REASON).parent)
        report = build_report(analysis)
        assert not analysis.verdicts and not report["data"] and len(report["debug"]) == 1


class TestUnreadableResults:
    def test_count_in_no_verdict_and_are_named(self, fake_sweep):
        sweep = fake_sweep(budgets=(5,))
        run = next(sweep.glob("finetune-photos-5-seed1-*"))
        (run / RESULT_FILE).write_bytes((run / RESULT_FILE).read_bytes()[:200])
        analysis = analyze_sweep(sweep)
        (verdict,) = analysis.verdicts
        assert verdict.table.seeds == (0, 2) and not verdict.table.exclusions
        report = build_report(analysis)
        assert report["unreadable"] == [run.name]
        assert any("Unreadable" in line and run.name in line for line in report["cautions"])
