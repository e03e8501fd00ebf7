"""What a command asks for, before anything trains."""

import pytest

from headstart import plan, runs
from headstart.errors import HeadstartError


@pytest.fixture
def planned(image_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = image_folder(classes=2, per_class=30, size=16)

    def of(*words):
        return plan.planned(["experiment=compare", "data=folder", f"data.root={images}", "data.image_size=16", *words])

    return of


def value(planned, key):
    return next(word.partition("=")[2] for word in planned.argv if word.startswith(f"{key}="))


def test_the_start_says_how_many_runs_how_long_and_how_much_disk(planned, capsys):
    made = planned("seed=0,1")
    said = capsys.readouterr().err
    assert made.total == 2 * 4 * 3 and "24 runs" in said and "about" in said and "MB of disk" in said
    assert all(axis in said for axis in ("2 seeds", "4 models", "3 budgets"))


def test_the_start_names_what_else_is_swept(planned, capsys):
    planned("seed=0", "model=frozen", "data.labels_per_class=5", "model.head_lr=1e-2,1e-3")
    said = capsys.readouterr().err
    assert "2 runs (2 of model.head_lr)" in said


def test_budgets_that_nobody_typed_are_those_that_fit(planned):
    assert value(planned(), plan.BUDGET) == "5,10,20"


def test_a_typed_budget_is_taken_as_it_is_or_refused(planned):
    assert planned("data.labels_per_class=7").total == 3 * 4
    with pytest.raises(HeadstartError, match=r"data\.labels_per_class=25"):
        planned("data.labels_per_class=5,25")


def test_seeds_and_budgets_stay_in_one_directory_and_other_settings_get_another(planned):
    places = [planned(*words).directory for words in ((), ("seed=0,1,2,3",), ("data.labels_per_class=5",))]
    assert len(set(places)) == 1
    assert len({*places, planned("model=frozen").directory, planned("data.batch_size=8").directory}) == 3


def test_a_directory_given_by_hand_is_used(planned):
    assert str(planned("hydra.sweep.dir='my sweeps'").directory) == "my sweeps"


def test_what_failed_before_is_tried_again(planned):
    failed = planned().directory / "one"
    failed.mkdir(parents=True)
    runs.write_json(failed / runs.RESULT, {"status": "failed", "error": "x"})
    planned()
    assert not (failed / runs.RESULT).exists()


def test_a_command_that_only_shows_things_plans_nothing():
    assert plan.planned(["--help"]).total == 0
