"""Identifies a weight file: by its date, size and inode, and by its content."""

import hashlib
from functools import lru_cache
from pathlib import Path


def file_fingerprint(path: Path) -> tuple[int, ...]:
    """Modification time, size and inode: they change when a file is written again, which invalidates caches."""
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def hash_weight_file(path: Path) -> str:
    """SHA-256 of the file's content, hexadecimal; a file that did not change is read once per process."""
    return _hash_content(path, file_fingerprint(path))


@lru_cache
def _hash_content(path: Path, fingerprint: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
