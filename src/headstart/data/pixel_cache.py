"""The pixel cache: nothing is decoded twice, and nothing lies in memory that a map of a file can give."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from filelock import FileLock
from PIL import Image
from rich.console import Console
from rich.progress import track

from headstart.data import paths as places
from headstart.decoding import bit_depth as depths
from headstart.decoding import decoder as images
from headstart.decoding.bit_depth import DepthError, Extent
from headstart.errors import HeadstartError
from headstart.files import write_atomically, write_json

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class DepthChoice:
    """How the images of a data set that are deeper than 8 bits are read.

    Args:
        name: one of ``headstart.decoding.bit_depth.WHITE``; None: no image is deeper.
        text: what was chosen and from what, in a line; empty where no image is deeper.
        is_as_before: whether these pixels are those of the first decoder (see ``headstart.decoding.bit_depth.is_as_before``).
    """

    name: str | None = None
    text: str = ""
    is_as_before: bool = True


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """Images and what was wrong with some of them.

    Args:
        pixels: uint8 (N, C, H, W), a read-only memory map; zeros where an image could not be read.
        troubles: what was wrong, in a few words, by position.
        depth: how those deeper than 8 bits were read.
        decoder: ``images.DECODER``; 1 where the first decoder gives the same pixels but for the depth.
    """

    pixels: np.ndarray
    errors: dict[int, str]
    depth: DepthChoice = DepthChoice()
    decoder: int = 1


def decode_with_cache(
    inputs: Sequence[Path | Image.Image],
    digests: Sequence[str],
    size: int,
    channels: int | None,
    depth: str | None = None,
) -> DecodedImages:
    """Images out of the cache, decoded into it first where it has them not.

    The cache is named by the images' content and what becomes of it, so that a moved or copied folder
    finds it again. It is written whole or not at all.

    Args:
        images_: files or PIL images, N of them.
        digests: SHA-256 of their content.
        size: pixels of a side.
        channels: 1 or 3; None: 1 where every image is grey, else 3.
        depth: how images deeper than 8 bits are read; None: chosen from the values of all of them.

    Raises:
        HeadstartError: the cache cannot be written.
        DepthError: there are images deeper than 8 bits, and no one depth fits all.
    """
    asked = json.dumps([images.DECODER_VERSION, images.readable_formats(), depth, size, channels, *digests])
    path = places.cache_dir() / "pixels" / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.npy"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            found = _read_cache(path, len(inputs), size)
            if found is None:
                _write_cache(path, inputs, size, channels, depth)
                found = _read_cache(path, len(inputs), size)
    except OSError as error:
        raise HeadstartError(
            f"{path.parent}: the pixel cache cannot be written here ({error.strerror or error}); "
            "set HEADSTART_CACHE to another folder"
        ) from error
    if found is None:
        raise HeadstartError(f"{path}: the pixel cache does not read back as written; is the disk sound?")
    return found


def thread_map(function: Callable[[T], R], items: Sequence[T], description: str) -> Iterator[R]:
    """The results in the order of the items, with a bar where a person waits for them."""
    console = Console(stderr=True)
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        results = pool.map(function, items)
        yield from track(
            results, description, len(items), console=console, transient=True, disable=not console.is_terminal
        )
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the images still to come


def _read_cache(path: Path, count: int, size: int) -> DecodedImages | None:
    """What the cache holds; None where it holds nothing, or something damaged."""
    try:
        pixels: Any = np.load(path, mmap_mode="r")
        notes = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        whole = pixels.dtype == np.uint8 and pixels.shape in {(count, c, size, size) for c in (1, 3)}
        troubles = {int(i): reason for i, reason in notes["troubles"].items()}
        return DecodedImages(pixels, troubles, DepthChoice(**notes["depth"]), notes["decoder"]) if whole else None
    except PermissionError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, KeyError, TypeError):
        return None


def find_depth(
    paths: Sequence[Path], headers: Sequence[images.ImageHeader], name: str | None = None
) -> tuple[DepthChoice, dict[int, str]]:
    """The one depth of a data set, and what is wrong with some of its images, in a few words, by position.

    Only images that are deeper than 8 bits are read for it.

    Args:
        paths: all files, N of them.
        headers: theirs.
        name: the depth where it is known already; None: chosen from the values.

    Raises:
        DepthError: no one depth fits all.
    """
    deep = [i for i, header in enumerate(headers) if header.is_deep]
    results = list(thread_map(_try_read_extent, [paths[i] for i in deep], "reading ranges of values"))
    troubles = {i: result for i, result in zip(deep, results, strict=True) if isinstance(result, str)}
    extents = [result for result in results if isinstance(result, Extent)]
    if not extents:
        return DepthChoice(), troubles
    names = [f"{paths[i].parent.name}/{paths[i].name}" for i in deep if i not in troubles]
    try:
        name = name or depths.choose_depth(extents, names)
    except DepthError as error:
        if 2 * len(extents) > len(paths):
            raise
        # A few among images of 8 bits are bad files, which can be left out.
        return DepthChoice(), troubles | {i: str(error) for i in deep if i not in troubles}
    text = depths.describe_depth(extents, name, len(paths) - len(troubles))
    return DepthChoice(name, text, depths.is_as_before(extents, name)), troubles


def read_headers(paths: Sequence[Path]) -> list[images.ImageHeader]:
    return list(thread_map(images.read_header, paths, "looking at images"))


def _write_cache(
    path: Path, inputs: Sequence[Path | Image.Image], size: int, channels: int | None, name: str | None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow on odd metadata, or on a photograph that is merely large
        files = [image for image in inputs if isinstance(image, Path)]  # PIL images are ours, and of 8 bits
        headers = read_headers(files)
        depth, troubles = find_depth(files, headers, name)
        if channels is None:
            channels = 1 if all(header.is_gray for header in headers) else 3
        decoder = images.DECODER_VERSION if any(header.is_decoded_anew(size) for header in headers) else 1
        shape = (channels, size, size)
        # Written in order, not through a map: a full disk is then an error instead of the process's end.
        with write_atomically(path) as scratch, scratch.open("wb") as out:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(inputs), *shape)}
            np.lib.format.write_array_header_1_0(out, header)
            work = partial(try_decode, size=size, channels=channels, depth=depth.name)
            for i, result in enumerate(thread_map(work, inputs, "reading images")):
                if isinstance(result, str):
                    troubles[i], result = troubles.get(i, result), np.zeros(shape, np.uint8)
                out.write(result.tobytes())
            notes = {"troubles": troubles, "depth": asdict(depth), "decoder": decoder}
            write_json(path.with_suffix(".json"), notes)


def try_decode(
    image: Path | Image.Image, size: int | None, channels: int, depth: str | None = None
) -> np.ndarray | str:
    """The image's pixels as ``images.decode`` gives them, or what is wrong with it, in a few words."""
    try:
        return images.decode(image, size, channels, depth)
    except HeadstartError as error:
        return images.describe_decode_error(error.__cause__ or error)


def _try_read_extent(path: Path) -> Extent | str:
    try:
        return images.read_extent(path)
    except MemoryError:
        raise
    except Exception as error:  # as of decoding
        return images.describe_decode_error(error)
