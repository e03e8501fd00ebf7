"""The result of a run."""

import json
from dataclasses import replace

import pytest

from headstart.errors import HeadstartError
from headstart.runs.result import (
    RunResult,
    delete_failed_result,
    iter_results,
    read_finished_result,
    read_result,
    write_result,
)
from headstart.runs.run_directory import RESULT_FILE

FINISHED = RunResult(
    status="finished",
    model="frozen",
    data="digits",
    seed=3,
    labels_per_class=5,
    settings={"model.lr": 0.1},
    identity="1a2b3c4d5e",
    metrics={"test/accuracy": 0.5},
    cost={"seconds": 1.5},
)
FAILED = RunResult(status="failed", model="frozen", data="digits", seed=3, error="the loss is NaN")


class TestRunResult:
    @pytest.mark.parametrize("result", [FINISHED, FAILED, replace(FINISHED, debug="trainer.fast_dev_run=true")])
    def test_comes_back_from_its_dict(self, result):
        assert RunResult.from_dict(result.to_dict()) == result

    def test_names_its_arm_in_the_file(self):
        assert FINISHED.to_dict()["arm"] == "frozen"

    def test_keeps_further_keys(self):
        result = RunResult.from_dict(FINISHED.to_dict() | {"note": "by hand"})
        assert result.extra == {"note": "by hand"} and result.to_dict()["note"] == "by hand"

    @pytest.mark.parametrize("key", ["status", "model", "data", "seed", "metrics"])
    def test_rejects_a_finished_result_without(self, key):
        values = FINISHED.to_dict()
        del values[key]
        with pytest.raises(ValueError, match=f"^{key}|metrics"):
            RunResult.from_dict(values)

    def test_has_one_arm_key_for_all_seeds_and_budgets(self):
        other = replace(FINISHED, seed=4, labels_per_class=20, fold=1, data="mnist")
        assert other.arm_key == FINISHED.arm_key != replace(FINISHED, settings={"model.lr": 0.2}).arm_key


class TestReadResult:
    def test_reads_what_was_written(self, tmp_path):
        write_result(tmp_path, FINISHED)
        assert read_result(tmp_path) == read_finished_result(tmp_path) == FINISHED

    def test_is_none_without_a_file(self, tmp_path):
        assert read_result(tmp_path) is None

    @pytest.mark.parametrize("text", ['{"status": "fini', "[]", "3", json.dumps({"status": "finished"})])
    def test_is_none_for_a_result_that_is_not_whole(self, tmp_path, text):
        (tmp_path / RESULT_FILE).write_text(text)
        assert read_result(tmp_path) is None

    def test_refuses_another_finished_run(self, tmp_path):
        write_result(tmp_path, FINISHED)
        with pytest.raises(HeadstartError, match="holds another run"):
            read_result(tmp_path, "other")

    def test_takes_the_failure_of_another_run(self, tmp_path):
        write_result(tmp_path, FAILED)
        assert read_result(tmp_path, "other") == FAILED and read_finished_result(tmp_path) is None


def test_only_failed_results_are_deleted(tmp_path):
    for name, result in (("one", FINISHED), ("two", FAILED)):
        (tmp_path / name).mkdir()
        write_result(tmp_path / name, result)
        delete_failed_result(tmp_path / name)
    assert [(path.name, result) for path, result in iter_results(tmp_path)] == [("one", FINISHED)]
