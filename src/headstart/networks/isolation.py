"""Context managers for measurements that leave threads, compilation and random streams as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """Runs a small training on one thread and restores torch's random stream afterwards.

    A small network gains little from a second thread. With one thread the results are the same on every machine, and
    on a busy machine no layer waits for the other thread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def isolated_execution(device: torch.device) -> Iterator[None]:
    """Runs a network without ``torch.compile`` and restores the random streams afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.compiler.set_stance("force_eager"), torch.random.fork_rng(devices):
        yield
