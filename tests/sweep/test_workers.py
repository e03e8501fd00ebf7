"""A sweep's runs, shared by the processes that work on it."""

import errno
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import hydra
import pytest
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode

from headstart import train
from headstart.compare.inference import analysis
from headstart.compare.report import content
from headstart.config.compose import CONFIG_NAME, VERSION_BASE, open_hydra
from headstart.config.shipped import conf_dir
from headstart.data.image_folder import ImageFolder
from headstart.errors import HeadstartError
from headstart.process import EXIT_DISK_FULL, EXIT_TERMINATED, TimeLimitReached
from headstart.runs import run_directory
from headstart.runs.lock import lock_run_directory
from headstart.runs.result import RunResult, read_result, write_result
from headstart.runs.sweep_file import PlannedRun, SweepCommand, append_sweep_command
from headstart.sweep import estimate, workers
from headstart.sweep.plan import SweepPlan
from headstart.sweep.sweeper import audit_sources, finish_sweep
from headstart.training.context import RunContext

TINY = ["-m", "model=scratch_cnn", "data=folder", "data.folds=null", "data.image_size=16", "model.epochs=2"]


def results(folder):
    return {path.parent.name: read_result(path.parent) for path in folder.rglob(run_directory.RESULT_FILE)}


@pytest.fixture
def cores(monkeypatch):
    def there_are(n, memory=64e9, **typed):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        for name, value in typed.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("joblib.cpu_count", lambda only_physical_cores: n)
        monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"total": memory}))
        return estimate.workers_and_threads()

    return there_are


def test_each_run_has_a_core_where_memory_allows(cores):
    assert cores(2) == (2, 1) and cores(8) == (8, 1)
    assert cores(8, memory=9e9) == (2, 4) and cores(4, memory=1e9) == (1, 4)


def test_threads_that_were_typed_are_heeded(cores):
    assert cores(8, OMP_NUM_THREADS="4") == (2, 4) and cores(2, OMP_NUM_THREADS="8") == (1, 2)


def test_two_processes_train_each_run_once_and_as_one_would(image_folder, command, monkeypatch, tmp_path):
    images = image_folder(classes=2, per_class=12, size=16)
    words = [*TINY, f"data.root={images}", "seed=0,1,2,3"]
    alone = command(*words, folder=tmp_path / "alone")
    two = ["hydra.launcher.workers=2", "hydra.launcher.threads=1"]
    shared = command(*words, *two, "data.num_workers=1", folder=tmp_path / "shared")
    assert shared.code == alone.code == 0
    one, other = results(alone.folder), results(shared.folder)
    assert one.keys() == other.keys() and len(one) == 4
    assert all(one[name].metrics == other[name].metrics for name in one)
    assert "4  " in shared.out.replace("±", "") and "scratch_cnn" in shared.out


@hydra.main(str(conf_dir()), CONFIG_NAME, VERSION_BASE)
def write_seed(cfg):
    context = RunContext.from_hydra()
    with lock_run_directory(context.directory, f"seed {cfg.seed}", context.wait_for_lock):
        write_result(context.directory, RunResult("finished", "x", "y", cfg.seed, metrics={"test/accuracy": 1.0}))
    return context.directory


def fail_before_training(cfg):
    raise HeadstartError("no images")


def count_threads(cfg):
    return RunContext.from_hydra().threads


def read_stop_at(cfg):
    return RunContext.from_hydra().stop_at


class TestJobRunner:
    def test_begins_no_run_once_time_is_up(self, runner):
        assert replace(runner, stop_at=0.0).run_pending() == {}
        assert set(runner.run_pending()) == set(range(len(runner.jobs)))

    @pytest.fixture
    def runner(self, tmp_path):
        with open_hydra():
            loader = GlobalHydra.instance().config_loader()
            overrides = [f"hydra.sweep.dir={tmp_path}"]
            config = loader.load_configuration("train", overrides, run_mode=RunMode.MULTIRUN)
            jobs = [(f"seed={seed}", f"hydra.sweep.subdir=seed{seed}") for seed in (0, 1)]
            yield workers.JobRunner(HydraContext(loader, Callbacks()), write_seed.__wrapped__, config, jobs)

    def test_leaves_locked_jobs_to_the_other_process(self, runner, tmp_path):
        (tmp_path / "seed0").mkdir()
        path = str(tmp_path / "seed0" / run_directory.LOCK_FILE)
        program = f"import filelock, time; lock = filelock.FileLock({path!r}); lock.acquire(); print(flush=True)"
        program += "; time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
            other.stdout.readline()
            assert list(runner.run_pending()) == [1]
            other.kill()
        assert list(runner.run_pending(wait=True)) == [0]

    def test_runs_a_failed_job_only_once(self, runner, tmp_path):
        runs = tuple(PlannedRun(f"seed{seed}", f"id{seed}", "x", {"lr": 1}, "y", None, seed) for seed in (0, 1))
        append_sweep_command(tmp_path, SweepCommand("headstart-train -m seed=0,1", "", runs, {"metric": "accuracy"}))
        failing = replace(runner, task_function=fail_before_training)
        assert list(failing.run_pending()) == [0, 1] and runner.run_pending(wait=True) == {}
        result = read_result(tmp_path / "seed1")
        assert (result.error, result.identity, result.seed, result.settings) == ("no images", "id1", 1, {"lr": 1})

    def test_gives_a_run_the_threads_of_its_sweep(self, runner, tmp_path):
        runs = tuple(PlannedRun(f"seed{seed}", f"id{seed}", "x", {}, "y", None, seed) for seed in (0, 1))
        append_sweep_command(tmp_path, SweepCommand("headstart-train -m seed=0,1", "", runs, {}, threads=3))
        returns = replace(runner, task_function=count_threads).run_pending()
        assert [job.return_value for job in returns.values()] == [3, 3]

    def test_tells_a_run_when_the_sweep_ends(self, runner, tmp_path):
        runs = tuple(PlannedRun(f"seed{seed}", f"id{seed}", "x", {}, "y", None, seed) for seed in (0, 1))
        append_sweep_command(tmp_path, SweepCommand("headstart-train -m seed=0,1", "", runs, {}))
        returns = replace(runner, task_function=read_stop_at, stop_at=4e9).run_pending()
        assert [job.return_value for job in returns.values()] == [4e9, 4e9]

    def test_ends_where_a_worker_process_cannot_start(self, runner, monkeypatch):
        def ring(self):
            raise TimeLimitReached

        monkeypatch.setattr("multiprocessing.context.SpawnProcess.start", ring)
        with pytest.raises(TimeLimitReached):
            workers.run_jobs(runner, workers=2)

    def test_skips_finished_jobs(self, runner):
        assert list(runner.run_pending()) == [0, 1] and runner.run_pending() == {}


def test_a_failed_run_is_not_tried_again_by_other_processes(image_folder, command, monkeypatch):
    images = image_folder(classes=2, per_class=12, size=16)
    two = ["hydra.launcher.workers=2", "hydra.launcher.threads=1"]
    done = command(*TINY, *two, f"data.root={images}", "model.lr=1e30,5e-3", "model.epochs=20", "seed=0,1")
    statuses = sorted(result.status for result in results(done.folder).values())
    assert done.code == 1 and statuses == ["failed", "failed", "finished", "finished"]
    (failed,) = [line for line in done.out.splitlines() if line.startswith("failed: ")]
    assert failed.count("scratch_cnn-folder-all-seed") == 2  # the same line once, with both names


def test_a_run_that_fails_before_it_can_train_says_what_it_was(image_folder, command, monkeypatch):
    images = image_folder(classes=2, per_class=12, size=16)
    claimed = lock_run_directory

    def refused(directory, *how):
        if "lenet" in directory.name and "seed1" in directory.name:
            directory.mkdir(parents=True, exist_ok=True)
            raise HeadstartError("boom")
        return claimed(directory, *how)

    monkeypatch.setattr(train, "lock_run_directory", refused)
    arms = ["model=scratch_cnn,lenet", "data.image_size=32", "model.epochs=4", "data.batch_size=2", "model.lr=1e-2"]
    done = command(*TINY, f"data.root={images}", "seed=0,1", *arms)
    one, other = (
        next(r for name, r in results(done.folder).items() if f"lenet-folder-all-seed{s}" in name) for s in "01"
    )
    what = ("model", "data", "labels_per_class", "fold", "folds", "settings", "compare")
    assert other.is_failed and other.seed == 1
    assert [getattr(one, key) for key in what] == [getattr(other, key) for key in what]
    (verdict,) = analysis.analyze_sweep(next(done.folder.glob("runs/*"))).verdicts
    assert verdict.table.exclusions["lenet"] == "seed 1 failed: boom"


@pytest.fixture
def ended_sweep(tmp_path):
    (tmp_path / "sweep" / "run").mkdir(parents=True)
    result = RunResult("finished", "frozen", "digits", 0, labels_per_class=5, metrics={"test/accuracy": 0.5})
    write_result(tmp_path / "sweep" / "run", result)
    return SweepPlan(tmp_path / "sweep", SweepCommand("headstart-train -m", "", (), {}))


def test_a_sweep_ends_with_its_table_and_its_report_judged_once(ended_sweep, capsys, monkeypatch):
    times, look = [], analysis.build_correctness_tables
    monkeypatch.setattr(analysis, "build_correctness_tables", lambda *given: times.append(given) or look(*given))
    assert finish_sweep(ended_sweep) == 0 and len(times) == 1
    said = capsys.readouterr().out
    assert "50.0 ± –" in said and said.endswith(f"report: {ended_sweep.directory / 'report.html'}\n")
    assert (ended_sweep.directory / "report.html").is_file()


def test_a_failed_report_is_one_line_and_leaves_the_table(ended_sweep, capsys, monkeypatch):
    monkeypatch.setattr(content, "write_report", lambda directory, told: 1 / 0)
    assert finish_sweep(ended_sweep) == 1
    said = capsys.readouterr()
    assert "50.0 ± –" in said.out and said.err.count("\n") == 1 and said.err.startswith("headstart-train: ")


def test_helpers_end_with_the_command_however_that_ends(image_folder, tmp_path):
    images = image_folder(classes=2, per_class=12, size=16)
    words = [*TINY, f"data.root={images}", "seed=0,1", "trainer.max_epochs=1000000"]
    two = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"} | {"LOKY_MAX_CPU_COUNT": "2"}
    began = [sys.executable, "-m", "headstart.train", *words]
    with subprocess.Popen(began, cwd=tmp_path, env=two, stderr=subprocess.PIPE, text=True) as main:
        said = [main.stderr.readline() for _ in range(3)]  # the plan, and the beginning of both runs
        main.kill()
        main.stderr.read()  # ends when the last process that could write to it has ended
    assert {line[:5] for line in said[1:]} == {"[1/2]", "[2/2]"}


def test_audits_images_before_training_and_reports_findings(image_folder, command, monkeypatch):
    images = image_folder(classes=2, per_class=12, size=16)
    (images / ".ipynb_checkpoints").mkdir()
    trained = train.fit_and_test
    seen = []

    def looked(*args):
        seen.extend((images.parent / "work").rglob(run_directory.AUDIT_FILE))
        return trained(*args)

    monkeypatch.setattr(train, "fit_and_test", looked)
    done = command(*TINY, f"data.root={images}")
    assert done.code == 0 and seen
    assert "the images: folders that are passed over (1)" in done.err
    assert ".ipynb_checkpoints" in next(done.folder.rglob("report.json")).read_text()


def test_every_folder_of_a_sweep_is_audited_once(image_folder, monkeypatch, tmp_path, plan_command):
    roots = [tmp_path / "one", tmp_path / "other"]
    one, other = (image_folder(classes=2, per_class=12, size=16, root=root, seed=i) for i, root in enumerate(roots))
    (other / "class0" / "notes.txt").write_text("none")
    monkeypatch.chdir(tmp_path)
    asked = ["data.on_bad_file=skip", f"data.root={one},{other}", "data.batch_size=4,8"]
    audit_sources(plan_command(*TINY, *asked, "hydra.sweep.dir=sweep"))
    told = json.loads((tmp_path / "sweep" / run_directory.AUDIT_FILE).read_text())
    assert [(audit["name"], audit["counts"]) for audit in told] == [("one", {}), ("other", {"no_image": 1})]


def test_audits_changed_images_again_and_no_others(image_folder, monkeypatch, tmp_path, plan_command):
    images = image_folder(classes=2, per_class=12, size=16)
    monkeypatch.chdir(tmp_path)
    looked = []
    look = ImageFolder.audit
    monkeypatch.setattr(ImageFolder, "audit", lambda self: looked.append(self.name) or look(self))

    def audited():
        audit_sources(plan_command(*TINY, f"data.root={images}", "hydra.sweep.dir=sweep"))
        (audit,) = run_directory.read_audits(tmp_path / "sweep")
        return audit["counts"], len(looked)

    assert audited() == ({}, 1) and audited() == ({}, 1)
    shutil.copy(images / "class0" / "1.png", images / "class1" / "copy.png")
    counts, times = audited()
    assert counts["mislabelled"] == 1 and times == 2
    (tmp_path / "sweep" / run_directory.AUDIT_FILE).write_text("[{")
    assert audited() == (counts, 3)


@pytest.mark.parametrize("typed", ["compare.metric=f1", "compare.margin=-1", "compare.contrast=[frozen]"])
def test_rejects_a_senseless_comparison_before_training(image_folder, command, typed):
    refused = command(*TINY, f"data.root={image_folder(classes=2, per_class=12, size=16)}", typed)
    assert refused.code == 1 and refused.err.count("\n") == 1 and typed.partition("=")[0] in refused.err


@pytest.mark.parametrize(
    ("contrast", "told"),
    [
        ("[scratch_cn,scratch_cnn]", "no model 'scratch_cn'; did you mean 'scratch_cnn'?"),
        ("[finetune,scratch_cnn]", "no arm 'finetune' in this sweep (its arms: scratch_cnn, scratch_cnn lr=0.001, "),
    ],
)
def test_rejects_a_contrast_of_missing_arms_before_training(image_folder, command, contrast, told):
    images = image_folder(classes=2, per_class=12, size=16)
    refused = command(*TINY, f"data.root={images}", "model.lr=1e-3,1e-2", f"compare.contrast={contrast}")
    assert refused.code == 1 and refused.err.count("\n") == 1 and told in refused.err


def test_a_full_disk_is_one_line_and_the_same_command_continues(image_folder, command, monkeypatch):
    asked = [*TINY, f"data.root={image_folder(classes=2, per_class=12, size=16)}", "seed=0,1,2"]

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device", "last.ckpt")

    with monkeypatch.context() as patch:
        patch.setattr(train, "fit_and_test", full)
        stopped = command(*asked)
    assert (
        stopped.code == EXIT_DISK_FULL and stopped.err.count("the disk is full") == 1 and "failed: " not in stopped.out
    )
    assert command(*asked).code == 0


def raise_on_sigterm_as_lightning():
    handler = signal.getsignal(signal.SIGTERM)

    def handle(*signal_and_frame):
        if callable(handler):
            handler(*signal_and_frame)
        raise SystemExit

    signal.signal(signal.SIGTERM, handle)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_worker_ends_at_sigterm_without_a_message(capfd):
    payload = pickle.dumps(raise_on_sigterm_as_lightning)
    worker = multiprocessing.get_context("fork").Process(target=workers.run_worker, args=(payload,))
    worker.start()
    worker.join()
    assert worker.exitcode == EXIT_TERMINATED and "interrupted" not in "".join(capfd.readouterr())


def test_a_failing_run_is_named_at_the_end_and_stops_no_other(images, command):
    words = [*TINY, f"data.root={images}", "model.lr=1e30,5e-3", "model.epochs=20"]
    done = command(*words)
    failed, finished = sorted(results(done.folder).values(), key=lambda result: result.status)
    assert failed.is_failed and finished.is_finished
    assert failed.settings.keys() == finished.settings.keys() and failed.seed == finished.seed == 0
    assert done.code == 1 and "lower the learning rate" in done.err
    again = command(*words)
    failed_again, finished_again = sorted(results(again.folder).values(), key=lambda result: result.status)
    assert again.code == 1 and failed_again.started > failed.started and finished_again == finished
