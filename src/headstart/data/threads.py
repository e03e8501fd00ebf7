"""Maps a function over items in threads, with a progress bar on a terminal."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import track

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

BATCH_SIZE = 8  # items that a thread takes at once: handing over a single one takes longer than hashing a small file
SPARE_THREADS = 2  # beyond the cores: they compute while others wait for the disk or for Python's lock
BATCHES_AHEAD = 4  # for each thread: no more results wait in memory


def thread_map(
    function: Callable[[_Item], _Result], items: Sequence[_Item], description: str, batch_size: int = BATCH_SIZE
) -> Iterator[_Result]:
    """Yields the results in the order of the items.

    Args:
        function: is called in somewhat more threads than there are cores.
        items: its arguments.
        description: of the progress bar, which is shown on a terminal only.
        batch_size: number of items that a thread takes at once.
    """
    console = Console(stderr=True)
    results = _iter_results(function, items, batch_size)
    yield from track(results, description, len(items), console=console, transient=True, disable=not console.is_terminal)


def _iter_results(function: Callable[[_Item], _Result], items: Sequence[_Item], batch_size: int) -> Iterator[_Result]:
    threads = (os.cpu_count() or 1) + SPARE_THREADS
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[list[_Result]]] = deque()
    try:
        for start in range(0, len(items), batch_size):
            waiting.append(pool.submit(list, map(function, items[start : start + batch_size])))
            if len(waiting) > BATCHES_AHEAD * threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the images still to come
