"""The pixel cache: decoded images as a memory-mapped file, keyed by their content."""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from PIL import Image

from headstart.data import paths
from headstart.data.depth_choice import DepthChoice, find_depth
from headstart.data.threads import thread_map
from headstart.decoding import decoder
from headstart.errors import HeadstartError
from headstart.files import write_atomically, write_json


@dataclass(frozen=True, eq=False)
class DecodedImages:
    """Decoded images, and why some could not be read.

    Args:
        pixels: uint8 (N, C, H, W), a read-only memory map; zeros where an image could not be read.
        errors: a few words for each image that could not be read, by position.
        depth: how images deeper than 8 bits were read.
    """

    pixels: np.ndarray
    errors: dict[int, str]
    depth: DepthChoice


def decode_with_cache(
    inputs: Sequence[Path | Image.Image],
    digests: Sequence[str],
    size: int,
    channels: int | None,
    depth: str | None = None,
    resize: str = "crop",
) -> DecodedImages:
    """Reads images from the cache; decodes them into it first where it lacks them.

    The cache file is named by a hash of the images' content and of these settings, so that a moved or copied folder
    uses the same file. It is written atomically.

    Args:
        inputs: files or PIL images, N of them.
        digests: SHA-256 of the content of each.
        size: pixels of a side.
        channels: 1 or 3; None: 1 where every image is gray, else 3.
        depth: how images deeper than 8 bits are read; None: chosen from the values of all of them.
        resize: how images become square, one of ``headstart.decoding.square.RESIZE_MODES``.

    Raises:
        HeadstartError: the cache cannot be written.
        DepthError: there are images deeper than 8 bits, and no one depth fits all.
    """
    key = json.dumps([decoder.DECODER_VERSION, decoder.readable_formats(), depth, size, resize, channels, *digests])
    path = paths.cache_dir() / "pixels" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            decoded = _read_cache(path, len(inputs), size)
            if decoded is None:
                _write_cache(path, inputs, size, channels, depth, resize)
                decoded = _read_cache(path, len(inputs), size)
    except OSError as error:
        raise HeadstartError(
            f"{path.parent}: the pixel cache cannot be written here ({error.strerror or error}); "
            "set HEADSTART_CACHE to another folder"
        ) from error
    if decoded is None:
        raise HeadstartError(f"{path}: the pixel cache does not read back as written; is the disk sound?")
    return decoded


def _read_cache(path: Path, count: int, size: int) -> DecodedImages | None:
    """The images of a cache file; None where there is none, or it is damaged."""
    try:
        pixels: Any = np.load(path, mmap_mode="r")
        notes = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        is_whole = pixels.dtype == np.uint8 and pixels.shape in {(count, c, size, size) for c in (1, 3)}
        errors = {int(i): reason for i, reason in notes["errors"].items()}
        return DecodedImages(pixels, errors, DepthChoice(**notes["depth"])) if is_whole else None
    except PermissionError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, KeyError, TypeError):
        return None


def _write_cache(
    path: Path, inputs: Sequence[Path | Image.Image], size: int, channels: int | None, name: str | None, resize: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow on odd metadata, or on a photograph that is merely large
        files = [image for image in inputs if isinstance(image, Path)]  # PIL images have 8 bits
        depth, errors = find_depth(files, name)
        if channels is None:  # one image with colors decides: the others' headers are not read
            channels = 1 if all(thread_map(decoder.is_gray_file, files, "looking at images")) else 3
        shape = (channels, size, size)
        # Written in order: on a full disk, writing through a memory map would end the process instead of raising.
        with write_atomically(path) as scratch, scratch.open("wb") as out:
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(inputs), *shape)}
            np.lib.format.write_array_header_1_0(out, header)
            work = partial(try_decode, size=size, channels=channels, depth=depth.name, resize=resize)
            for i, result in enumerate(thread_map(work, inputs, "reading images")):
                if isinstance(result, str):
                    errors[i], result = errors.get(i, result), np.zeros(shape, np.uint8)
                out.write(result.tobytes())
            notes = {"errors": errors, "depth": asdict(depth)}
            write_json(path.with_suffix(".json"), notes)


def try_decode(
    image: Path | Image.Image, size: int | None, channels: int, depth: str | None = None, resize: str = "crop"
) -> np.ndarray | str:
    """The pixels of :func:`headstart.decoding.decoder.decode`, or a few words on what is wrong with the image."""
    try:
        return decoder.decode(image, size, channels, depth, resize=resize)
    except HeadstartError as error:
        return decoder.describe_decode_error(error.__cause__ or error)
