"""Groups of images that are copies or near-copies of each other, kept in the user's cache."""

import hashlib
import json
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock

from headstart.data import paths
from headstart.data.audit.near_duplicates import (
    MAX_HASH_DISTANCE,
    MAX_PAIRS,
    MIN_AGREEMENT,
    THUMBNAIL_SIDE,
    Fingerprint,
    compute_fingerprint,
    find_similar_pairs,
)
from headstart.data.exact_copies import group_duplicates
from headstart.data.threads import thread_map
from headstart.decoding import decoder
from headstart.errors import HeadstartError
from headstart.files import write_atomically

CACHE_FOLDER = "copies"


def find_copy_groups(files: Sequence[Path], digests: Sequence[str], depth: str | None = None) -> np.ndarray:
    """For each image the position of the first one of its group, int64 (N,); it is its own where it stands alone.

    Images are of one group where they have the same pixels, where an audit finds that they look the same, and where a
    chain of such pairs connects them. Every image is decoded at its full size, once: the result is kept in the cache.

    Args:
        files: N image files.
        digests: SHA-256 of the content of each.
        depth: how images of more than 8 bits are read.

    Raises:
        HeadstartError: the cache cannot be written.
    """
    limits = [THUMBNAIL_SIDE, MAX_HASH_DISTANCE, MAX_PAIRS, MIN_AGREEMENT]
    key = json.dumps([decoder.DECODER_VERSION, decoder.readable_formats(), limits, depth, *digests])
    path = paths.cache_dir() / CACHE_FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            groups = _read_groups(path, len(files))
            if groups is None:
                groups = _compute_groups(files, depth)
                with write_atomically(path) as scratch, scratch.open("wb") as out:
                    np.save(out, groups)
    except OSError as error:
        raise HeadstartError(
            f"{path.parent}: the cache of copies cannot be written here ({error.strerror or error}); "
            "set HEADSTART_CACHE to another folder"
        ) from error
    return groups


def _read_groups(path: Path, count: int) -> np.ndarray | None:
    """The groups of a cache file; None where there is none, or it is damaged."""
    try:
        groups: np.ndarray = np.load(path)
    except PermissionError:
        raise
    except (OSError, ValueError, EOFError):
        return None
    return groups if groups.shape == (count,) and groups.dtype == np.int64 else None


def _compute_groups(files: Sequence[Path], depth: str | None) -> np.ndarray:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow on odd metadata, or on a photograph that is merely large
        results = list(thread_map(partial(compute_fingerprint, depth=depth), files, "looking for copies"))
    prints = {i: result for i, result in enumerate(results) if isinstance(result, Fingerprint)}
    copies = group_duplicates(prints, lambda i: prints[i].content)
    repeated = {i for group in copies for i in group[1:]}
    unique = np.array([i for i in prints if i not in repeated], dtype=np.int64)
    similar = unique[find_similar_pairs([prints[i] for i in unique]).pairs]
    equal = np.array([(group[0], i) for group in copies for i in group[1:]], dtype=np.int64).reshape(-1, 2)
    one, other = np.concatenate([similar, equal]).T
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(len(files), len(files)))
    _, first, component = np.unique(
        connected_components(graph, directed=False)[1], return_index=True, return_inverse=True
    )
    return first[component].astype(np.int64)
