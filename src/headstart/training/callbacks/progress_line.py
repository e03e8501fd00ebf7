"""Shows the progress of a run on one line: position in the sweep, epoch, images per second, time left of the sweep."""

import multiprocessing
import sys
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console

from headstart.reporting.formats import format_duration, pluralize

TERMINAL_REFRESH_SECONDS, FILE_REFRESH_SECONDS = 0.2, 60.0  # a terminal rewrites one line, a file keeps all


class ProgressLine(ProgressBar):
    """A line that a terminal rewrites; in a file one line at the start, one a minute, and one at the end.

    Where several processes share a sweep, only the first one rewrites the line in the terminal. Each prints how its
    runs end.

    Args:
        title: name of the run, such as ``"[3/36] finetune-digits-5-seed2"``.
        num_images: number of training images in an epoch.
        seconds_left: time that the other runs of the sweep will take (s), so that the line has the time of the whole
            sweep; None if unknown: then it is that of the run, and says so.
        stop_at: when the sweep ends at the latest, in seconds since 1970; None: no limit.
        refresh_seconds: time between two updates (s); None: 0.2 in a terminal, 60 in a file.

    Example:
        >>> trainer = Trainer(callbacks=[ProgressLine("finetune", num_images=200)])
    """

    def __init__(
        self,
        title: str,
        num_images: int,
        seconds_left: float | None = None,
        stop_at: float | None = None,
        refresh_seconds: float | None = None,
    ) -> None:
        super().__init__()
        self.title, self.num_images, self.seconds_left, self.stop_at = title, num_images, seconds_left, stop_at
        self.console = Console(stderr=True, highlight=False)
        if refresh_seconds is None:
            refresh_seconds = TERMINAL_REFRESH_SECONDS if self.console.is_terminal else FILE_REFRESH_SECONDS
        self.refresh_seconds = refresh_seconds
        self._is_enabled = True
        self._num_images_done = 0
        self._start_time: float | None = None

    def disable(self) -> None:
        self._is_enabled = False

    def enable(self) -> None:
        self._is_enabled = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._start_time = self._last_update = time.monotonic()
        self._first_epoch = trainer.current_epoch
        if not self.console.is_terminal:
            resumed = f", going on after epoch {self._first_epoch}" if self._first_epoch else ""
            self._write_line(
                f"{self.title}: {self.num_images} images, {pluralize(trainer.max_epochs or 0, 'epoch')}{resumed}"
            )

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._num_images_done += len(batch[1])
        now = time.monotonic()
        if self.console.is_terminal and multiprocessing.parent_process():
            return
        if now - self._last_update > self.refresh_seconds:
            self._last_update = now
            speed = self._num_images_done / max(now - (self._start_time or now), 1e-9)
            total = self.num_images * ((trainer.max_epochs or 1) - self._first_epoch)
            left = (total - self._num_images_done) / max(speed, 1e-9) + (self.seconds_left or 0.0)
            if self.stop_at is not None:
                left = min(left, max(self.stop_at - time.time(), 0.0))
            text = f"{self.title}: epoch {trainer.current_epoch + 1}/{trainer.max_epochs}, {speed:,.0f} images/s"
            scope = " in this run" if self.seconds_left is None else ""
            self._write_line(f"{text}, {format_duration(left)} left{scope}", end="")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.write_end(f"accuracy {float(trainer.callback_metrics['test/accuracy']):.1%}")

    def write_end(self, text: str) -> None:
        """Writes the last line of a run, with its duration."""
        # The model of a search was trained before, by another trainer with another title.
        duration = f", {format_duration(time.monotonic() - self._start_time)}" if self._start_time else ""
        self._write_line(f"{self.title}: {text}{duration}")

    def _write_line(self, text: str, end: str = "\n") -> None:
        if not self._is_enabled:
            return
        if self.console.is_terminal:
            width = max(self.console.width - 1, 20)
            sys.stderr.write("\r" + text[:width].ljust(width) + ("\n" if end else ""))
            sys.stderr.flush()
        else:
            self.console.print(text, soft_wrap=True, markup=False)
