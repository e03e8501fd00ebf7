"""What ``trainer.KEY`` may ask of Lightning's Trainer: it takes effect, or one line says where to say it."""

import inspect
import logging
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from headstart.config.compose import format_suggestions
from headstart.config.instantiation import build_object
from headstart.errors import HeadstartError

VALIDATION_METRICS = ("val/accuracy", "val/balanced_accuracy", "val/log_loss", "val/macro_f1")
TRAINING_METRICS = ("train/loss",)

ONE_DEVICE_HINT = "a run trains on one device, and a sweep trains several runs at once"
SMALL_RUN_HINT = (
    "a run reads all of its images; to try something out, give trainer.max_epochs=1 data.labels_per_class=5"
)
# Of each key the values that change nothing here, and what to do instead of any other value.
REFUSED_TRAINER_OPTIONS: dict[str, tuple[tuple[Any, ...], str]] = {
    "enable_autolog_hparams": ((True,), "a logger gets no hyperparameters here; leave it out"),
    "model_registry": ((None,), "no registry is asked here; leave it out"),
    "barebones": ((False,), "the comparison needs the metrics that it switches off; leave it out"),
    "default_root_dir": ((None,), "name a run's folder by hydra.run.dir=PATH, a sweep's by hydra.sweep.dir=PATH"),
    "enable_checkpointing": ((None, True), "a run is tested and resumed from its checkpoints; leave it out"),
    "fast_dev_run": ((False, 0), SMALL_RUN_HINT),
    "limit_predict_batches": ((None, 1.0), SMALL_RUN_HINT),
    "limit_test_batches": ((None, 1.0), SMALL_RUN_HINT),
    "logger": ((None, False), "name loggers by their group: logger=tensorboard, or +logger.NAME._target_=CLASS"),
    "max_time": ((None,), "the result would depend on the machine's speed; give trainer.max_epochs"),
    "min_steps": ((None,), "a run ends after its epochs; give trainer.max_epochs"),
    "num_nodes": ((1,), ONE_DEVICE_HINT),
    "overfit_batches": ((0, 0.0), SMALL_RUN_HINT),
    "strategy": (("auto", "single_device"), ONE_DEVICE_HINT),
    "sync_batchnorm": ((False,), ONE_DEVICE_HINT),
}
AVERAGING_HINT = "the chosen epoch is tested without its averaged weights; leave it out"
SEARCH_HINT = "the rate or size in use would not be the one recorded; give model.lr or data.batch_size"
RECIPE_HINT = "a model trains by its own recipe; choose another by model="
REFUSED_CALLBACKS = {
    "BackboneFinetuning": RECIPE_HINT,
    "BasePredictionWriter": "predictions are in predictions.parquet; leave it out",
    "BatchSizeFinder": SEARCH_HINT,
    "LearningRateFinder": SEARCH_HINT,
    "ModelPruning": RECIPE_HINT,
    "StochasticWeightAveraging": AVERAGING_HINT,
    "Timer": REFUSED_TRAINER_OPTIONS["max_time"][1],
    "WeightAveraging": AVERAGING_HINT,
}
LOGGER_CALLBACKS = ("DeviceStatsMonitor", "LearningRateMonitor")
CONVERTING_PRECISIONS = ("16-true", "bf16-true", "64-true")  # precisions that the models do not take
AT_LEAST_ONE_HINT = "give 1 or more"
NONZERO_OPTIONS = {
    "accumulate_grad_batches": AT_LEAST_ONE_HINT,
    "check_val_every_n_epoch": AT_LEAST_ONE_HINT,
    "gradient_clip_val": "it would clip nothing; give a number above 0, or leave it out",
    "val_check_interval": AT_LEAST_ONE_HINT,
    "limit_train_batches": "without batches nothing trains; give a share or a number of batches",
    "limit_val_batches": "to train without validation, give data.validation=0",
    "max_steps": "without a step nothing trains; give 1 or more, or -1 for no limit",
}


def check_trainer_options(trainer: DictConfig) -> None:
    """Checks the keys of ``cfg.trainer``; loads Lightning only where there are more than those of conf/trainer.

    Raises:
        HeadstartError: a key that the Trainer does not take, or a value that could take no effect.
    """
    options = OmegaConf.to_container(trainer, resolve=True)
    assert isinstance(options, dict)
    for key, value in ((str(key), value) for key, value in options.items()):
        harmless, mend = REFUSED_TRAINER_OPTIONS.get(key, ((value,), ""))
        if not any(type(value) is type(one) and value == one for one in harmless):
            raise HeadstartError(f"trainer.{key}={value}: {mend}")
        if key in NONZERO_OPTIONS and value == 0 and not isinstance(value, bool):
            raise HeadstartError(f"trainer.{key}={value}: {NONZERO_OPTIONS[key]}")
    if _expand_precision(options.get("precision")) in CONVERTING_PRECISIONS:
        raise HeadstartError(
            f"trainer.precision={options['precision']}: it converts the weights themselves; give 32-true, "
            "bf16-mixed or 16-mixed"
        )
    devices = options.get("devices", 1)
    if not (devices in (1, "1", "auto") or (isinstance(devices, list) and len(devices) == 1)):
        raise HeadstartError(f"trainer.devices={devices}: {ONE_DEVICE_HINT}; give 1")
    interval = options.get("val_check_interval")
    if not (interval is None or isinstance(interval, int | float)):
        raise HeadstartError(f"trainer.val_check_interval={interval}: give batches, or a share of an epoch, not a time")
    if options.get("gradient_clip_algorithm") and not options.get("gradient_clip_val"):
        raise HeadstartError("trainer.gradient_clip_algorithm: nothing is clipped; add +trainer.gradient_clip_val=1.0")
    if further := set(options) - {"_target_", "max_epochs", "accelerator", "devices", "precision"}:
        _check_trainer_arguments(options, sorted(map(str, further)))


def _check_trainer_arguments(options: dict[Any, Any], keys: Sequence[str]) -> None:
    accepted = list(inspect.signature(get_class(options["_target_"])).parameters)
    for key in keys:
        if key not in accepted:
            near = format_suggestions([f"trainer.{name}" for name in get_close_matches(key, accepted, n=1)])
            raise HeadstartError(f"no key 'trainer.{key}': Lightning's Trainer takes no such argument{near}")


def build_callbacks(trainer: DictConfig) -> list[Any]:
    """The callbacks of ``+trainer.callbacks=[{_target_: CLASS, ...}]``.

    Raises:
        HeadstartError: one of them cannot be built, or is no callback.
    """
    from lightning.pytorch.callbacks import Callback, ModelCheckpoint

    nodes = trainer.get("callbacks")
    if nodes is None:
        return []
    listed = nodes if OmegaConf.is_list(nodes) else [nodes]
    callbacks = []
    for node in listed:
        if not (OmegaConf.is_dict(node) and "_target_" in node):
            raise HeadstartError(f"trainer.callbacks: {node} names no class; give [{{_target_: CLASS, ...}}]")
        callbacks.append(build_object(node, "trainer.callbacks"))
        if not isinstance(callbacks[-1], Callback):
            raise HeadstartError(f"trainer.callbacks: {node._target_} is no callback of Lightning's; give one that is")
        names = {cls.__name__ for cls in type(callbacks[-1]).__mro__}
        for name in names & REFUSED_CALLBACKS.keys():
            raise HeadstartError(f"trainer.callbacks: {name}: {REFUSED_CALLBACKS[name]}")
        if isinstance(callbacks[-1], ModelCheckpoint) and callbacks[-1].dirpath is None:
            raise HeadstartError(
                "trainer.callbacks: ModelCheckpoint would write among the run's own checkpoints; give it dirpath: PATH"
            )
    return callbacks


def list_logger_nodes(logger: DictConfig | None) -> dict[str, Any]:
    """The node of each logger by its key: of the group itself, or of the several that it names.

    Raises:
        HeadstartError: one of them names no class.
    """
    if not logger:
        return {}
    nodes: dict[str, Any] = {"logger": logger}
    if "_target_" not in logger:
        nodes = {f"logger.{name!s}": node for name, node in logger.items()}
    for key, node in nodes.items():
        if not (OmegaConf.is_dict(node) and "_target_" in node):
            raise HeadstartError(f"{key}: names no class; give +{key}._target_=CLASS")
    return nodes


def build_loggers(logger: DictConfig | None) -> list[Any]:
    """The loggers of the group ``logger``: one node with a ``_target_``, or several by name.

    Raises:
        HeadstartError: one of them cannot be built, or is no logger.
    """
    nodes = list_logger_nodes(logger)
    if not nodes:
        return []
    from lightning.pytorch.loggers import Logger

    loggers = []
    for key, node in nodes.items():
        loggers.append(build_object(node, key))
        if not isinstance(loggers[-1], Logger):
            raise HeadstartError(f"{key}: {node._target_} is no logger of Lightning's; give one that is")
    return loggers


def build_trainer(cfg: DictConfig, directory: Path, max_epochs: int, callbacks: Sequence[Any]) -> Any:
    """Lightning's Trainer, with every key of ``cfg.trainer`` and the loggers of ``cfg.logger``.

    Args:
        cfg: the run's.
        directory: the run's.
        epochs: how many it trains.
        callbacks: ours and a person's, in their order.

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
    ours = {"callbacks", "logger", "default_root_dir", "max_epochs"}
    trainer = build_object(
        {name: value for name, value in (defaults | options).items() if name not in ours},
        "trainer",
        max_epochs=max_epochs,
        callbacks=list(callbacks),
        logger=build_loggers(cfg.get("logger")) or False,
        default_root_dir=directory,
    )
    _check_built(trainer, cfg.trainer, max_epochs)
    return trainer


def _check_built(trainer: Any, trainer_config: DictConfig, epochs: int) -> None:
    if (trainer_config.get("min_epochs") or 0) > epochs:
        raise HeadstartError(
            f"trainer.min_epochs={trainer_config.min_epochs}: the run ends after {epochs}; give that or fewer"
        )
    if trainer.num_devices * trainer.num_nodes > 1:
        raise HeadstartError(
            f"trainer.devices={trainer_config.devices}: {trainer.num_devices} here; {ONE_DEVICE_HINT}; give 1"
        )
    precision = _expand_precision(trainer_config.get("precision"))
    if precision != trainer.precision:
        raise HeadstartError(
            f"trainer.precision={precision}: here Lightning would compute in {trainer.precision}; give that, or another"
        )


def _expand_precision(precision: Any) -> str:
    """What Lightning makes of a short name, such as ``bf16`` or 32."""
    short = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true", "None": "32-true"}
    return short.get(str(precision), str(precision))


def quiet_lightning() -> None:
    """Silences what Lightning says on every run of what it found: our own line says what matters. Its callbacks and
    profilers speak still, since they do so only where a person asked for them."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for name in ("callbacks", "profilers"):
        logging.getLogger(f"lightning.pytorch.{name}").setLevel(logging.INFO)
    warnings.filterwarnings("ignore", module="lightning")


def check_monitors(cfg: DictConfig, callbacks: Sequence[Any], has_validation: bool) -> None:
    """Checks that each callback watches a metric that the run logs: Lightning would wait for another in silence.

    Args:
        cfg: the run's.
        callbacks: a person's.
        validates: whether any image validates.

    Raises:
        HeadstartError: a callback's ``monitor`` is not logged, or it needs a logger, or there is an option for a
            validation that never comes.
    """
    for key in () if has_validation else ("check_val_every_n_epoch", "limit_val_batches", "val_check_interval"):
        if cfg.trainer.get(key) is not None:
            raise HeadstartError(f"trainer.{key}={cfg.trainer[key]}: no image validates in this run; leave it out")
    logged = sorted([*TRAINING_METRICS, *(VALIDATION_METRICS if has_validation else ())])
    for callback in callbacks:
        if type(callback).__name__ in LOGGER_CALLBACKS and not cfg.get("logger"):
            raise HeadstartError(
                f"trainer.callbacks: {type(callback).__name__} writes to a logger, and there is none; add "
                "+logger.csv._target_=lightning.pytorch.loggers.CSVLogger +logger.csv.save_dir=PATH"
            )
        monitor = getattr(callback, "monitor", None)
        if monitor is not None and monitor not in logged:
            why = "" if has_validation else "; no image validates below 20 labels per class or with data.validation=0"
            raise HeadstartError(
                f"trainer.callbacks: {type(callback).__name__} watches {monitor}, which this run does not log "
                f"(it logs {', '.join(logged)}{why})"
            )
