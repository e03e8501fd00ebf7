"""Finds copies among images: exact copies by a hash of their pixels, near-duplicates by similar thumbnails."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from headstart.data import pixel_cache

THUMBNAIL_SIDE = 32  # pixels of a thumbnail
MAX_HASH_DISTANCE = 8  # bits of 64 in which the hashes of two near-duplicates may differ
# All photographs stored again as JPEG of quality 30 or more, or at half the size, reach SURE_AGREEMENT; no pair of the
# 8×8 digits does. The 12 pairs of flowers5 from MIN_AGREEMENT on each show one photograph, by eye.
MIN_AGREEMENT, SURE_AGREEMENT = 0.95, 0.99
MAX_PAIRS = 100_000  # pairs that are compared, those with the nearest hashes; textures give more
NOISE_VARIANCE = (0.03 * 255) ** 2  # SSIM's C2: without it, two flat images of one color would have no agreement
BLOCK_SIZE = 512


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What identifies an image among others.

    Args:
        content: hash of the size and the pixels.
        width: in pixels, of the upright image.
        height: in pixels, of the upright image.
        thumbnail: uint8 (32, 32, 3).
        hash: perceptual hash of 64 bits (pHash); those of near-duplicates differ in few bits.
    """

    content: bytes
    width: int
    height: int
    thumbnail: np.ndarray
    hash: int


@dataclass(frozen=True, eq=False)
class SimilarPairs:
    """Pairs of different images that look the same.

    Args:
        pairs: int64 (K, 2), positions, in the order of decreasing agreement.
        agreement: float (K,), at most 1.
        num_candidates: number of pairs with similar hashes.
        num_compared: number of these pairs, the nearest, whose thumbnails were compared.
    """

    pairs: np.ndarray
    agreement: np.ndarray
    num_candidates: int
    num_compared: int


def compute_fingerprint(path: Path, depth: str | None = None) -> Fingerprint | str:
    """The fingerprint of an image file, or a few words on why it cannot be read.

    Args:
        path: the file.
        depth: how images of more than 8 bits are read, see :func:`headstart.data.depth_choice.find_depth`.
    """
    import imagehash

    pixels = pixel_cache.try_decode(path, None, 3, depth)
    if isinstance(pixels, str):
        return pixels
    picture = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    height, width, _ = picture.shape
    content = hashlib.blake2b(picture.data, digest_size=16, key=f"{width}x{height}".encode()).digest()
    small = Image.fromarray(picture).resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
    bits = np.packbits(imagehash.phash(small).hash)
    return Fingerprint(content, width, height, np.asarray(small), int.from_bytes(bits.tobytes()))


def find_similar_pairs(fingerprints: Sequence[Fingerprint]) -> SimilarPairs:
    """Finds pairs that look the same: with similar hashes and agreeing thumbnails.

    Hashes alone give many false pairs among textures, X-rays and photographs of one scene. The agreement is
    the concordance of all values of two thumbnails (Lin, Biometrics 45:255, 1989), with a constant for noise.
    """
    hashes = np.array([p.hash for p in fingerprints], dtype=np.uint64)
    pairs, candidates = _find_near_hashes(hashes)
    thumbnails = np.array([p.thumbnail for p in fingerprints]).reshape(len(fingerprints), 3 * THUMBNAIL_SIDE**2)
    blocks = [
        _concordance(*(thumbnails[side] for side in pairs[k : k + BLOCK_SIZE].T))
        for k in range(0, len(pairs), BLOCK_SIZE)
    ]
    agreement = np.concatenate([*blocks, np.zeros(0)])
    order = np.argsort(-agreement, kind="stable")
    order = order[agreement[order] >= MIN_AGREEMENT]
    return SimilarPairs(pairs[order], agreement[order], candidates, len(pairs))


def _find_near_hashes(hashes: np.ndarray) -> tuple[np.ndarray, int]:
    """The nearest pairs of hashes, int64 (K, 2) with K <= MAX_PAIRS, and the number of all near pairs."""
    pairs, distances, count = np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.uint8), 0
    for start in range(0, len(hashes), BLOCK_SIZE):
        apart = np.bitwise_count(hashes[start : start + BLOCK_SIZE, None] ^ hashes[None, start:])
        one, other = np.nonzero(np.triu(apart <= MAX_HASH_DISTANCE, 1))
        count += len(one)
        pairs = np.concatenate([pairs, np.stack([one, other], axis=1) + start])
        distances = np.concatenate([distances, apart[one, other]])
        if len(pairs) > MAX_PAIRS:
            nearest = np.argsort(distances, kind="stable")[:MAX_PAIRS]
            pairs, distances = pairs[nearest], distances[nearest]
    return pairs, count


def _concordance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Lin's concordance of each row of ``first`` with that of ``second``, uint8 (K, values): float (K,), 1 if equal."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    mean_a, mean_b = a.mean(axis=1, keepdims=True), b.mean(axis=1, keepdims=True)
    covariance = ((a - mean_a) * (b - mean_b)).mean(axis=1)
    apart = (mean_a - mean_b)[:, 0] ** 2
    return (2 * covariance + NOISE_VARIANCE) / (a.var(axis=1) + b.var(axis=1) + apart + NOISE_VARIANCE)
