"""What a command asks for, before anything trains."""

import re

import pytest

from headstart.errors import HeadstartError
from headstart.process import format_error
from headstart.runs import run_directory
from headstart.runs.result import RunResult, write_result
from headstart.sweep import planner


@pytest.fixture
def planned(image_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = image_folder(classes=2, per_class=30, size=16)

    def of(*words):
        return planner.plan_sweep(
            ["experiment=compare", "data=folder", f"data.root={images}", "data.image_size=16", *words]
        )

    return of


def called_by_choices(cfg):
    return f"{cfg.model._target_}-{cfg.seed}-{cfg.data.labels_per_class}"


def finished_result(run, seconds):
    measured = {"metrics": {"test/accuracy": 0.5}, "cost": {"seconds_in_all": seconds}}
    compare = {"contrast": ["finetune", "scratch_backbone"], "metric": "accuracy", "margin": 0.01, "level": 0.05}
    return RunResult("finished", "frozen", "images", 0, identity=run.name, compare=compare, **measured)


def value(planned, key):
    return next(word.partition("=")[2] for word in planned.argv if word.startswith(f"{key}="))


def test_the_start_says_how_many_runs_how_long_and_how_much_disk(planned, capsys):
    made = planned("seed=0,1")
    said = capsys.readouterr().err
    assert made.num_runs == 2 * 4 * 3 and "24 runs" in said and "about" in said and "MB of disk" in said
    assert all(axis in said for axis in ("2 seeds", "4 models", "3 budgets"))


def test_the_start_names_what_else_is_swept(planned, capsys):
    planned("seed=0", "model=frozen", "data.labels_per_class=5", "model.head_lr=1e-2,1e-3")
    said = capsys.readouterr().err
    assert "2 runs (2 of model.head_lr)" in said


def test_budgets_that_nobody_typed_are_those_that_fit(planned):
    assert value(planned(), planner.BUDGET_KEY) == "5,10,20"


def test_a_typed_budget_is_taken_as_it_is_or_refused(planned):
    assert planned("data.labels_per_class=7").num_runs == 3 * 4
    with pytest.raises(HeadstartError, match=r"data\.labels_per_class=25"):
        planned("data.labels_per_class=5,25")


def test_seeds_and_budgets_stay_in_one_directory_and_other_settings_get_another(planned):
    places = [planned(*words).directory for words in ((), ("seed=0,1,2,3",), ("data.labels_per_class=5",))]
    assert len(set(places)) == 1
    assert len({*places, planned("model=frozen").directory, planned("data.batch_size=8").directory}) == 3


def test_an_arm_without_a_backbone_is_one_whatever_backbones_the_others_have(planned, monkeypatch):
    assert planned("seed=0,1").num_arms == 4
    network = {"scratch_cnn": "none"}
    monkeypatch.setattr(planner, "identify_run", lambda cfg: "x")
    monkeypatch.setattr(planner, "format_run_name", lambda cfg, identity: str([
        cfg.model._target_, cfg.seed, cfg.data.labels_per_class,
        cfg.model.get("backbone", {}).get("name", network["scratch_cnn"])]))  # fmt: skip
    assert planned("seed=0", "model=scratch_cnn,frozen", "backbone=embedded,resnet18").num_arms == 3


def test_a_directory_given_by_hand_is_used(planned):
    assert str(planned("hydra.sweep.dir='my sweeps'").directory) == "my sweeps"


def test_what_failed_before_is_tried_again(planned):
    failed = planned().directory / "one"
    failed.mkdir(parents=True)
    write_result(failed, RunResult("failed", "frozen", "digits", 0, error="x"))
    planned()
    assert not (failed / run_directory.RESULT_FILE).exists()


def test_a_command_that_only_shows_things_plans_nothing():
    assert planner.plan_sweep(["--help"]).num_runs == 0


@pytest.mark.parametrize(
    "typed",
    [
        "data.image_size=16,7",
        "data.batch_size=8,0",
        "seed=0,-1",
        "model.epochs=1,0",
        "trainer.max_epochs=1,0",
        "data.labels_per_class=5,five",
        "data.labels_per_class=5.5,7",
        "data.labels_per_class=auto,5",
    ],
)
def test_a_choice_that_makes_no_sense_is_found_before_training_wherever_it_stands(planned, typed):
    key, _, choices = typed.partition("=")
    with pytest.raises(Exception) as refused:
        planned(typed)
    assert re.search(f"{key}=({choices.replace(',', '|')}): give", format_error(refused.value))


def test_the_budgets_of_a_sweep_over_several_folders_fit_them_all(planned, image_folder, tmp_path):
    small = image_folder(classes=2, per_class=16, size=16, root=tmp_path / "small")
    roots = f"data.root={tmp_path / 'images'},{small}"
    assert value(planned(roots), planner.BUDGET_KEY) == "5,10"
    with pytest.raises(HeadstartError, match=r"data\.labels_per_class=20: class .* has 13"):
        planned(roots, "data.labels_per_class=20")


def test_an_arm_that_lacks_a_key_is_named(planned):
    with pytest.raises(HeadstartError, match=r"with model=frozen: no key 'model\.lr'"):
        planned("model=scratch_cnn,frozen", "model.lr=0.1")


def test_only_the_runs_that_were_asked_for_count_as_done(planned, capsys, monkeypatch):
    monkeypatch.setattr(planner, "identify_run", called_by_choices)
    monkeypatch.setattr(planner, "format_run_name", lambda cfg, identity: identity)
    place = planned("seed=0", "data.labels_per_class=5").directory
    for seed, budget in ((0, 5), (0, 10), (1, 5)):
        run = place / f"headstart.models.Frozen-{seed}-{budget}"
        run.mkdir(parents=True)
        write_result(run, finished_result(run, 60.0))
    capsys.readouterr()
    assert planned("seed=0", "data.labels_per_class=5").num_pending == 3
    assert "4 runs (4 models), 1 done, about 3 min" in capsys.readouterr().err


def test_a_comparison_declared_after_the_fact_is_said_not_to_count(planned, capsys, monkeypatch):
    monkeypatch.setattr(planner, "identify_run", called_by_choices)
    monkeypatch.setattr(planner, "format_run_name", lambda cfg, identity: identity)
    asked = ("seed=0", "data.labels_per_class=5")
    run = planned(*asked).run_directories[0]
    run.mkdir(parents=True)
    write_result(run, finished_result(run, 1.0))
    capsys.readouterr()
    planned(*asked)
    assert "declared another comparison" not in capsys.readouterr().err
    assert planned(*asked, "compare.margin=0.02").run_directories[0] == run
    assert "declared another comparison" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("seed=0,0", "seed=0,0: a choice stands there twice"),
        ("compare.margin=0.01,0.05", r"compare\.margin cannot be swept"),
    ],
)
def test_choices_that_would_be_one_run_are_refused(planned, typed, told):
    with pytest.raises(HeadstartError, match=told):
        planned(typed)


def promised(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if "test images and" in line]


def points(line):
    return int(re.search(r"difference of (\d+) points", line)[1])


def test_what_can_be_found_is_said_of_every_data_set_and_at_the_level_that_was_asked(
    planned, image_folder, tmp_path, capsys
):
    large = image_folder(classes=2, per_class=90, size=16, root=tmp_path / "large")
    asked = ("seed=0,1,2,3,4", f"data.root={tmp_path / 'images'},{large}")
    planned(*asked)
    small, more = promised(capsys)
    assert small.startswith("images: ") and more.startswith("large: ") and points(small) > points(more)
    planned(*asked, "compare.level=0.4")
    assert points(promised(capsys)[1]) < points(more)


def test_where_no_difference_can_be_promised_none_is(planned, capsys):
    planned("seed=0,1")
    (line,) = promised(capsys)
    assert "promise to find no difference between two arms" in line and "points" not in line and "more seeds" in line


def test_a_recorded_command_is_taken_with_the_contrast_that_its_sweep_had_declared(planned):
    contrast = "compare.contrast=[finetune,frozen]"
    assert planned("model=frozen", "seed=0", "data.labels_per_class=5", contrast).num_runs == 1
    with pytest.raises(HeadstartError, match="no arm 'finetune' in this sweep"):
        planned("model=frozen,scratch_cnn", contrast)


@pytest.mark.parametrize("typed", ["compare.metric=f1", "tune.trials=-1", "tune.trials=1.5", "model.epochs=0"])
def test_a_single_run_is_looked_at_like_a_sweep(typed):
    with pytest.raises(HeadstartError, match=typed.partition("=")[0]):
        planner.plan_sweep(["data=digits", "model=scratch_cnn", typed])
