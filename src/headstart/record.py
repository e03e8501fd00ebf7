"""What a run keeps while it trains: its rows of metrics.csv, and the point from which it can go on."""

import csv
import io
import time
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from headstart import runs

SECONDS_BETWEEN_RESUME_POINTS = 20.0  # writing the optimiser's state after every short epoch would cost more


class Record(Checkpoint):
    """Every now and then writes ``last.ckpt`` and ``metrics.csv``, whole or not at all; the rest at the end.

    It stands behind the ModelCheckpoint in the list of callbacks, so that a resume point knows the best
    epoch so far. The rows travel in the checkpoint: a resumed run keeps those up to where it goes on.

    Args:
        directory: the run directory.
        identity: what the run is; stands in ``last.ckpt``.
    """

    def __init__(self, directory: Any, identity: str) -> None:
        self.directory = directory
        self.identity = identity
        self.rows: list[dict[str, float]] = []
        self.seconds = 0.0
        self._ended = False
        self._began = self._saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "identity": self.identity, "seconds": self.spent()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
        self.seconds = state_dict["seconds"]
        self._began = time.monotonic()

    def spent(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self.seconds + (0.0 if self._ended else time.monotonic() - self._began)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        logged = {k: float(v) for k, v in trainer.callback_metrics.items() if k != "val/choice"}
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **logged})
        more = trainer.max_epochs is None or trainer.current_epoch + 1 < trainer.max_epochs
        if more and time.monotonic() - self._saved > SECONDS_BETWEEN_RESUME_POINTS:
            self.save(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seconds, self._ended = self.spent(), True
        self.write()
        if not runs.best(self.directory).is_file():  # nothing validated, so nothing was chosen: the last epoch
            trainer.save_checkpoint(runs.best(self.directory), weights_only=True)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.write()

    def write(self) -> None:
        """Writes ``metrics.csv`` in the format of Lightning's CSVLogger."""
        if not self.rows:
            return
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        runs.write_text(self.directory / runs.METRICS, out.getvalue())

    def save(self, trainer: L.Trainer) -> None:
        self.write()
        target = runs.last(self.directory)
        scratch = target.with_suffix(".part")
        trainer.save_checkpoint(scratch)
        scratch.replace(target)
        self._saved = time.monotonic()


def best_epoch(directory: Any) -> ModelCheckpoint:
    """Keeps ``best.ckpt``: the epoch most accurate on validation images."""
    return ModelCheckpoint(
        dirpath=directory / runs.CHECKPOINTS,
        filename=runs.BEST.removesuffix(".ckpt"),
        monitor="val/choice",
        mode="max",
        save_weights_only=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
