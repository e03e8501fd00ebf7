"""What a run costs: peak memory and forward FLOPs (seconds are counted where the work is done)."""

import threading
from types import TracebackType
from typing import TYPE_CHECKING

import psutil

from headstart.memory import return_freed_memory
from headstart.networks.modes import evaluation_mode

if TYPE_CHECKING:
    from headstart.models import Classifier

SECONDS_BETWEEN_SAMPLES = 0.1


class PeakMemory:
    """Samples the process's resident memory while the block runs; ``.bytes`` is the largest sample.

    A process's own peak (``ru_maxrss``) never falls again, so that in a sweep each run would inherit the
    largest before it.
    """

    def __enter__(self) -> "PeakMemory":
        return_freed_memory()
        self._process = psutil.Process()
        self.bytes = self._process.memory_info().rss
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(SECONDS_BETWEEN_SAMPLES):
            self.bytes = max(self.bytes, self._process.memory_info().rss)


def forward_flops(model: "Classifier") -> int:
    """Floating-point operations of one image's forward pass (a multiply-add counts as two)."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with evaluation_mode(model), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, *model.spec.shape, dtype=torch.uint8, device=model.device))
    return int(counter.get_total_flops())
