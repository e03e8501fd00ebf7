"""Builds Lightning's Trainer with the callbacks and loggers of the configuration."""

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from headstart.config.callback_options import (
    LOGGER_CALLBACKS,
    REFUSED_CALLBACKS,
    is_run_callback,
    list_callback_nodes,
)
from headstart.config.instantiation import build_object
from headstart.config.logger_options import list_logger_nodes
from headstart.config.trainer_options import ONE_DEVICE_HINT, expand_precision
from headstart.constructors import constructor_arguments
from headstart.data.paths import cache_dir
from headstart.errors import HeadstartError
from headstart.training.trainer_limits import count_train_batches

if TYPE_CHECKING:
    import lightning as L
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger

    from headstart.data.image_source import ImageSource

VALIDATION_METRICS = ("val/accuracy", "val/balanced_accuracy", "val/log_loss", "val/macro_f1")
TRAINING_METRICS = ("train/loss",)
OWN_MODELS_PACKAGE = "headstart.models."


def build_callbacks(cfg: DictConfig, run: Mapping[str, Any] | None = None) -> "list[Callback]":
    """Builds the callbacks of ``cfg.callbacks`` and ``cfg.trainer.callbacks``.

    The progress line is left out with ``trainer.enable_progress_bar=false``, and where there is another progress bar.

    Args:
        cfg: the run's configuration.
        run: values of this run for the callbacks of ``conf/callbacks/default.yaml``, such as ``directory``: each gets
            those that its constructor takes. None: these callbacks are left out.

    Raises:
        HeadstartError: a callback cannot be built, is none of Lightning's, or would change what a run records.
    """
    from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ProgressBar

    from headstart.training.callbacks.progress_line import ProgressLine

    callbacks: list[Callback] = []
    for key, node in list_callback_nodes(cfg).items():
        if is_run_callback(node):
            if run is not None:
                accepted = constructor_arguments(get_class(node._target_)) or ()
                values = {name: value for name, value in run.items() if name in accepted}
                callbacks.append(build_object(node, key, **values))
            continue
        callback = build_object(node, key)
        if not isinstance(callback, Callback):
            raise HeadstartError(f"{key}: {node._target_} is no callback of Lightning's; give one that is")
        for name in sorted({cls.__name__ for cls in type(callback).__mro__} & REFUSED_CALLBACKS.keys()):
            raise HeadstartError(f"{key}: {name}: {REFUSED_CALLBACKS[name]}")
        if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
            raise HeadstartError(
                f"{key}: ModelCheckpoint would write among the run's own checkpoints; give it dirpath: PATH"
            )
        callbacks.append(callback)
    has_other_bar = any(isinstance(each, ProgressBar) and not isinstance(each, ProgressLine) for each in callbacks)
    if has_other_bar or cfg.trainer.get("enable_progress_bar") is False:
        callbacks = [callback for callback in callbacks if not isinstance(callback, ProgressLine)]
    return callbacks


def check_callbacks(cfg: DictConfig, sources: "Sequence[ImageSource]") -> None:
    """Checks the callbacks and loggers for each budget, before anything trains.

    Imports Lightning only where the configuration has callbacks that are not ours.

    Args:
        cfg: the configuration of an arm.
        sources: its images, one source for each budget.

    Raises:
        HeadstartError: a callback cannot be built, its ``monitor`` is not logged or comes too late, it needs a logger,
            or Lightning would drop the loggers.
    """
    is_fast = bool(cfg.trainer.get("fast_dev_run"))
    if is_fast and list_logger_nodes(cfg.get("logger")):
        raise HeadstartError(
            f"logger: trainer.fast_dev_run={cfg.trainer.fast_dev_run} drops each logger; leave one of them out"
        )
    nodes = list_callback_nodes(cfg)
    callbacks = build_callbacks(cfg) if not all(map(is_run_callback, nodes.values())) else []
    if not cfg.get("logger"):
        for callback in callbacks:
            if type(callback).__name__ in LOGGER_CALLBACKS:
                hint = "leave it out" if is_fast else "add logger=csv"
                raise HeadstartError(
                    f"callbacks: {type(callback).__name__} writes to a logger, and there is none; {hint}"
                )
    for source in sources:
        check_monitors(cfg, callbacks, source)


def check_monitors(cfg: DictConfig, callbacks: "Sequence[Callback]", source: "ImageSource") -> None:
    """Checks that each callback watches a metric that the run logs. Lightning would wait for another in silence.

    A model class of one's own may log more metrics than are known here.

    Raises:
        HeadstartError: a callback's ``monitor`` is not logged or comes too late.
    """
    has_validation = len(source.split.val) > 0
    is_own_model = cfg.model._target_.startswith(OWN_MODELS_PACKAGE)
    logged = sorted([*TRAINING_METRICS, *(VALIDATION_METRICS if has_validation else ())])
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if monitor is None:
            continue
        name = type(callback).__name__
        is_lacking = is_own_model or (not has_validation and monitor.startswith("val/"))
        if monitor not in logged and is_lacking:
            reason = (
                "" if has_validation else "; no image validates below 20 labels per class or with data.validation=0"
            )
            raise HeadstartError(
                f"callbacks: {name} watches {monitor}, which this run does not log "
                f"(it logs {', '.join(logged)}{reason})"
            )
        num_steps = _count_epoch_steps(cfg, source)
        max_steps = cfg.trainer.get("max_steps")
        if monitor in VALIDATION_METRICS and isinstance(max_steps, int) and 0 < max_steps < num_steps:
            raise HeadstartError(
                f"trainer.max_steps={max_steps}: {name} watches {monitor}, and an epoch has {num_steps} steps; "
                f"give {num_steps} or more"
            )


def _count_epoch_steps(cfg: DictConfig, source: "ImageSource") -> int:
    return -(-count_train_batches(source) // (cfg.trainer.get("accumulate_grad_batches") or 1))


def build_loggers(logger: DictConfig | None) -> "list[Logger]":
    """Builds the loggers of the group ``logger``: one node with a ``_target_``, or several by name.

    Raises:
        HeadstartError: one of them cannot be built, or is no logger.
    """
    nodes = list_logger_nodes(logger)
    if not nodes:
        return []
    from lightning.pytorch.loggers import Logger

    loggers = []
    for key, node in nodes.items():
        with _lock_loggers():
            loggers.append(build_object(node, key))
        if not isinstance(loggers[-1], Logger):
            raise HeadstartError(f"{key}: {node._target_} is no logger of Lightning's; give one that is")
    return loggers


def log_configuration(trainer: "L.Trainer", cfg: DictConfig) -> None:
    """Gives the resolved configuration to each logger."""
    if not trainer.loggers:
        return
    values = json.loads(json.dumps(OmegaConf.to_container(cfg, resolve=True)))  # a logger takes words alone as keys
    with _lock_loggers():
        for logger in trainer.loggers:
            logger.log_hyperparams(values)


def _lock_loggers() -> FileLock:
    """One process at a time: MLflow creates its database and experiment on first use, which fails in two at once."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    return FileLock(cache_dir() / "loggers.lock")


def close_loggers(trainer: "L.Trainer") -> None:
    """Ends the run of Weights & Biases, so that the next one of this process is another; Lightning ends the others."""
    for logger in trainer.loggers:
        finish = getattr(getattr(logger, "experiment", None), "finish", None)
        if callable(finish):
            finish()


def build_trainer(cfg: DictConfig, directory: Path, max_epochs: int, callbacks: "Sequence[Callback]") -> "L.Trainer":
    """Builds Lightning's Trainer, with each key of ``cfg.trainer`` and the loggers of ``cfg.logger``.

    Args:
        cfg: the run's configuration.
        directory: the run directory.
        max_epochs: number of epochs to train.
        callbacks: those of the run and of the configuration, in their order.

    Raises:
        HeadstartError: it would compute in another precision than was asked for, or on several devices.
    """
    from lightning.pytorch.callbacks import ModelSummary, ProgressBar

    defaults = {
        "enable_progress_bar": any(isinstance(callback, ProgressBar) for callback in callbacks),
        "enable_model_summary": any(isinstance(callback, ModelSummary) for callback in callbacks),
        "num_sanity_val_steps": 0,
    }
    options: Any = OmegaConf.to_container(cfg.trainer, resolve=True)
    excluded = {"callbacks", "logger", "default_root_dir", "max_epochs"}
    if options.get("enable_progress_bar") is None:
        options.pop("enable_progress_bar", None)
    trainer = build_object(
        {name: value for name, value in (defaults | options).items() if name not in excluded},
        "trainer",
        max_epochs=max_epochs,
        callbacks=list(callbacks),
        logger=build_loggers(cfg.get("logger")) or False,
        default_root_dir=directory,
    )
    _check_built(trainer, cfg.trainer, max_epochs)
    return trainer


def _check_built(trainer: "L.Trainer", trainer_config: DictConfig, max_epochs: int) -> None:
    if (trainer_config.get("min_epochs") or 0) > max_epochs:
        raise HeadstartError(
            f"trainer.min_epochs={trainer_config.min_epochs}: the run ends after {max_epochs}; give that or fewer"
        )
    if trainer.num_devices * trainer.num_nodes > 1:
        raise HeadstartError(
            f"trainer.devices={trainer_config.devices}: {trainer.num_devices} here; {ONE_DEVICE_HINT}; give 1"
        )
    precision = expand_precision(trainer_config.get("precision"))
    if precision != trainer.precision:
        raise HeadstartError(
            f"trainer.precision={precision}: here Lightning would compute in {trainer.precision}; give that, or another"
        )


def quiet_lightning() -> None:
    """Silences Lightning's reports on the hardware and its warnings; its callbacks and profilers still report."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for name in ("callbacks", "profilers"):
        logging.getLogger(f"lightning.pytorch.{name}").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", module="lightning")
