"""The feature cache: what a frozen network computes of each image, stored once for all runs. Torch-free.

Features depend on the image's pixels, its view and the network alone. A store holds those of one network in two files
to which rows are only appended: ``features.bin`` first, then ``ids.bin``. A row without its id does not exist, so that
a killed writer leaves nothing that is read.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from filelock import FileLock, Timeout

from headstart.data.paths import cache_dir
from headstart.data.threads import thread_map
from headstart.files import write_json

ID_BYTES = 16
ROWS_PER_WRITE = 1024
DEFAULT_MAX_GB = 10.0
PLAIN_VIEW = "plain"
FEATURES_FILE, IDS_FILE, INFO_FILE = "features.bin", "ids.bin", "info.json"

PixelReader = Callable[[np.ndarray], np.ndarray]


class FeatureExtractor(Protocol):
    """What the cache must know of a frozen network.

    Attributes:
        key: hash of all that the features depend on but pixels and view: weights, normalization, stage, versions.
        name: of the network, for ``headstart cache list``.
        width: number of features of an image.
        batch_size: number of images that are computed at a time.
        train_views: the views that training uses; None: it augments images in other ways, and needs pixels.
    """

    key: str
    name: str
    width: int
    batch_size: int
    train_views: tuple[str, ...] | None

    def compute(self, images: np.ndarray, view: str) -> np.ndarray:
        """Features, float32 (N, width), of at most ``batch_size`` images, uint8 (N, C, H, W)."""
        ...

    def one_thread_per_batch(self) -> AbstractContextManager[None]:
        """Within the block, ``compute`` uses one thread, so that batches may be computed side by side."""
        ...


@dataclass(frozen=True, eq=False)
class CachedFeatures:
    """Features of some images, in one or several views.

    Args:
        features: float32 (M, width), usually a memory map.
        rows: int64 (N, V), the position in ``features`` of each image and view.
    """

    features: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, positions: Sequence[int]) -> np.ndarray:
        """The features of some images, float32 (len(positions), V, width)."""
        return self.features[self.rows[positions]]


def load_features(
    read_pixels: PixelReader,
    indices: np.ndarray,
    extractor: FeatureExtractor,
    views: tuple[str, ...] = (PLAIN_VIEW,),
    max_gb: float = DEFAULT_MAX_GB,
) -> CachedFeatures:
    """Reads features from the cache; computes those that it lacks.

    Two processes that need the same features compute them once: the second waits. Where the cache cannot be written, a
    full disk is left as it was, a line on stderr says why, and the features serve this run alone.

    Args:
        read_pixels: gives the images at some positions, uint8 (N, C, H, W).
        indices: int64 (N,), positions of the images.
        extractor: the network.
        views: the views of each image.
        max_gb: size of the whole feature cache (GB); the stores that were used least recently are deleted. With 0
            nothing is kept, and no line says so.
    """
    if not len(indices):
        return CachedFeatures(np.zeros((0, extractor.width), np.float32), np.zeros((0, len(views)), np.int64))
    ids = np.array(
        [[_feature_id(image, view) for view in views] for image in _read_images(read_pixels, indices)], dtype=object
    ).reshape(len(indices), len(views))
    needed = {ids[i, v]: (indices[i], view) for i in range(len(indices)) for v, view in enumerate(views)}
    store = FeatureStore(cache_dir() / "features" / extractor.key, extractor.width)
    try:
        store.folder.parent.mkdir(parents=True, exist_ok=True)
        with store.lock():
            positions = store.read_positions()
            missing = {key: place for key, place in needed.items() if key not in positions}
            if missing:
                make_room(store, len(needed), len(missing), max_gb)
                positions = store.read_positions()  # the store's old rows may have made room
                missing = {key: place for key, place in needed.items() if key not in positions}
                store.create(extractor.name)
                try:
                    for keys, features in _compute_blocks(read_pixels, missing, extractor):
                        store.append(keys, features)
                except OSError:
                    store.truncate(len(positions))  # the disk may be full, and the run has results to write
                    raise
                positions = store.read_positions()
                if not needed.keys() <= positions.keys():
                    raise OSError("another command deleted them meanwhile")
            store.mark_used()
            return CachedFeatures(store.map_features(), _to_rows(ids, positions))
    except OSError as error:
        if max_gb:
            remedy = "; mend that, or set HEADSTART_CACHE to another folder" if error.strerror else ""
            _print_reason(f"{store.folder.parent}: features serve this run alone: {error.strerror or error}{remedy}")
    blocks = list(_compute_blocks(read_pixels, needed, extractor))
    positions = {key: i for i, key in enumerate(key for keys, _ in blocks for key in keys)}
    return CachedFeatures(np.concatenate([features for _, features in blocks]), _to_rows(ids, positions))


@dataclass(frozen=True)
class FeatureStore:
    """The features of one network on disk, one row for each image and view.

    Args:
        folder: of the store; it need not exist.
        width: number of features of a row.

    Example:
        >>> store = FeatureStore(Path("features/0123"), width=1280)  # doctest: +SKIP
        >>> store.read_positions()  # doctest: +SKIP
        {}
    """

    folder: Path
    width: int

    @property
    def row_bytes(self) -> int:
        return 4 * self.width

    def lock(self, timeout: float = -1) -> FileLock:
        """The lock of the store; its file stays, since a writer that waits for it may have opened it.

        Args:
            timeout: seconds to wait, then it raises Timeout; negative: without end.
        """
        return FileLock(self.folder.with_suffix(".lock"), timeout)

    def read_positions(self) -> dict[bytes, int]:
        """The row of each id; empty where there is no store."""
        try:
            content = (self.folder / IDS_FILE).read_bytes()
            count = min(len(content) // ID_BYTES, (self.folder / FEATURES_FILE).stat().st_size // self.row_bytes)
        except FileNotFoundError:
            return {}
        return {content[i * ID_BYTES : (i + 1) * ID_BYTES]: i for i in range(count)}

    def create(self, name: str) -> None:
        """Makes the folder, where it is missing.

        Args:
            name: of the network.
        """
        self.folder.mkdir(exist_ok=True)
        if not (self.folder / INFO_FILE).is_file():
            write_json(self.folder / INFO_FILE, {"network": name, "width": self.width})

    def append(self, ids: Sequence[bytes], features: np.ndarray) -> None:
        """Writes rows behind the last whole one.

        The ids of what is no whole row go first: no id may ever stand for the features of another image.
        """
        features_path, ids_path = self.folder / FEATURES_FILE, self.folder / IDS_FILE
        count = len(self.read_positions())
        _write_end(ids_path, count * ID_BYTES, b"")
        _write_end(features_path, count * self.row_bytes, np.ascontiguousarray(features, dtype="<f4").tobytes())
        _write_end(ids_path, count * ID_BYTES, b"".join(ids))

    def truncate(self, num_rows: int) -> None:
        """Gives up the rows behind the first ones."""
        with suppress(FileNotFoundError):
            os.truncate(self.folder / IDS_FILE, num_rows * ID_BYTES)
        with suppress(FileNotFoundError):
            os.truncate(self.folder / FEATURES_FILE, num_rows * self.row_bytes)

    def map_features(self) -> np.ndarray:
        """All whole rows, float32 (M, width), as a read-only memory map."""
        path = self.folder / FEATURES_FILE
        return np.memmap(path, "<f4", mode="r", shape=(path.stat().st_size // self.row_bytes, self.width))

    def mark_used(self) -> None:
        """Sets the time of the last use, by which stores are deleted."""
        os.utime(self.folder / INFO_FILE)


def make_room(store: FeatureStore, num_rows: int, num_new_rows: int, max_gb: float) -> None:
    """Deletes the stores that were used least recently until new rows fit.

    Args:
        store: gets the rows; where even it alone would be too large, its old rows go.
        num_rows: number of rows of the run, those that the store has included.
        num_new_rows: number of rows that it lacks.
        max_gb: size of all stores (GB).

    Raises:
        OSError: the rows of the run alone are larger than ``max_gb``.
    """
    if num_rows * store.row_bytes > max_gb * 1e9:
        raise OSError(f"cache.max_gb={max_gb} is too small for them; give more")
    room = max_gb * 1e9 - num_new_rows * store.row_bytes
    stores = list_stores()
    used = sum(entry.num_bytes for entry in stores)
    for entry in sorted(stores, key=lambda entry: (entry.folder == store.folder, entry.last_used)):
        if used <= room:
            return
        if entry.folder == store.folder:  # its lock is held
            shutil.rmtree(entry.folder, ignore_errors=True)
        else:
            try:
                delete_store(entry.folder, timeout=0)
            except (Timeout, OSError):  # another command uses it
                continue
        used -= entry.num_bytes


def delete_store(folder: Path, timeout: float = -1) -> None:
    """Deletes the features of one network, when no command writes them.

    Args:
        folder: of the store.
        timeout: see ``FeatureStore.lock``.

    Raises:
        OSError: the folder cannot be deleted.
        Timeout: another command writes them.
    """
    with FeatureStore(folder, width=1).lock(timeout):
        shutil.rmtree(folder)


@dataclass(frozen=True)
class StoreInfo:
    """What ``headstart cache list`` shows of a store.

    Args:
        folder: where it lies.
        network: name of the network.
        num_rows: number of images and views.
        num_bytes: size on disk.
        last_used: seconds since 1970.
    """

    folder: Path
    network: str
    num_rows: int
    num_bytes: int
    last_used: float


def list_stores() -> list[StoreInfo]:
    """The stores of the feature cache."""

    stores = []
    for path in sorted((cache_dir() / "features").glob(f"*/{INFO_FILE}")):
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            rows = len(FeatureStore(path.parent, info["width"]).read_positions())
            size = sum(file.stat().st_size for file in path.parent.iterdir())
            stores.append(StoreInfo(path.parent, info["network"], rows, size, path.stat().st_mtime))
        except (OSError, ValueError, KeyError, TypeError):  # deleted or damaged meanwhile
            continue
    return stores


@lru_cache  # once per process, for all its runs and parts
def _print_reason(line: str) -> None:
    print(line, file=sys.stderr)


def _write_end(path: Path, offset: int, content: bytes) -> None:
    """Replaces all of a file from an offset on, on the disk when it returns."""
    path.touch()
    with path.open("r+b") as file:
        file.truncate(offset)
        file.seek(offset)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _feature_id(image: np.ndarray, view: str) -> bytes:
    digest = hashlib.sha256(f"{view} {image.shape} ".encode())
    digest.update(image.tobytes())
    return digest.digest()[:ID_BYTES]


def _read_images(read_pixels: PixelReader, indices: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(indices), ROWS_PER_WRITE):
        yield from read_pixels(indices[start : start + ROWS_PER_WRITE])


def _compute_blocks(
    read_pixels: PixelReader, needed: dict[bytes, tuple[int, str]], extractor: FeatureExtractor
) -> Iterator[tuple[list[bytes], np.ndarray]]:
    """Yields ids and their features, float32 (n, width), in blocks of some batches."""
    batches: list[list[bytes]] = []
    for view in dict.fromkeys(view for _, view in needed.values()):
        keys = [key for key, (_, of_key) in needed.items() if of_key == view]
        size = extractor.batch_size
        batches += [keys[i : i + size] for i in range(0, len(keys), size)]

    def compute(keys: list[bytes]) -> np.ndarray:
        return extractor.compute(read_pixels(np.array([needed[key][0] for key in keys])), needed[keys[0]][1])

    block_keys: list[bytes] = []
    block: list[np.ndarray] = []
    with extractor.one_thread_per_batch():
        for keys, features in zip(
            batches, thread_map(compute, batches, "computing features", batch_size=1), strict=True
        ):
            block_keys += keys
            block.append(features)
            if len(block_keys) >= ROWS_PER_WRITE:
                yield block_keys, np.concatenate(block)
                block_keys, block = [], []
    if block_keys:
        yield block_keys, np.concatenate(block)


def _to_rows(ids: np.ndarray, positions: dict[bytes, int]) -> np.ndarray:
    return np.array([[positions[key] for key in row] for row in ids], dtype=np.int64).reshape(ids.shape)
