"""A Lightning Trainer that does nothing but train, and the seconds of its epochs."""

import time

import lightning as L


class EpochTimer(L.Callback):
    """Counts the seconds of all training epochs in ``seconds``."""

    seconds = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.seconds += time.perf_counter() - self._start


def build_trainer(epochs: int, timer: EpochTimer) -> L.Trainer:
    return L.Trainer(
        max_epochs=epochs,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[timer],
    )
