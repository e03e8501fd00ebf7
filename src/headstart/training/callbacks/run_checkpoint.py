"""What a run keeps while it trains: its rows of metrics.csv, and the point from which it can go on."""

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

SECONDS_BETWEEN_RESUME_POINTS = 20.0  # writing the optimiser's state after every short epoch would cost more


class RunCheckpoint(Checkpoint):
    """Every now and then writes ``last.ckpt`` and ``metrics.csv``, whole or not at all; the rest at the end.

    It stands behind the ModelCheckpoint in the list of callbacks, so that a resume point knows the best
    epoch so far. The rows travel in the checkpoint: a resumed run keeps those up to where it goes on.

    Args:
        directory: the run directory.
        identity: what the run is; stands in ``last.ckpt``.
        validates: whether validation images choose an epoch; if not, ``best.ckpt`` is the last.
    """

    def __init__(self, directory: Path, identity: str, has_validation: bool) -> None:
        self.directory = directory
        self.identity = identity
        self.has_validation = has_validation
        self.rows: list[dict[str, float]] = []
        self.trials: list[dict[str, Any]] = []  # of the search for settings before it, where there was one
        self.seconds = 0.0
        self.seconds_before_resume = 0.0  # of training in processes that were stopped before this one
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
        """Seconds of training so far, those before a resume included."""
        return self.seconds + (0.0 if self._has_ended else time.monotonic() - self._start_time)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._has_validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        logged = {k: float(v) for k, v in trainer.callback_metrics.items() if k != "val/choice"}
        if not self._has_validated:  # Lightning still holds the figures of the last epoch that did
            logged = {k: v for k, v in logged.items() if not k.startswith("val/")}
        self._has_validated = False
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **logged})
        more = trainer.max_epochs is None or trainer.current_epoch + 1 < trainer.max_epochs
        if more and time.monotonic() - self._last_save_time > SECONDS_BETWEEN_RESUME_POINTS:
            self.save_resume_point(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seconds, self._has_ended = self.elapsed_seconds(), True
        self.write_metrics()
        if not (
            self.has_validation and run_directory.best_checkpoint_path(self.directory).is_file()
        ):  # nothing was chosen: the last epoch
            _save_atomically(trainer, run_directory.best_checkpoint_path(self.directory), weights_only=True)

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
        self.write_metrics()
        _save_atomically(trainer, run_directory.last_checkpoint_path(self.directory))
        self._last_save_time = time.monotonic()


class RelocatableModelCheckpoint(ModelCheckpoint):
    """A ModelCheckpoint that knows its best epoch still after the run directory was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        kept = str(run_directory.best_checkpoint_path(Path(self.dirpath or "").parent))
        paths = {"dirpath": self.dirpath, "best_model_path": kept, "kth_best_model_path": kept}
        scores = {kept: max(state_dict["best_k_models"].values())} if state_dict["best_k_models"] else {}
        super().load_state_dict({**state_dict, **paths, "best_k_models": scores})


def build_best_checkpoint(directory: Path) -> RelocatableModelCheckpoint:
    """Keeps ``best.ckpt``: the epoch most accurate on validation images."""
    return RelocatableModelCheckpoint(
        dirpath=directory / run_directory.CHECKPOINT_FOLDER,
        filename=run_directory.BEST_CHECKPOINT.removesuffix(".ckpt"),
        monitor="val/choice",
        mode="max",
        save_weights_only=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def find_resume_point(directory: Path, identity: str) -> Path | None:
    """``last.ckpt`` where there is one.

    Raises:
        HeadstartError: it is damaged, or another run's.
    """
    last = run_directory.last_checkpoint_path(directory)
    if not last.is_file():
        return None
    mend = "remove it, and the same command starts anew"
    try:
        kept = checkpoint.read_checkpoint(last)
    except HeadstartError as error:
        raise HeadstartError(f"{error}; {mend}") from error
    if kept.get("callbacks", {}).get(RunCheckpoint.__name__, {}).get("identity") != identity:
        raise HeadstartError(f"{last}: the resume point of another run; {mend}")
    return last


def _save_atomically(trainer: L.Trainer, target: Path, weights_only: bool = False) -> None:
    """Writes a whole checkpoint or none."""
    with write_atomically(target) as scratch:
        trainer.save_checkpoint(scratch, weights_only=weights_only)
