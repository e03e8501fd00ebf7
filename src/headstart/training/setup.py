"""Builds what a training needs: data module, model, callbacks and trainer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import lightning as L
import torch
from omegaconf import DictConfig

from headstart.config.data_module import build_data_module
from headstart.config.instantiation import build_object
from headstart.config.trainer_options import max_epochs_override
from headstart.data.datamodule import ImageDataModule
from headstart.seeding import derive_key
from headstart.training.callbacks.run_checkpoint import RunCheckpoint, build_best_checkpoint, find_resume_point
from headstart.training.trainer import (
    build_callbacks,
    build_trainer,
    close_loggers,
    log_configuration,
    quiet_lightning,
)

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource
    from headstart.models.classifier import Classifier
    from headstart.training.context import RunContext


@dataclass
class TrainingSetup:
    """A trainer with the model, the data module and the run's checkpoint that it works with.

    Example:
        >>> setup = build_training_setup(cfg, source, RunContext(directory), identity, "finetune")
        >>> setup.fit()
    """

    trainer: L.Trainer
    model: "Classifier"
    datamodule: L.LightningDataModule
    run_checkpoint: RunCheckpoint

    def fit(self) -> None:
        """Fits on the training part; resumes from ``last.ckpt`` where there is one."""
        resume_point = find_resume_point(self.run_checkpoint.directory, self.run_checkpoint.identity)
        self.trainer.fit(self.model, self.datamodule, ckpt_path=resume_point, weights_only=True)

    def close(self) -> None:
        """Ends the loggers."""
        close_loggers(self.trainer)


def build_training_setup(
    cfg: DictConfig, source: "ImageSource", context: "RunContext", identity: str, title: str
) -> TrainingSetup:
    """Builds the setup of a run, or of a trial of its search.

    Args:
        cfg: the configuration of the run or trial.
        source: its images.
        context: its directory, and what the sweep gives it.
        identity: its identity, for the resume point.
        title: its name, for the progress line.

    Raises:
        HeadstartError: a class refuses its settings, or a callback watches what the run does not log.
    """
    if context.threads:
        torch.set_num_threads(context.threads)
    directory, has_validation = context.directory, len(source.split.val) > 0
    # Callbacks are built before the seed is set, so that none of them can shift the model's weights.
    callbacks = build_callbacks(
        cfg,
        {
            "directory": directory,
            "identity": identity,
            "has_validation": has_validation,
            "title": title,
            "num_images": len(source.split.train),
            "seconds_left": context.seconds_left,
            "stop_at": context.stop_at,
        },
    )
    quiet_lightning()
    datamodule = build_data_module(cfg.data)
    if isinstance(datamodule, ImageDataModule):
        datamodule.source = source  # its files are listed and hashed already
        datamodule.max_cache_gb = cfg.cache.max_gb
    datamodule.prepare_data()
    datamodule.setup("fit")
    torch.manual_seed(derive_key(cfg.seed, "init"))
    model = build_object(cfg.model, "model", spec=datamodule.spec)
    max_epochs = max_epochs_override(cfg) or model.epochs
    run_checkpoint = _take_run_checkpoint(callbacks) or RunCheckpoint(directory, identity, has_validation)
    best = [build_best_checkpoint(directory)] if has_validation else []
    trainer = build_trainer(cfg, directory, max_epochs, [*callbacks, *best, run_checkpoint])
    log_configuration(trainer, cfg)
    return TrainingSetup(trainer, model, datamodule, run_checkpoint)


def _take_run_checkpoint(callbacks: list[L.Callback]) -> RunCheckpoint | None:
    """Removes the run's checkpoint from the callbacks: Lightning calls it after the one that writes ``best.ckpt``."""
    for callback in callbacks:
        if isinstance(callback, RunCheckpoint):
            callbacks.remove(callback)
            return callback
    return None
