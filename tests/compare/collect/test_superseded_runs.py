"""Runs that a later command of their sweep replaces, after images were added."""

import pytest

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report
from headstart.files import write_text
from headstart.runs.run_directory import CONFIG_FILE

OLD, NEW = "2026-11-01T10:00:00+00:00", "2026-11-02T10:00:00+00:00"


@pytest.fixture
def fake_generation(fake_run, fake_command):
    """Writes the runs of one command, in directories of their own, and the command."""

    def write(day, images=60, arms=("finetune", "scratch_backbone"), seeds=(0, 1), root="photos", **changes):
        directories = []
        for arm in arms:
            for seed in seeds:
                identity = f"{arm}{seed}{day}{root}"
                right = 0.9 if arm == "finetune" else 0.2
                run = fake_run(arm, seed, images=images, right=right, started=day, identity=identity, **changes)
                write_text(run / CONFIG_FILE, f"data: {{root: {root}}}\n")
                directories.append(run.rename(run.with_name(f"{run.name}-{identity}")))
        fake_command(directories[0].parent, directories, started=day)

    return write


class TestSupersededRuns:
    def test_leave_the_verdict_to_the_newest_runs(self, fake_generation, tmp_path):
        fake_generation(OLD, 60)
        fake_generation(NEW, 90)
        analysis = analyze_sweep(tmp_path / "sweep")
        (verdict,) = analysis.verdicts
        assert len(verdict.table.correct) == 2 and verdict.table.num_images == 90 and verdict.table.num_looks == 2
        report = build_report(analysis)
        assert report["false_at_most"] == pytest.approx(2 * report["level_of_all"])
        assert [(row["n"], row["notes"]) for row in report["data"][0]["table"]] == [(2, []), (2, [])]
        (caution,) = [line for line in report["cautions"] if "superseded" in line]
        assert caution.startswith("4 runs are superseded") and f"0{OLD}" in caution.split("such as")[1]

    def test_are_replaced_by_a_later_failure(self, fake_generation, tmp_path):
        fake_generation(OLD)
        fake_generation(NEW, arms=["finetune"], seeds=[1], status="failed", error="boom")
        (verdict,) = analyze_sweep(tmp_path / "sweep").verdicts
        assert verdict.table.exclusions == {"finetune": "seed 1 failed: boom"}

    def test_declared_the_comparison_that_counts(self, fake_generation, tmp_path):
        fake_generation(OLD, compare={"margin": 0.02})
        fake_generation(NEW, compare={"margin": 0.05})
        assert analyze_sweep(tmp_path / "sweep").comparison.margin == 0.02

    def test_count_until_the_new_run_has_a_result(self, fake_run, fake_command, missing_run):
        run = fake_run()
        fake_command(run.parent, [run], started=OLD)
        fake_command(run.parent, [missing_run()], started=NEW)
        assert [loaded.directory for loaded in collect_runs(run.parent).finished] == [run]

    @pytest.mark.parametrize("other", [{"root": "elsewhere"}, {"sweep": "other"}])
    def test_are_none_of_another_folder_or_sweep(self, fake_generation, tmp_path, other):
        fake_generation(OLD)
        fake_generation(NEW, **other)
        runs = collect_runs(*{tmp_path / "sweep", tmp_path / other.get("sweep", "sweep")})
        assert not runs.superseded and len(runs.finished) == 8
        (verdict,) = analyze_sweep(*runs.directories).verdicts
        assert "give one of the two sweeps" in verdict.table.error
