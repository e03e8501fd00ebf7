"""Half a result.json is the failure of an arm: no seed is dropped for how it ended."""

import pytest
from omegaconf import OmegaConf

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report
from headstart.compare.report.terminal import print_analysis
from headstart.files import write_text
from headstart.runs import run_directory


@pytest.fixture
def sweep(fake_run, tmp_path):
    """Two arms of one model and a third, over two budgets and three seeds, with their configurations."""
    arms = {"finetune": 0.1, "scratch_backbone": 0.1, "other": 0.2}
    for budget in (5, 20):
        for arm, lr in arms.items():
            for seed in range(3):
                model = "finetune" if arm == "other" else arm
                settings = {"model.lr": lr, **({"model.b": 1} if arm == "other" else {})}
                place = fake_run(model, seed, budget, settings=settings)
                data = {"root": "photos", "labels_per_class": budget, "fold": 0, "num_workers": 0}
                write_text(
                    place / run_directory.CONFIG_FILE,
                    OmegaConf.to_yaml({"model": settings, "data": data, "seed": seed}),
                )
    return tmp_path / "sweep"


def cut(place):
    path = place / run_directory.RESULT_FILE
    path.write_bytes(path.read_bytes()[:200])


def test_a_result_that_was_cut_short_refuses_its_arm_at_its_budget(sweep, capsys):
    (place,) = [
        p for p in sweep.glob("finetune-photos-5-seed1-*") if "model.b" in (p / run_directory.CONFIG_FILE).read_text()
    ]
    cut(place)
    told = analyze_sweep(sweep)
    five, twenty = told.verdicts
    assert [*five.table.exclusions] == ["finetune b=1"] and not twenty.table.exclusions
    assert five.table.exclusions["finetune b=1"].startswith("seed 1 failed: its result.json is not whole")
    assert not told.runs.unreadable and not any("Passed over" in line for line in build_report(sweep)["cautions"])
    print_analysis(told)
    assert f"failed: {place.name}: its result.json is not whole" in capsys.readouterr().out


@pytest.mark.parametrize("config", ["seed: 1", "", "model: ["])
def test_a_result_of_no_known_arm_is_a_caution(sweep, config):
    place = next(sweep.glob("scratch_backbone-photos-5-seed1-*"))
    (place / run_directory.CONFIG_FILE).write_text(config)
    cut(place)
    (caution,) = [line for line in build_report(sweep)["cautions"] if "Passed over" in line]
    assert place.name in caution and not analyze_sweep(sweep).runs.failures


def test_what_came_to_its_end_in_another_run_of_the_seed_counts(sweep, fake_run):
    place = next(sweep.glob("scratch_backbone-photos-5-seed1-*"))
    place.rename(place.with_name("again"))
    cut(place.with_name("again"))
    fake_run("scratch_backbone", 1, 5, settings={"model.lr": 0.1})
    assert not analyze_sweep(sweep).verdicts[0].table.exclusions
