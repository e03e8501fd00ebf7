"""The first opening of an image folder against Pillow's own decoding in one process per core, and its memory."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.measure import Figure, compare, describe, time_in_turn
from benchmarks.photographs import write_photographs

SIZE, CHUNK = 128, 64
SECONDS_BETWEEN_SAMPLES = 0.05


def measure_opening(repeats: int, images: int = 20_000) -> list[Figure]:
    """JPEGs of 256 × 256 pixels, at 128 pixels. Each opening is a new process; its start counts."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), images)
        tools = ("Pillow", "Headstart")
        seconds = time_in_turn({tool: lambda tool=tool: run_tool(tool, folder)["seconds"] for tool in tools}, repeats)
    name = f"first opening of {images:,} JPEGs, Headstart / Pillow"
    return [Figure(name, compare(seconds, "Headstart", "Pillow"), "≤ 1.1", describe(seconds, *tools))]


def measure_growth(counts: tuple[int, ...] = (1_000, 20_000, 200_000)) -> list[Figure]:
    """One opening of folders of some sizes: time per image, and anonymous memory beyond that of the imports."""
    figures = []
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            write_photographs(Path(folder), count)
            run = run_tool("Headstart", folder)
        value = f"{1e3 * run['opening'] / count:.2f} ms"
        memory = f"{run['memory'] / 2**20:,.0f} MiB of anonymous memory; {run['opening']:.1f} s"
        figures.append(Figure(f"opening of {count:,} JPEGs, per image", value, "± 20 %; ≤ 1 GiB", memory))
    return figures


def run_tool(tool: str, root: str) -> dict[str, float]:
    """What a process with an empty cache reports, and its seconds."""
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        process = subprocess.run(
            [sys.executable, "-m", "benchmarks.opening", tool, root, f"{cache}/pixels.npy"],
            check=True,
            stdout=subprocess.PIPE,
            env={**os.environ, "HEADSTART_CACHE": cache, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        seconds = time.perf_counter() - start
    return {**json.loads(process.stdout), "seconds": seconds}


def open_with_pillow(root: str, out: str) -> None:
    """Opens, converts, resizes and writes one array."""
    files = sorted(map(str, Path(root).rglob("*.jpg")))
    np.lib.format.open_memmap(out, mode="w+", dtype=np.uint8, shape=(len(files), SIZE, SIZE, 3)).flush()
    starts = range(0, len(files), CHUNK)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(decode_files, files[start : start + CHUNK], start, out) for start in starts]
        for job in jobs:
            job.result()


def decode_files(files: list[str], start: int, out: str) -> None:
    array = np.load(out, mmap_mode="r+")
    for i, file in enumerate(files, start):
        with Image.open(file) as image:
            array[i] = np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def open_with_headstart(root: str) -> dict[str, float]:
    """Seconds, and peak of the anonymous memory beyond that of the imports (bytes)."""
    from headstart.data import ImageFolder
    from headstart.memory import keep_freed_memory

    keep_freed_memory()  # as the commands do
    before = read_anonymous_memory()
    peak = before
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(SECONDS_BETWEEN_SAMPLES):
            peak = max(peak, read_anonymous_memory())

    thread = threading.Thread(target=sample)
    thread.start()
    start = time.perf_counter()
    source = ImageFolder(root=root, image_size=SIZE)
    assert source.digest and source.spec.shape == (3, SIZE, SIZE)
    seconds = time.perf_counter() - start
    done.set()
    thread.join()
    return {"opening": seconds, "memory": peak - before}


def read_anonymous_memory() -> int:
    """Resident bytes of this process that no file backs."""
    memory = psutil.Process().memory_info()
    return memory.rss - memory.shared


if __name__ == "__main__":
    tool, root, out = sys.argv[1:]
    if tool == "Pillow":
        open_with_pillow(root, out)
    print(json.dumps(open_with_headstart(root) if tool == "Headstart" else {}))
