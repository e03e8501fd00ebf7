"""A sweep that is killed, or ends at ``compare.minutes``, and goes on ends like an undisturbed one."""

import json
import os
import random
import re
import signal
import subprocess
import sys

import pytest

from headstart.runs import run_directory

pytestmark = pytest.mark.acceptance
SWEEPS, KILLS = int(os.environ.get("HEADSTART_SWEEPS", "10")), 10
MEASURED = ("seconds", "peak_memory_bytes")  # parts of the names of fields that differ from run to run


def drop_measurements(value):
    """A report without its times and memory, in sentences too."""
    if isinstance(value, str):
        return re.sub(r"[\d.,]+ (s|minutes?)\b", "a while", value)
    if isinstance(value, dict):
        return {k: drop_measurements(v) for k, v in value.items() if not any(name in k for name in MEASURED)}
    return [drop_measurements(v) for v in value] if isinstance(value, list) else value


class TestKilledSweep:
    @pytest.mark.parametrize("seeds", ["seed=0,1", "compare.max_seeds=5"])
    @pytest.mark.parametrize("number", range(SWEEPS))
    def test_ends_like_an_uninterrupted_one(self, image_folder, tmp_path, number, seeds):
        images = image_folder(classes=3, per_class=30, size=32, seed=number)
        words = ["experiment=compare", "data=folder", f"data.root={images}", "data.image_size=32", seeds,
                 "model=scratch_cnn,finetune", "data.labels_per_class=20", "model.epochs=30"]  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")}

        def start(folder, *more):
            folder.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "headstart.train", *words, *more]
            streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            return subprocess.Popen(command, cwd=folder, env=environment, **streams)

        def read_report(folder):
            return json.loads(next(folder.rglob("report.json")).read_text(encoding="utf-8"))

        assert start(tmp_path / "whole").wait() == 0
        generator, folder = random.Random(number), tmp_path / "killed"
        times = {}
        for attempt in range(KILLS):
            process = start(folder, *(["compare.minutes=0.1"] if attempt % 2 else []))
            try:
                process.wait(timeout=generator.uniform(1.0, 15.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
            for path in folder.rglob(run_directory.RESULT_FILE):
                assert times.setdefault(path, path.stat().st_mtime_ns) == path.stat().st_mtime_ns, "trained twice"
        assert start(folder).wait() == 0
        assert drop_measurements(read_report(folder)) == drop_measurements(read_report(tmp_path / "whole"))
