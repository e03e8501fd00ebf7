"""Copies among images: exact ones by a hash of all pixels, others by how alike two pictures look."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from headstart.data import pixel_cache

SIDE = 32  # pixels of a thumbnail
NEAR = 8  # of 64 bits that two hashes may differ by
# Agreement. Of photographs stored again as JPEG of quality 30 or more, or at half the size, all reach SURE; so does
# no pair of the 8×8 digits. The 12 pairs of flowers5 from ALIKE on are each one photograph, by eye.
ALIKE, SURE = 0.95, 0.99
MOST = 100_000  # pairs that are compared: where textures give more, the nearest ones
NOISE = (0.03 * 255) ** 2  # without it two flat images of one colour would have no agreement; SSIM's C2
BLOCK = 512


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What tells an image from others.

    Args:
        content: hash of its size and pixels.
        width: in pixels, upright.
        height: in pixels, upright.
        thumbnail: uint8 (32, 32, 3).
        hash: 64 bits that look-alikes share but for a few (pHash).
    """

    content: bytes
    width: int
    height: int
    thumbnail: np.ndarray
    hash: int


@dataclass(frozen=True, eq=False)
class LookAlikes:
    """Pairs of different images that look the same.

    Args:
        pairs: int64 (K, 2), positions, the most alike first.
        agreement: float (K,), at most 1.
        candidates: so many pairs had similar hashes,
        compared: and so many of them, the nearest, were looked at.
    """

    pairs: np.ndarray
    agreement: np.ndarray
    candidates: int
    compared: int


def fingerprint(path: Path, depth: str | None = None) -> Fingerprint | str:
    """The fingerprint of an image file, or what is wrong with it, in a few words.

    Args:
        path: the file.
        depth: how the data set's images of more than 8 bits are read, see ``cache.find_depth``.
    """
    import imagehash

    pixels = pixel_cache.attempt(path, None, 3, depth)
    if isinstance(pixels, str):
        return pixels
    picture = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    height, width, _ = picture.shape
    content = hashlib.blake2b(picture.data, digest_size=16, key=f"{width}x{height}".encode()).digest()
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX)
    bits = np.packbits(imagehash.phash(small).hash)
    return Fingerprint(content, width, height, np.asarray(small), int.from_bytes(bits.tobytes()))


def look_alikes(prints: Sequence[Fingerprint]) -> LookAlikes:
    """Pairs that look the same: similar hashes propose them, agreeing thumbnails confirm them.

    Hashes alone propose masses of false pairs among textures, X-rays and photographs of one scene. The agreement is
    the concordance of all values of two thumbnails (Lin, Biometrics 45:255, 1989), with a constant for noise.
    """
    hashes = np.array([p.hash for p in prints], dtype=np.uint64)
    pairs, candidates = _near(hashes)
    thumbnails = np.array([p.thumbnail for p in prints]).reshape(len(prints), 3 * SIDE**2)
    blocks = [_agreement(*(thumbnails[side] for side in pairs[k : k + BLOCK].T)) for k in range(0, len(pairs), BLOCK)]
    agreement = np.concatenate([*blocks, np.zeros(0)])
    order = np.argsort(-agreement, kind="stable")
    order = order[agreement[order] >= ALIKE]
    return LookAlikes(pairs[order], agreement[order], candidates, len(pairs))


def _near(hashes: np.ndarray) -> tuple[np.ndarray, int]:
    """The nearest pairs of hashes, int64 (K, 2) with K <= MOST, and how many are near."""
    pairs, distances, count = np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.uint8), 0
    for start in range(0, len(hashes), BLOCK):
        apart = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes[None, start:])
        one, other = np.nonzero(np.triu(apart <= NEAR, 1))
        count += len(one)
        pairs = np.concatenate([pairs, np.stack([one, other], axis=1) + start])
        distances = np.concatenate([distances, apart[one, other]])
        if len(pairs) > MOST:
            nearest = np.argsort(distances, kind="stable")[:MOST]
            pairs, distances = pairs[nearest], distances[nearest]
    return pairs, count


def _agreement(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of each row with its fellow, uint8 (K, values): 1 where they are equal."""
    a, b = one.astype(np.float32), other.astype(np.float32)
    mean_a, mean_b = a.mean(axis=1, keepdims=True), b.mean(axis=1, keepdims=True)
    covariance = ((a - mean_a) * (b - mean_b)).mean(axis=1)
    apart = (mean_a - mean_b)[:, 0] ** 2
    return (2 * covariance + NOISE) / (a.var(axis=1) + b.var(axis=1) + apart + NOISE)
