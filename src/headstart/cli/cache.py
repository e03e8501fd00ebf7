"""`headstart cache`: lists what the caches hold, or deletes it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from filelock import Timeout

from headstart.data.feature_cache import delete_store, list_stores
from headstart.data.groups.copy_groups import CACHE_FOLDER
from headstart.data.paths import resolve_cache_dir
from headstart.errors import HeadstartError, join_with_limit
from headstart.reporting.console import print_path, print_table


def list_caches() -> int:
    """Prints a table of the decoded images, the groups of copies and the features. Returns the exit code 0.

    Raises:
        HeadstartError: the cache is a file.
    """
    cache = resolve_cache_dir()
    rows = []
    for kind, content in (("pixels", "decoded images"), (CACHE_FOLDER, "groups of copies")):
        for path in sorted((cache / kind).glob("*.npy")):
            status = path.stat()
            rows.append((kind, content, "", _format_size(status.st_size), _format_day(status.st_mtime)))
    for store in list_stores():
        count = f"{store.num_rows:,}"
        rows.append(("features", store.network, count, _format_size(store.num_bytes), _format_day(store.last_used)))
    print_path(cache)
    if not rows:
        print("empty")
        return 0
    print_table(
        ["kind", "content", "images and views", "size", "last used"], rows, right_aligned=["images and views", "size"]
    )
    return 0


def clear_caches() -> int:
    """Deletes all that the caches hold; the next command computes it again. Returns the exit code 0.

    Raises:
        HeadstartError: the cache is a file, a command writes it just now, or a folder cannot be deleted.
    """
    cache = resolve_cache_dir()
    size, busy = 0, []
    stores = [path for path in (cache / "features").glob("*") if path.is_dir()]
    folders: list[tuple[Path, Callable[[Path], None]]]
    folders = [(cache / kind, shutil.rmtree) for kind in ("pixels", CACHE_FOLDER)]
    folders += [(store, partial(delete_store, timeout=0)) for store in stores]
    for folder, delete in folders:
        num_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        try:
            delete(folder)
        except FileNotFoundError:
            continue
        except Timeout:
            busy.append(str(folder))
        except OSError as error:
            raise HeadstartError(f"{folder}: cannot be deleted ({error.strerror}); delete it by hand") from error
        else:
            size += num_bytes
    print_path(cache)
    print(f"{_format_size(size)} deleted")
    if busy:
        raise HeadstartError(f"{join_with_limit(busy)}: a command writes it just now; clear again when that has ended")
    return 0


def _format_size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"


def _format_day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
