"""The catalog of an image source: its images, labels, parts and pixels."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

NO_TEST = "none"  # in place of a part: nothing is held out, and every image trains
PART_ALIASES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True, eq=False, repr=False)
class Catalog:
    """The images of a source, sorted by name; each of them can be read.

    Args:
        names: relative paths or ids, N of them.
        labels: int64 (N,), positions in ``classes``.
        classes: names, sorted.
        parts: str (N,): ``train``, ``val`` or ``test`` where the data say so, else empty.
        digests: SHA-256 of each image's content, hexadecimal.
        pixels: uint8 (M, C, H, W) with M >= N, usually a memory map.
        rows: int64 (N,), the position in ``pixels`` of each image.
        skipped: (name, reason) of files that could not be read and were left out.
        content_ids: N strings that are equal for exact copies; empty: the digests serve.
        depth: how images deeper than 8 bits were read, a key of
            ``headstart.decoding.bit_depth.WHITE_VALUES``; None: no image is deeper.
        decoding_key: settings beyond the digests that the pixels depend on; a part of the data's digest.
        ignored: (reason, name) of images that are not used, such as those outside of the class folders.
        notes: how an ambiguous layout was read.
        groups: N names: images of one group are never in two parts of a split; empty: there are no groups.
    """

    names: list[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    parts: np.ndarray
    digests: list[str]
    pixels: np.ndarray
    rows: np.ndarray
    skipped: list[tuple[str, str]] = field(default_factory=list)
    content_ids: list[str] = field(default_factory=list)
    depth: str | None = None
    decoding_key: list[Any] = field(default_factory=list)
    ignored: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
