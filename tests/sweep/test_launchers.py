"""Tests of a sweep with Hydra's launcher and with ours."""

import json

from headstart import train
from headstart.errors import HeadstartError
from headstart.runs import run_directory
from headstart.runs.result import read_result
from headstart.sweep import workers
from hydra_plugins.headstart import LocalLauncher

TINY = ["-m", "model=scratch_cnn,lenet", "model.epochs=1", "seed=0,1"]
TINY += ["data=folder", "data.folds=null", "data.image_size=32"]


def read_results(folder):
    return {path.parent.name: read_result(path.parent) for path in folder.rglob(run_directory.RESULT_FILE)}


class TestLocalLauncher:
    def test_gives_its_number_of_workers_on(self, monkeypatch):
        launches = []
        monkeypatch.setattr(workers, "run_jobs", lambda runner, count: launches.append((runner.jobs, count)) or [])
        launcher = LocalLauncher(workers=3, threads=1)
        launcher.setup(hydra_context=None, task_function=None, config=None)
        assert launcher.launch([["seed=0"], ["seed=1"]], initial_job_idx=0) == []
        assert launches == [([("seed=0",), ("seed=1",)], 3)]


class TestBasicLauncher:
    def test_reports_the_same_numbers_as_ours(self, images, command, tmp_path):
        reports = []
        for name in ("local", "basic"):
            done = command(*TINY, f"data.root={images}", f"hydra/launcher={name}", folder=tmp_path / name)
            (report,) = done.folder.rglob("report.json")
            run_metrics = {name: result.metrics for name, result in read_results(done.folder).items()}
            assert done.code == 0 and len(run_metrics) == 4
            (data,) = json.loads(report.read_text())["data"]
            reports.append((data["answers"], data["learning"], run_metrics))
        assert reports[0] == reports[1]

    def test_records_a_job_that_fails_before_its_run(self, images, command, monkeypatch):
        lock = train.lock_run_directory

        def refuse_one(directory, *args):
            if "scratch_cnn" in directory.name and "seed0" in directory.name:
                directory.mkdir(parents=True, exist_ok=True)
                raise HeadstartError("boom")
            return lock(directory, *args)

        monkeypatch.setattr(train, "lock_run_directory", refuse_one)
        done = command(*TINY, f"data.root={images}", "hydra/launcher=basic")
        results = read_results(done.folder).values()
        (failed,) = [result for result in results if result.is_failed]
        assert done.code == 1 and len(results) == 4
        assert (failed.error, failed.model, failed.seed) == ("boom", "scratch_cnn", 0)
