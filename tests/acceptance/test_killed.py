"""Sweeps that are killed at random moments and given again end as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys

import pytest

from headstart.runs import run_directory

pytestmark = pytest.mark.acceptance
SWEEPS, KILLS = int(os.environ.get("HEADSTART_SWEEPS", "10")), 10
TIMES = {"seconds", "seconds_in_all", "peak_memory_bytes", "mean_seconds"}


def timeless(value):
    """Without what a clock or a memory gauge says."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not any(word in k for word in TIMES)}
    return [timeless(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("number", range(SWEEPS))
def test_a_killed_sweep_ends_like_one_that_was_left_alone(image_folder, tmp_path, number):
    images = image_folder(classes=3, per_class=30, size=32, seed=number)
    words = ["experiment=compare", "data=folder", f"data.root={images}", "data.image_size=32", "seed=0,1",
             "model=scratch_cnn,finetune", "data.labels_per_class=20", "model.epochs=30"]  # fmt: skip
    place = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT")}

    def begun(folder):
        folder.mkdir(exist_ok=True)
        asked = [sys.executable, "-m", "headstart.train", *words]
        return subprocess.Popen(asked, cwd=folder, env=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def report(folder):
        return json.loads(next(folder.rglob("report.json")).read_text())

    assert begun(tmp_path / "whole").wait() == 0
    moments, killed = random.Random(number), tmp_path / "killed"
    finished = {}
    for _ in range(KILLS):
        process = begun(killed)
        try:
            process.wait(timeout=moments.uniform(1.0, 15.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for path in killed.rglob(run_directory.RESULT_FILE):
            assert finished.setdefault(path, path.stat().st_mtime_ns) == path.stat().st_mtime_ns, "trained twice"
    assert begun(killed).wait() == 0
    assert timeless(report(killed)) == timeless(report(tmp_path / "whole"))
