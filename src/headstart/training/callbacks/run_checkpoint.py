"""Writes what a run leaves while it trains: metrics.csv, the chosen epoch, and the point to resume from."""

import csv
import io
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from headstart.errors import HeadstartError
from headstart.files import write_atomically, write_text
from headstart.runs import checkpoint, run_directory


class RunCheckpoint(Checkpoint):
    """Writes ``last.ckpt`` and ``metrics.csv`` from time to time, and what is missing at the end; each file atomically.

    It must come after the ModelCheckpoint in the list of callbacks, so that a resume point holds the best epoch so far.
    The checkpoint holds the rows of ``metrics.csv``: a resumed run continues after the last of them.

    Args:
        directory: the run directory.
        identity: the run's identity; ``last.ckpt`` holds it.
        has_validation: whether validation images choose an epoch; if not, ``best.ckpt`` is the last epoch.
        every_seconds: least time between two resume points (s). The optimizer's state takes a while to write, as long
            as a short epoch.

    Example:
        >>> trainer = Trainer(callbacks=[RunCheckpoint(Path("run"), identity="1f3a", has_validation=False)])
    """

    def __init__(self, directory: Path, identity: str, has_validation: bool, every_seconds: float = 20.0) -> None:
        self.directory = directory
        self.identity = identity
        self.has_validation = has_validation
        self.every_seconds = every_seconds
        self.rows: list[dict[str, float]] = []
        self.trials: list[dict[str, Any]] = []  # of the search for settings, where there is one
        self.seconds = 0.0
        self.seconds_before_resume = 0.0  # of training in earlier processes of this run
        self._has_ended = False
        self._has_validated = False
        self._start_time = self._last_save_time = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "identity": self.identity, "seconds": self.elapsed_seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
        self.seconds = self.seconds_before_resume = state_dict["seconds"]
        self._start_time = time.monotonic()

    def elapsed_seconds(self) -> float:
        """Seconds of training so far, including those before a resume."""
        return self.seconds + (0.0 if self._has_ended else time.monotonic() - self._start_time)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._has_validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        logged = {k: float(v) for k, v in trainer.callback_metrics.items() if k != "val/checkpoint_score"}
        if not self._has_validated:  # Lightning keeps the metrics of the last epoch that validated
            logged = {k: v for k, v in logged.items() if not k.startswith("val/")}
        self._has_validated = False
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **logged})
        if _can_resume(trainer) and time.monotonic() - self._last_save_time > self.every_seconds:
            self.save_resume_point(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seconds, self._has_ended = self.elapsed_seconds(), True
        self.write_metrics()
        best = run_directory.best_checkpoint_path(self.directory)
        if not (self.has_validation and best.is_file()):  # no validation chose an epoch: the last one
            _save_atomically(trainer, best, weights_only=True)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.write_metrics()

    def write_metrics(self) -> None:
        """Writes ``metrics.csv`` in the format of Lightning's CSVLogger."""
        if not self.rows:
            return
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(dict.fromkeys(k for row in self.rows for k in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.directory / run_directory.METRICS_FILE, out.getvalue())

    def save_resume_point(self, trainer: L.Trainer) -> None:
        """Writes ``last.ckpt`` and the rows so far."""
        self.write_metrics()
        _save_atomically(trainer, run_directory.last_checkpoint_path(self.directory))
        self._last_save_time = time.monotonic()


class RelocatableModelCheckpoint(ModelCheckpoint):
    """A ModelCheckpoint whose best epoch is found again after the run directory was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        best = str(run_directory.best_checkpoint_path(Path(self.dirpath or "").parent))
        paths = {"dirpath": self.dirpath, "best_model_path": best, "kth_best_model_path": best}
        scores = {best: max(state_dict["best_k_models"].values())} if state_dict["best_k_models"] else {}
        super().load_state_dict({**state_dict, **paths, "best_k_models": scores})


def build_best_checkpoint(directory: Path) -> RelocatableModelCheckpoint:
    """Builds the callback that writes ``best.ckpt``, the epoch of the highest accuracy on validation images."""
    return RelocatableModelCheckpoint(
        dirpath=directory / run_directory.CHECKPOINT_FOLDER,
        filename=run_directory.BEST_CHECKPOINT.removesuffix(".ckpt"),
        monitor="val/checkpoint_score",
        mode="max",
        save_weights_only=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def find_resume_point(directory: Path, identity: str) -> Path | None:
    """Returns the path of ``last.ckpt``, or None where there is none.

    Raises:
        HeadstartError: it is damaged, or belongs to another run.
    """
    last = run_directory.last_checkpoint_path(directory)
    if not last.is_file():
        return None
    remedy = "remove it, and the same command starts anew"
    try:
        content = checkpoint.read_checkpoint(last)
    except HeadstartError as error:
        raise HeadstartError(f"{error}; {remedy}") from error
    if content.get("callbacks", {}).get(RunCheckpoint.__name__, {}).get("identity") != identity:
        raise HeadstartError(f"{last}: the resume point of another run; {remedy}")
    return last


def _can_resume(trainer: L.Trainer) -> bool:
    """Whether a run that starts again from the end of this epoch goes on as if it had not stopped.

    A checkpoint does not hold that a callback has stopped the run. With ``max_steps`` Lightning 2.6 takes the end of an
    epoch for a place within it: such a run starts anew.
    """
    is_last = trainer.max_epochs is not None and trainer.current_epoch + 1 >= trainer.max_epochs
    return not (is_last or trainer.should_stop or trainer.max_steps != -1)


def _save_atomically(trainer: L.Trainer, target: Path, weights_only: bool = False) -> None:
    """Writes a checkpoint as a whole or not at all."""
    with write_atomically(target) as scratch:
        trainer.save_checkpoint(scratch, weights_only=weights_only)
