"""The pixel cache: nothing is decoded twice, and nothing lies in memory that a map of a file can give."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from filelock import FileLock
from PIL import Image
from rich.console import Console
from rich.progress import track

from headstart import images
from headstart.data import places
from headstart.errors import HeadstartError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Decoded:
    """Images and what was wrong with some of them.

    Args:
        pixels: uint8 (N, C, H, W), a read-only memory map; zeros where an image could not be read.
        troubles: what was wrong, in a few words, by position.
    """

    pixels: np.ndarray
    troubles: dict[int, str]


def decoded(images_: Sequence[Path | Image.Image], digests: Sequence[str], size: int, channels: int | None) -> Decoded:
    """Images out of the cache, decoded into it first where it has them not.

    The cache is named by the images' content and what becomes of it, so that a moved or copied folder
    finds it again. It is written whole or not at all.

    Args:
        images_: files or PIL images, N of them.
        digests: SHA-256 of their content.
        size: pixels of a side.
        channels: 1 or 3; None: 1 where every image is grey, else 3.

    Raises:
        HeadstartError: the cache cannot be written.
    """
    asked = json.dumps([images.DECODER, images.readable_formats(), size, channels, *digests])
    path = places.cache_dir() / "pixels" / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.npy"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            found = _found(path, len(images_), size)
            if found is None:
                _write(path, images_, size, channels)
                found = _found(path, len(images_), size)
    except OSError as error:
        raise HeadstartError(
            f"{path.parent}: the pixel cache cannot be written here ({error.strerror or error}); "
            "set HEADSTART_CACHE to another folder"
        ) from error
    if found is None:
        raise HeadstartError(f"{path}: the pixel cache does not read back as written; is the disk sound?")
    return found


def in_threads(work: Callable[[T], R], items: Sequence[T], title: str) -> Iterator[R]:
    """The results in the order of the items, with a bar where a person waits for them."""
    console = Console(stderr=True)
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        results = pool.map(work, items)
        yield from track(results, title, len(items), console=console, transient=True, disable=not console.is_terminal)
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the images still to come


def _found(path: Path, count: int, size: int) -> Decoded | None:
    """What the cache holds; None where it holds nothing, or something damaged."""
    try:
        pixels: Any = np.load(path, mmap_mode="r")
        troubles = json.loads(path.with_suffix(".json").read_text())
        whole = pixels.dtype == np.uint8 and pixels.shape in {(count, c, size, size) for c in (1, 3)}
        return Decoded(pixels, {int(i): reason for i, reason in troubles.items()}) if whole else None
    except PermissionError:
        raise
    except (OSError, ValueError, EOFError, AttributeError):
        return None


def _write(path: Path, images_: Sequence[Path | Image.Image], size: int, channels: int | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow on odd metadata, or on a photograph that is merely large
        if channels is None:
            files = [image for image in images_ if isinstance(image, Path)]
            channels = 1 if all(in_threads(images.is_grey, files, "looking at images")) else 3
        troubles: dict[int, str] = {}
        shape, scratch = (channels, size, size), path.with_suffix(".part")
        # Written in order, not through a map: a full disk is then an error instead of the process's end.
        with scratch.open("wb") as out:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(images_), *shape)}
            np.lib.format.write_array_header_1_0(out, header)
            results = in_threads(partial(attempt, size=size, channels=channels), images_, "reading images")
            for i, result in enumerate(results):
                if isinstance(result, str):
                    troubles[i], result = result, np.zeros(shape, np.uint8)
                out.write(result.tobytes())
    path.with_suffix(".json").write_text(json.dumps(troubles))
    scratch.replace(path)


def attempt(image: Path | Image.Image, size: int | None, channels: int) -> np.ndarray | str:
    """The image's pixels as ``images.decode`` gives them, or what is wrong with it, in a few words."""
    try:
        return images.decode(image, size, channels)
    except HeadstartError as error:
        return images.trouble(error.__cause__ or error)
