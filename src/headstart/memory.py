"""What the C library does with freed memory. Elsewhere than on Linux with glibc nothing changes."""

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_BLOCK_BYTES = 64 * 2**20  # larger blocks, those of evaluation's batches, return to the system as before
MAX_INT = 2**31 - 1


def keep_freed_memory() -> None:
    """Keeps freed blocks for later ones of the process.

    A training step frees large blocks and needs the same ones again. By default glibc returns them to the system, which
    clears each page anew: a seventh of the processor's time of fine-tuning EfficientNet-Lite0 went there
    (docs/benchmarks.md).
    """
    if libc := _load_glibc():
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BLOCK_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, MAX_INT)


def return_freed_memory() -> None:
    """Returns what is free to the system, so that a run's memory does not count what the run before it has freed."""
    if libc := _load_glibc():
        libc.malloc_trim(0)


@cache
def _load_glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
        return libc if hasattr(libc, "gnu_get_libc_version") else None
    except (OSError, TypeError):  # Windows
        return None
