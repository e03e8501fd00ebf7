"""Small trainings, each by itself: one thread, and a random stream of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """One thread; torch's random stream is as before afterwards.

    A small network gains next to nothing from a second thread, gives the same bits on any machine with one, and on a
    busy machine does not wait at each layer until the other thread gets its turn.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
