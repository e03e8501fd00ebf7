"""What a run keeps while it trains: its rows of metrics.csv, and the point from which it can go on."""

import csv
import io
import time
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from headstart.errors import HeadstartError
from headstart.files import whole_file
from headstart.runs import checkpoint, run_directory

SECONDS_BETWEEN_RESUME_POINTS = 20.0  # writing the optimiser's state after every short epoch would cost more


class Record(Checkpoint):
    """Every now and then writes ``last.ckpt`` and ``metrics.csv``, whole or not at all; the rest at the end.

    It stands behind the ModelCheckpoint in the list of callbacks, so that a resume point knows the best
    epoch so far. The rows travel in the checkpoint: a resumed run keeps those up to where it goes on.

    Args:
        directory: the run directory.
        identity: what the run is; stands in ``last.ckpt``.
        validates: whether validation images choose an epoch; if not, ``best.ckpt`` is the last.
    """

    def __init__(self, directory: Path, identity: str, validates: bool) -> None:
        self.directory = directory
        self.identity = identity
        self.validates = validates
        self.rows: list[dict[str, float]] = []
        self.trials: list[dict[str, Any]] = []  # of the search for settings before it, where there was one
        self.seconds = 0.0
        self.seconds_before = 0.0  # of training in processes that were stopped before this one
        self._ended = False
        self._has_validated = False
        self._began = self._saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "identity": self.identity, "seconds": self.spent()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["rows"]
        self.seconds = self.seconds_before = state_dict["seconds"]
        self._began = time.monotonic()

    def spent(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self.seconds + (0.0 if self._ended else time.monotonic() - self._began)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._has_validated = not trainer.sanity_checking

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        logged = {k: float(v) for k, v in trainer.callback_metrics.items() if k != "val/choice"}
        if not self._has_validated:  # Lightning still holds the figures of the last epoch that did
            logged = {k: v for k, v in logged.items() if not k.startswith("val/")}
        self._has_validated = False
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **logged})
        more = trainer.max_epochs is None or trainer.current_epoch + 1 < trainer.max_epochs
        if more and time.monotonic() - self._saved > SECONDS_BETWEEN_RESUME_POINTS:
            self.save(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.seconds, self._ended = self.spent(), True
        self.write()
        if not (self.validates and run_directory.best(self.directory).is_file()):  # nothing was chosen: the last epoch
            _save(trainer, run_directory.best(self.directory), weights_only=True)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self.write()

    def write(self) -> None:
        """Writes ``metrics.csv`` in the format of Lightning's CSVLogger."""
        if not self.rows:
            return
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(dict.fromkeys(k for row in self.rows for k in row)), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        run_directory.write_text(self.directory / run_directory.METRICS, out.getvalue())

    def save(self, trainer: L.Trainer) -> None:
        self.write()
        _save(trainer, run_directory.last(self.directory))
        self._saved = time.monotonic()


class Best(ModelCheckpoint):
    """A ModelCheckpoint that knows its best epoch still after the run directory was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        kept = str(run_directory.best(Path(self.dirpath or "").parent))
        paths = {"dirpath": self.dirpath, "best_model_path": kept, "kth_best_model_path": kept}
        scores = {kept: max(state_dict["best_k_models"].values())} if state_dict["best_k_models"] else {}
        super().load_state_dict({**state_dict, **paths, "best_k_models": scores})


def best_epoch(directory: Path) -> Best:
    """Keeps ``best.ckpt``: the epoch most accurate on validation images."""
    return Best(
        dirpath=directory / run_directory.CHECKPOINTS,
        filename=run_directory.BEST.removesuffix(".ckpt"),
        monitor="val/choice",
        mode="max",
        save_weights_only=True,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def resume_point(directory: Path, identity: str) -> Path | None:
    """``last.ckpt`` where there is one.

    Raises:
        HeadstartError: it is damaged, or another run's.
    """
    last = run_directory.last(directory)
    if not last.is_file():
        return None
    mend = "remove it, and the same command starts anew"
    try:
        kept = checkpoint.read(last)
    except HeadstartError as error:
        raise HeadstartError(f"{error}; {mend}") from error
    if kept.get("callbacks", {}).get(Record.__name__, {}).get("identity") != identity:
        raise HeadstartError(f"{last}: the resume point of another run; {mend}")
    return last


def _save(trainer: L.Trainer, target: Path, weights_only: bool = False) -> None:
    """Writes a whole checkpoint or none."""
    with whole_file(target) as scratch:
        trainer.save_checkpoint(scratch, weights_only=weights_only)
