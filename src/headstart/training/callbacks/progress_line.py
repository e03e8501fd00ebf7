"""What a person sees while a run trains: which run of how many, epoch, images per second, what is left."""

import multiprocessing
import sys
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from headstart.reporting.formats import format_duration

SECONDS_BETWEEN_LINES = {True: 0.2, False: 60.0}  # in a terminal one line is rewritten, a file keeps them all


class ProgressLine(Callback):
    """One line that is rewritten in a terminal; elsewhere a line when a run begins, ends, and each minute between.

    Where several processes share a sweep, the line in the terminal is the first one's, and each tells how its runs end.

    Args:
        title: what is being trained, e.g. ``"[3/36] finetune, 5 labels per class, seed 2"``.
        images: training images of an epoch.
        left: seconds that the sweep's other runs will take, by what the finished ones took; None if unknown.
    """

    def __init__(self, title: str, num_images: int, seconds_left: float | None = None) -> None:
        self.title, self.num_images, self.seconds_left = title, num_images, seconds_left
        self.console = Console(stderr=True, highlight=False)
        self._num_seen = 0
        self._start_time: float | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._start_time = self._last_shown = time.monotonic()
        self._first_epoch = trainer.current_epoch
        if not self.console.is_terminal:
            again = f", going on after epoch {self._first_epoch}" if self._first_epoch else ""
            self._write_line(f"{self.title}: {self.num_images} images, {trainer.max_epochs} epochs{again}")

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._num_seen += len(batch[1])
        now = time.monotonic()
        if self.console.is_terminal and multiprocessing.parent_process():
            return
        if now - self._last_shown > SECONDS_BETWEEN_LINES[self.console.is_terminal]:
            self._last_shown = now
            speed = self._num_seen / max(now - (self._start_time or now), 1e-9)
            total = self.num_images * ((trainer.max_epochs or 1) - self._first_epoch)
            left = (total - self._num_seen) / max(speed, 1e-9) + (self.seconds_left or 0.0)
            text = f"{self.title}: epoch {trainer.current_epoch + 1}/{trainer.max_epochs}, {speed:,.0f} images/s"
            self._write_line(f"{text}, {format_duration(left)} left", end="")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        accuracy = float(trainer.callback_metrics["test/accuracy"])
        # A search trained this model long before, under titles of its own.
        took = f", {format_duration(time.monotonic() - self._start_time)}" if self._start_time else ""
        self._write_line(f"{self.title}: accuracy {accuracy:.1%}{took}")

    def _write_line(self, text: str, end: str = "\n") -> None:
        if self.console.is_terminal:
            width = max(self.console.width - 1, 20)
            sys.stderr.write("\r" + text[:width].ljust(width) + ("\n" if end else ""))
            sys.stderr.flush()
        else:
            self.console.print(text, soft_wrap=True, markup=False)
