"""Measures the first opening of an image folder against Pillow's own decoding in one process per core.

    python scripts/opening.py [IMAGES] [SIZE] [REPEATS]

Writes IMAGES JPEGs of 256 × 256 pixels, some 20 kB each, into a temporary folder. Prints medians of interleaved
repeats.
Each is a new process; its time includes the start of Python. Pillow opens, converts, resizes and writes one array.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES, SIDE, CHUNK = 10, 256, 64


def write_images(root: Path, count: int) -> None:
    """Writes different images, ``root/<class>/<index>.jpg``."""
    generator = np.random.default_rng(0)
    for i in range(count):
        path = root / f"class{i % CLASSES}" / f"{i:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=85)


def open_with_pillow(root: str, size: int, out: str) -> None:
    files = sorted(map(str, Path(root).rglob("*.jpg")))
    np.lib.format.open_memmap(out, mode="w+", dtype=np.uint8, shape=(len(files), size, size, 3)).flush()
    starts = range(0, len(files), CHUNK)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(decode_files, files[start : start + CHUNK], start, size, out) for start in starts]
        for job in jobs:
            job.result()


def decode_files(files: list[str], start: int, size: int, out: str) -> None:
    array = np.load(out, mmap_mode="r+")
    for i, file in enumerate(files, start):
        with Image.open(file) as image:
            array[i] = np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))


def open_with_headstart(root: str, size: int) -> None:
    from headstart.data import ImageFolder

    source = ImageFolder(root=root, image_size=size)
    print(source.digest, source.spec.shape)


def measure(tool: str, root: str, size: int) -> tuple[float, float]:
    """Seconds on the clock and of the processors that a process with an empty cache takes."""
    with tempfile.TemporaryDirectory() as cache:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, __file__, tool, root, str(size), f"{cache}/pixels.npy"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "HEADSTART_CACHE": cache},
        )
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(images: int = 20_000, size: int = 128, repeats: int = 5) -> None:
    with tempfile.TemporaryDirectory() as root:
        write_images(Path(root), images)
        times = [[measure(tool, root, size) for tool in ("headstart", "pillow")] for _ in range(repeats)]
    ours, pillows = (np.median([row[i] for row in times], axis=0) for i in (0, 1))
    print(f"{images:,} images at {size} pixels, {os.cpu_count()} cores: clock and processor, seconds")
    print(f"Headstart {ours.round(2)}, Pillow {pillows.round(2)}")
    ratios = [statistics.median(ours[i] / pillow[i] for ours, pillow in times) for i in (0, 1)]
    print(f"Headstart takes {ratios[0]:.2f} of Pillow's time and {ratios[1]:.2f} of its processor time")


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["pillow"]:
        open_with_pillow(words[1], int(words[2]), words[3])
    elif words[:1] == ["headstart"]:
        open_with_headstart(words[1], int(words[2]))
    else:
        main(*map(int, words))
