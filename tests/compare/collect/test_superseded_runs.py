"""The same command once more, after images were added: the newest runs count, and the older ones are a look."""

import pytest
from omegaconf import OmegaConf

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report
from headstart.compare.report.terminal import print_analysis
from headstart.compare.summary_table import collect_runs
from headstart.files import write_text
from headstart.runs import run_directory

OLD, NEW = "2026-11-01T10:00:00+00:00", "2026-11-02T10:00:00+00:00"


@pytest.fixture
def generation(fake_run):
    """Writes the runs of one giving of a command, in folders of its own."""

    def write(day, images, arms=("finetune", "scratch_backbone"), seeds=(0, 1), root=None, data="photos", **more):
        for arm in arms:
            for seed in seeds:
                told = {"started": day, "identity": f"{arm}{seed}{day}{root}", "asked_seeds": list(seeds)} | more
                place = fake_run(arm, seed, images=images, right=0.9 if arm == "finetune" else 0.2, data=data, **told)
                write_text(place / run_directory.CONFIG_FILE, OmegaConf.to_yaml({"data": {"root": root}}))
                place.rename(place.with_name(f"{place.name}-{told['identity']}"))

    return write


def test_the_newest_run_of_an_arm_and_seed_counts_and_the_older_one_is_named_and_a_look(generation, tmp_path, capsys):
    generation(NEW, 90)
    generation(OLD, 60)
    told = analyze_sweep(tmp_path / "sweep")
    (verdict,) = told.verdicts
    assert len(verdict.table.correct) == 2 and verdict.table.num_images == 90 and verdict.table.num_looks == 2
    said = build_report(tmp_path / "sweep")
    (caution,) = [line for line in said["cautions"] if "superseded" in line]
    assert caution.startswith("4 runs are superseded") and f"finetune1{OLD}" in caution
    print_analysis(told)
    printed = capsys.readouterr().out.splitlines()
    assert caution in printed and any(line.startswith("Seeds or images were added") for line in printed)
    assert said["false_at_most"] == pytest.approx(2 * said["level_of_all"])
    assert [(row["n"], row["notes"]) for row in said["data"][0]["table"]] == [(2, []), (2, [])]


def test_each_time_that_all_was_trained_anew_is_a_look(generation, tmp_path):
    for day in ("2026-10-30", OLD, NEW):
        generation(day, 60)
    assert analyze_sweep(tmp_path / "sweep").verdicts[0].table.num_looks == 3


def test_a_later_failure_takes_the_place_of_what_was_trained_before(generation, tmp_path):
    generation(OLD, 60)
    generation(NEW, 60, arms=["finetune"], seeds=[1], status="failed", error="boom")
    (verdict,) = analyze_sweep(tmp_path / "sweep").verdicts
    assert verdict.table.exclusions == {"finetune": "seed 1 failed: boom"}


def test_what_was_declared_anew_is_judged_as_the_superseded_runs_had_declared(generation, tmp_path):
    generation(OLD, 60, compare={"margin": 0.02})
    generation(NEW, 60, compare={"margin": 0.05})
    assert analyze_sweep(tmp_path / "sweep").comparison.margin == 0.02


@pytest.mark.parametrize("other", [{"root": "elsewhere"}, {"sweep": "other"}])
def test_runs_of_two_folders_of_one_name_or_of_two_sweeps_are_for_a_person_to_choose(generation, tmp_path, other):
    generation(OLD, 60)
    generation(NEW, 60, **other)
    every = collect_runs(*{tmp_path / "sweep", tmp_path / other.get("sweep", "sweep")})
    assert not every.superseded and len(every.finished) == 8
    (verdict,) = analyze_sweep(*every.directories).verdicts
    assert "give one of the two sweeps" in verdict.table.error
