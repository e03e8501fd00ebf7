"""What a run of a sweep takes beyond its training: 40 runs of one epoch of digits."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Figure
from headstart.sweep.estimate import workers_and_threads

RUNS = 40


def measure_small_runs(repeats: int) -> list[Figure]:
    """The time of a sweep of 40 runs, less that of a sweep of one run, less the training."""
    overheads, sweeps, starts = [], [], []
    for _ in range(repeats):
        start, _ = time_sweep(1)
        sweep, training = time_sweep(RUNS)
        overheads.append((sweep - start - training / workers_and_threads()[0]) / (RUNS - 1))
        sweeps.append(sweep)
        starts.append(start)
    details = f"40 runs {statistics.median(sweeps):.1f} s, 1 run {statistics.median(starts):.1f} s"
    name = "a run of 40 small ones, beyond its training and one start"
    return [Figure(name, f"{statistics.median(overheads):.2f} s", "≤ 0.25 s", details)]


def time_sweep(runs: int) -> tuple[float, float]:
    """Seconds from the shell to the report, and those of all runs' training."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(
            [
                *(sys.executable, "-c", "from headstart.train_command import main; main()"),
                *("-m", "model=scratch_cnn", "data=digits", "data.labels_per_class=5", "trainer.max_epochs=1"),
                f"seed={','.join(map(str, range(runs)))}",
                f"hydra.sweep.dir={folder}",
            ],
            check=True,
            capture_output=True,
        )
        seconds = time.perf_counter() - start
        results = [json.loads(path.read_text()) for path in Path(folder).glob("*/result.json")]
    return seconds, sum(result["cost"]["seconds"] for result in results)
