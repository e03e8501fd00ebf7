"""Maps a function over items in threads, with a progress bar on a terminal."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from rich.console import Console
from rich.progress import track

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def thread_map(function: Callable[[_Item], _Result], items: Sequence[_Item], description: str) -> Iterator[_Result]:
    """Yields the results in the order of the items.

    Args:
        function: is called in as many threads as there are cores.
        items: its arguments.
        description: of the progress bar, which is shown on a terminal only.
    """
    console = Console(stderr=True)
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        results = pool.map(function, items)
        yield from track(
            results, description, len(items), console=console, transient=True, disable=not console.is_terminal
        )
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the images still to come
