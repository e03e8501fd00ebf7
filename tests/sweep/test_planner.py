"""What a command asks for, before anything trains."""

import re

import pytest

from headstart.errors import HeadstartError
from headstart.process import format_error
from headstart.runs import run_directory
from headstart.runs.result import RunResult, write_result
from headstart.sweep.announce import format_plan, format_power, print_plan


@pytest.fixture
def planned(image_folder, tmp_path, monkeypatch, plan_command):
    monkeypatch.chdir(tmp_path)
    images = image_folder(classes=2, per_class=30, size=16)

    def plan(*words, experiment="curve"):
        options = ["data=folder", f"data.root={images}", "data.folds=null", "data.image_size=16"]
        return plan_command(f"experiment={experiment}", *options, *words)

    return plan


def write_finished(directory, identity, seconds=1.0, **fields):
    directory.mkdir(parents=True)
    measured = {"metrics": {"test/accuracy": 0.5}, "cost": {"seconds_in_all": seconds}}
    write_result(directory, RunResult("finished", "frozen", "images", 0, identity=identity, **measured, **fields))


def test_the_plan_is_printed_with_time_and_disk(planned, capsys):
    plan = planned("seed=0,1")
    print_plan(plan)
    printed = capsys.readouterr().err
    assert plan.num_runs == 2 * 4 * 4 and "32 runs" in printed and "about" in printed and "MB of disk" in printed
    assert all(axis in printed for axis in ("2 seeds", "4 models", "4 budgets"))


def test_other_swept_keys_are_counted(planned):
    plan = planned("seed=0", "model=frozen", "data.labels_per_class=5", "model.head_lr=1e-2,1e-3")
    assert "2 runs (2 of model.head_lr)" in format_plan(plan)


def test_a_swept_group_is_counted_in_the_plural(planned):
    plan = planned("seed=0", "model=frozen", "data.labels_per_class=20", "callbacks=default,early_stopping")
    assert "2 runs (2 callbacks)" in format_plan(plan)


def test_auto_budgets_fit_the_images(planned):
    assert planned("seed=0", "model=frozen").command.budgets == (5, 10, 20, None)


def test_runs_come_in_the_order_of_hydra(planned):
    plan = planned("seed=0,1", "model=scratch_cnn,frozen", "data.labels_per_class=5")
    assert [(run.seed, run.model) for run in plan.command.runs] == [
        (0, "scratch_cnn"), (0, "frozen"), (1, "scratch_cnn"), (1, "frozen")]  # fmt: skip
    assert all(f"seed={run.seed}" in job and f"model={run.model}" in job
               for run, job in zip(plan.command.runs, plan.jobs, strict=True))  # fmt: skip


def test_a_typed_budget_is_taken_as_it_is_or_refused(planned):
    assert planned("data.labels_per_class=7").num_runs == 3 * 4
    with pytest.raises(HeadstartError, match=r"data\.labels_per_class=25"):
        planned("data.labels_per_class=5,25")


def test_the_directory_depends_on_settings_not_seeds_and_budgets(planned):
    places = [planned(*words).directory for words in ((), ("seed=0,1,2,3",), ("data.labels_per_class=5",))]
    assert len(set(places)) == 1
    assert len({*places, planned("model=frozen").directory, planned("data.batch_size=8").directory}) == 3


def test_equal_arms_are_planned_once(planned):
    plan = planned("seed=0", "data.labels_per_class=5", "model=scratch_cnn,finetune", "backbone.lr=1e-3,1e-4")
    assert len(plan.command.arms) == plan.num_runs == 3


def test_a_directory_given_by_hand_is_used(planned):
    assert str(planned("hydra.sweep.dir='my sweeps'").directory) == "my sweeps"


def test_a_failed_run_is_pending_and_planning_deletes_nothing(planned):
    plan = planned()
    failed = plan.directory / plan.command.runs[0].directory
    failed.mkdir(parents=True)
    write_result(failed, RunResult("failed", "frozen", "digits", 0, error="x"))
    assert planned().num_pending == plan.num_runs
    assert (failed / run_directory.RESULT_FILE).exists()


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
def test_rejects_a_wrong_choice_at_any_place_before_training(planned, typed):
    key, _, choices = typed.partition("=")
    with pytest.raises(Exception) as refused:
        planned(typed)
    assert re.search(f"{key}=({choices.replace(',', '|')}): give", format_error(refused.value))


def test_budgets_of_a_sweep_over_several_folders_fit_all(planned, image_folder, tmp_path):
    small = image_folder(classes=2, per_class=16, size=16, root=tmp_path / "small")
    roots = f"data.root={tmp_path / 'images'},{small}"
    assert planned(roots).command.budgets == (5, 10, None)
    with pytest.raises(HeadstartError, match=r"data\.labels_per_class=20: class .* has 13"):
        planned(roots, "data.labels_per_class=20")


def test_an_arm_that_lacks_a_key_is_named(planned):
    with pytest.raises(HeadstartError, match=r"with model=frozen: no key 'model\.lr'"):
        planned("model=scratch_cnn,frozen", "model.lr=0.1")


def test_finished_runs_are_not_pending(planned):
    words = ("seed=0", "data.labels_per_class=5")
    plan = planned(*words)
    write_finished(plan.directory / plan.command.runs[2].directory, plan.command.runs[2].identity, seconds=60.0)
    write_finished(plan.directory / "another", "another", seconds=9.0)
    again = planned(*words)
    assert again.num_pending == len(again.pending) == 3 and again.seconds_per_run == 60.0
    assert again.command.runs[2] not in [run for run, _ in again.pending]


def test_another_comparison_of_finished_runs_is_reported(planned, capsys):
    words = ("seed=0", "data.labels_per_class=5")
    plan = planned(*words)
    run = plan.command.runs[0]
    write_finished(plan.directory / run.directory, run.identity, compare=plan.command.comparison)
    assert not planned(*words).has_other_comparison
    other = planned(*words, "compare.margin=0.02")
    assert other.has_other_comparison
    print_plan(planned(*words))
    assert "another comparison" not in capsys.readouterr().err
    print_plan(other)
    assert "runs of this sweep declared another comparison before they trained" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("seed=0,0", "seed=0,0: the same choice is given twice"),
        ("compare.margin=0.01,0.05", r"compare\.margin cannot be swept"),
        ("data.group='a','b'", "other groups test other images; give one of them"),
    ],
)
def test_choices_that_would_be_one_run_are_refused(planned, typed, told):
    with pytest.raises(HeadstartError, match=told):
        planned(typed)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("logger=none,csv", r"logger=none,csv: both are the same run; .*logger=\[csv,tensorboard\]"),
        ("callbacks=default,early_stopping,none", "callbacks=default,none: both are the same run"),
        ("data.num_workers=0,1", r"data\.num_workers=0,1: both are the same run"),
    ],
)
def test_choices_without_effect_are_refused(planned, typed, told):
    with pytest.raises(HeadstartError, match=told):
        planned("seed=0", "model=frozen", "data.labels_per_class=20", typed)


def detected(plan, pattern=r"gaps above (\d+) points"):
    """The points of each data set's warning; 0 without a warning, 100 where no gap is detected."""
    warnings = {size.data: format_power(size, plan) or "gaps above 0 points" for size in plan.test_sizes}
    found = {data: re.search(pattern, warning) for data, warning in warnings.items()}
    return {data: int(match[1]) if match else 100 for data, match in found.items()}


def test_detectable_differences_depend_on_images_and_level(planned, image_folder, tmp_path):
    large = image_folder(classes=2, per_class=90, size=16, root=tmp_path / "large")
    words = ("seed=0,1,2,3,4", f"data.root={tmp_path / 'images'},{large}")
    strict = detected(planned(*words))
    assert strict["images"] > strict["large"] > detected(planned(*words, "compare.level=0.4"))["large"]


def test_a_warning_has_a_command_that_detects_smaller_gaps(planned, plan_command):
    plan = planned("seed=0,1")
    warning = format_power(plan.test_sizes[0], plan)
    (promised,) = map(int, re.findall(r"this command detects (\d+) \(about", " ".join(warning.split())))
    assert promised < detected(plan)["images"]
    *_, command = warning.partition("headstart-train -m ")
    better = plan_command(*command.replace("\\\n", "").split())
    assert better.directory != plan.directory or better.num_runs > plan.num_runs
    assert detected(better)["images"] in (0, promised)


def test_enough_seeds_and_images_get_no_warning(planned, image_folder, tmp_path):
    large = image_folder(classes=2, per_class=200, size=8, root=tmp_path / "large")
    plan = planned("seed=0,1,2,3,4,5,6,7", f"data.root={large}", "data.labels_per_class=20", "data.folds=5")
    assert detected(plan) == {"large": 0}


def test_a_recorded_command_keeps_its_declared_contrast(planned):
    contrast = "compare.contrast=[finetune,frozen]"
    assert planned("model=frozen", "seed=0", "data.labels_per_class=5", contrast).num_runs == 1
    with pytest.raises(HeadstartError, match="no arm 'finetune' in this sweep"):
        planned("model=frozen,scratch_cnn", contrast)


@pytest.mark.parametrize("typed", ["compare.metric=f1", "tune.trials=-1", "tune.trials=1.5", "model.epochs=0"])
def test_a_single_run_is_checked_like_a_sweep(typed, plan_command):
    with pytest.raises(HeadstartError, match=typed.partition("=")[0]):
        plan_command("data=digits", "model=scratch_cnn", typed)


class TestHydraOptions:
    @pytest.mark.parametrize(
        ("words", "line"),
        [
            (["+hydra.foo=1"], "nothing reads hydra.foo here"),
            (["hydra.job.name=x"], "nothing reads hydra.job.name here"),
            (["-m", "hydra.mode=RUN"], "hydra.mode=RUN: -m asks for a sweep"),
            (["-m", "hydra/sweeper=basic"], "hydra/sweeper=basic: Headstart plans its sweeps"),
            (["-m", "hydra/launcher=raj"], r"no choice 'raj' in group 'hydra/launcher'.*choices: basic, local"),
            (["hydra.launcher.workers=2"], "a single run needs no launcher"),
            (["hydra/launcher=basic"], "a single run needs no launcher"),
            (["+hydra.sweeper.params.seed='0,1'"], "a single run needs no sweeper"),
            (["-m", "hydra.launcher.workers=0"], r"hydra\.launcher\.workers=0: give 1 or more"),
            (["-m", "hydra.launcher.threads=-1"], r"hydra\.launcher\.threads=-1: give 1 or more"),
        ],
    )
    def test_that_take_no_effect_are_refused(self, plan_command, words, line):
        with pytest.raises(HeadstartError, match=line):
            plan_command("data=digits", "model=scratch_cnn", *words)

    def test_that_a_directory_reads_are_taken(self, plan_command, tmp_path):
        plan_command("model=scratch_cnn", "hydra.job.name=x", f"hydra.run.dir='{tmp_path}/${{hydra.job.name}}'")


class TestRotation:
    """``data.folds=auto`` on 60 images: one split would test 12 of them."""

    @pytest.fixture
    def plan_rotation(self, planned):
        def plan(*words):
            return planned("model=frozen", "data.labels_per_class=5", "data.folds=auto", *words)

        return plan

    def test_each_seed_tests_a_fold_of_its_own(self, plan_rotation):
        plan = plan_rotation("seed=0,1,5,8")
        assert [(run.seed, run.folds, run.fold) for run in plan.command.runs] == [
            (0, 5, 0),
            (1, 5, 1),
            (5, 5, 0),
            (8, 5, 3),
        ]
        assert {"data.folds=5", "data.fold=3"} <= set(plan.jobs[3]) and plan.command.rotates

    def test_runs_are_among_those_of_typed_folds(self, planned, plan_rotation):
        rotating = plan_rotation("seed=0,1")
        typed = planned("model=frozen", "data.labels_per_class=5", "data.folds=5", "seed=0,1")
        assert typed.num_runs == 10 and not typed.command.rotates
        names = {(run.directory, run.identity) for run in typed.command.runs}
        assert {(run.directory, run.identity) for run in rotating.command.runs} < names
        assert rotating.directory == typed.directory

    def test_one_split_has_a_directory_of_its_own(self, planned, plan_rotation):
        one_split = planned("model=frozen", "data.labels_per_class=5", "seed=0")
        assert one_split.directory != plan_rotation("seed=0").directory and not one_split.command.rotates

    def test_a_typed_fold_is_the_only_one(self, planned):
        plan = planned("model=frozen", "data.labels_per_class=5", "seed=3", "data.folds=5", "data.fold=3")
        assert [(run.seed, run.fold) for run in plan.command.runs] == [(3, 3)]

    def test_counts_the_test_images_of_its_seeds(self, plan_rotation, planned):
        sizes = [
            (size.num_images, size.images_per_seed, size.folds, size.rotates)
            for seeds in ("0", "0,1,2", "0,1,2,3,4,5,6")
            for size in plan_rotation(f"seed={seeds}").test_sizes
        ]
        assert sizes == [(12, 12, 1, True), (36, 12, 1, True), (60, 12, 1, True)]
        (typed,) = planned("model=frozen", "data.labels_per_class=5", "seed=0,1", "data.folds=5").test_sizes
        assert (typed.num_images, typed.images_per_seed, typed.folds, typed.rotates) == (60, 60, 5, False)

    def test_budgets_fit_all_folds(self, planned, image_folder, tmp_path):
        root = image_folder(classes=2, per_class=24, size=16, root=tmp_path / "small")
        words = ("model=frozen", f"data.root={root}", "seed=4", "data.folds=auto")
        assert planned(*words).command.budgets == (5, 10, None)
        with pytest.raises(HeadstartError, match=r"data\.labels_per_class=20: class .* has 19"):
            planned(*words[:2], "seed=0", "data.folds=auto", "data.labels_per_class=20")

    def test_each_data_set_has_its_own(self, planned, image_folder, tmp_path):
        for seed, part in enumerate(("train", "test")):
            image_folder(classes=2, per_class=9, size=16, root=tmp_path / "parts" / part, seed=seed)
        roots = f"data.root={tmp_path / 'images'},{tmp_path / 'parts'}"
        plan = planned("model=frozen", "data.labels_per_class=5", "data.folds=auto", "seed=2", roots)
        assert [(run.data, run.folds, run.fold) for run in plan.command.runs] == [("images", 5, 2), ("parts", None, 0)]
        assert [size.is_given for size in plan.test_sizes] == [False, True]

    def test_folds_cannot_be_swept(self, planned):
        with pytest.raises(HeadstartError, match=r"data\.folds=auto,5: .* give one of them"):
            planned("data.folds=auto,5")

    def test_is_announced_with_the_images_of_a_seed(self, plan_rotation, capsys):
        plan = plan_rotation("model=frozen,scratch_cnn", "seed=0,1,2,3,4")
        print_plan(plan)
        printed = capsys.readouterr().err
        assert "one split of images would test 12 images; seed s tests fold s mod 5" in printed


class TestLooks:
    """A comparison without typed seeds trains until the order is known."""

    def test_are_planned_without_typed_seeds(self, planned):
        plan = planned(experiment="compare")
        assert [look.seeds for look in plan.command.looks] == [3, 5, 8, 12, 20] and plan.minutes == 30
        assert plan.command.seeds == tuple(range(20)) and plan.command.budgets == (None,)

    def test_have_the_seed_as_the_outermost_loop(self, planned):
        plan = planned("model=frozen,finetune", experiment="compare")
        assert [(run.seed, run.model) for run in plan.command.runs[:3]] == [
            (0, "frozen"),
            (0, "finetune"),
            (1, "frozen"),
        ]

    def test_are_not_planned_for_typed_seeds(self, planned):
        plan = planned("seed=0,1,2", experiment="compare")
        assert not plan.command.looks and plan.command.seeds == (0, 1, 2)
        assert [run.seed for run in plan.command.runs[:5]] == [0, 0, 0, 0, 1]

    def test_do_not_go_with_typed_seeds(self, planned):
        with pytest.raises(HeadstartError, match=r"compare\.max_seeds=9: the seeds are given"):
            planned("seed=0,1,2", "compare.max_seeds=9", experiment="compare")

    def test_are_not_planned_for_one_arm(self, planned):
        plan = planned("model=frozen", experiment="compare")
        assert not plan.command.looks and plan.command.seeds == (0, 1, 2)

    def test_are_not_planned_by_default(self, plan_command, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert not plan_command("-m", "model=frozen,scratch_cnn").command.looks

    @pytest.mark.parametrize("word", ["compare.max_seeds=0", "compare.max_seeds=2.5", "compare.minutes=0"])
    def test_refuse_senseless_limits(self, planned, word):
        with pytest.raises(HeadstartError, match=word.replace(".", r"\.").split("=")[0]):
            planned(word, experiment="compare")

    def test_minutes_have_no_default_for_typed_seeds(self, planned):
        assert planned("seed=0,1", experiment="compare").minutes is None
        assert planned("seed=0,1", "compare.minutes=5", experiment="compare").minutes == 5

    def test_limits_declare_nothing(self, planned):
        short, long = (planned(f"compare.minutes={minutes}", experiment="compare") for minutes in (1, 60))
        assert short.command.comparison == long.command.comparison and short.directory == long.directory
        assert set(short.command.comparison) == {"contrast", "metric", "margin", "level"}
