"""Checks ``cfg.trainer``: each key reaches Lightning's Trainer or is refused in one line. Torch-free."""

from collections.abc import Sequence
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from headstart.config.callback_options import TIME_HINT
from headstart.config.suggestions import suggest_closest
from headstart.constructors import constructor_arguments
from headstart.errors import HeadstartError, hint_at_text

ONE_DEVICE_HINT = "a run trains on one device, and a sweep trains several runs at once"
# Of each key the values that change nothing here, and what to do instead of any other value.
REFUSED_TRAINER_OPTIONS: dict[str, tuple[tuple[Any, ...], str]] = {
    "enable_autolog_hparams": ((True,), "loggers get the configuration; for none, give logger=none"),
    "model_registry": ((None,), "no registry is asked here; leave it out"),
    "barebones": ((False,), "the comparison needs the metrics that it switches off; leave it out"),
    "default_root_dir": ((None,), "name a run's folder by hydra.run.dir=PATH, a sweep's by hydra.sweep.dir=PATH"),
    "enable_checkpointing": ((None, True), "a run is tested and resumed from its checkpoints; leave it out"),
    "logger": ((None,), "loggers are named by their group: logger=csv, or none by logger=none; leave it out"),
    "max_time": ((None,), TIME_HINT),
    "min_steps": ((None,), "a run ends after its epochs; give trainer.max_epochs"),
    "num_nodes": ((1,), ONE_DEVICE_HINT),
    "strategy": (("auto", "single_device"), ONE_DEVICE_HINT),
    "sync_batchnorm": ((False,), ONE_DEVICE_HINT),
    "val_check_interval": (
        (None, 1.0),
        "a run validates at the end of an epoch; give +trainer.check_val_every_n_epoch",
    ),
}
# Of each key the values with which a run reads all of its images; with any other it counts in no verdict.
WHOLE_RUN_OPTIONS: dict[str, tuple[Any, ...]] = {
    "fast_dev_run": (False, 0, None),
    "overfit_batches": (0, 0.0, None),
    "limit_train_batches": (None, 1.0),
    "limit_val_batches": (None, 1.0),
    "limit_test_batches": (None, 1.0),
    "limit_predict_batches": (None, 1.0),
}
DEFAULT_TRAINER_KEYS = {"_target_", "max_epochs", "accelerator", "devices", "precision", "enable_progress_bar"}
CONVERTING_PRECISIONS = ("16-true", "bf16-true", "64-true")  # precisions that the models do not take
AT_LEAST_ONE_HINT = "give 1 or more"
NONZERO_OPTIONS = {
    "accumulate_grad_batches": AT_LEAST_ONE_HINT,
    "check_val_every_n_epoch": AT_LEAST_ONE_HINT,
    "gradient_clip_val": "it would clip nothing; give a number above 0, or leave it out",
    "limit_train_batches": "without batches nothing trains; give a share or a number of batches",
    "limit_val_batches": "to train without validation, give data.validation=0",
    "limit_test_batches": "a run ends with its test; give a share or a number of batches",
    "limit_predict_batches": "a run predicts its training images; give a share or a number of batches",
    "max_steps": "without a step nothing trains; give 1 or more, or -1 for no limit",
}


def check_trainer_options(trainer: DictConfig) -> None:
    """Checks the keys of ``cfg.trainer``; imports Lightning only for a key that conf/trainer lacks.

    Raises:
        HeadstartError: a key that the Trainer does not take, or a value that could take no effect.
    """
    options = OmegaConf.to_container(trainer, resolve=True)
    assert isinstance(options, dict)
    for key, value in ((str(key), value) for key, value in options.items()):
        harmless, remedy = REFUSED_TRAINER_OPTIONS.get(key, ((value,), ""))
        if not _is_one_of(value, harmless):
            raise HeadstartError(f"trainer.{key}={value}: {remedy}")
        if key in NONZERO_OPTIONS and value == 0 and not isinstance(value, bool):
            raise HeadstartError(f"trainer.{key}={value}: {NONZERO_OPTIONS[key]}")
    if expand_precision(options.get("precision")) in CONVERTING_PRECISIONS:
        raise HeadstartError(
            f"trainer.precision={options['precision']}: it converts the weights themselves; give 32-true, "
            "bf16-mixed or 16-mixed"
        )
    if not is_single_device(options.get("devices", 1)):
        raise HeadstartError(f"trainer.devices={options['devices']}: {ONE_DEVICE_HINT}; give 1")
    if options.get("gradient_clip_algorithm") and not options.get("gradient_clip_val"):
        raise HeadstartError("trainer.gradient_clip_algorithm: nothing is clipped; add +trainer.gradient_clip_val=1.0")
    if further := set(options) - DEFAULT_TRAINER_KEYS:
        _check_trainer_arguments(options, sorted(map(str, further)))


def is_single_device(devices: Any) -> bool:
    """Whether ``trainer.devices`` names one device."""
    return devices in (1, "1", "auto") or (isinstance(devices, list) and len(devices) == 1)


def find_debug_reason(cfg: DictConfig) -> str | None:
    """Finds why a run counts in no verdict, such as ``trainer.fast_dev_run=True``; None for a real run."""
    for key, values in WHOLE_RUN_OPTIONS.items():
        value = cfg.trainer.get(key)
        if not _is_one_of(value, values):
            return f"trainer.{key}={value}"
    return f"debug={cfg.debug}" if cfg.get("debug") else None


def expand_precision(precision: Any) -> str:
    """Expands a short name as Lightning does, such as ``bf16`` or 32."""
    short = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true", "None": "32-true"}
    return short.get(str(precision), str(precision))


def _is_one_of(value: Any, values: Sequence[Any]) -> bool:
    """Whether a value is among others of its own type: 1 is no True, and one batch is no 1.0, which means all."""
    return any(type(value) is type(one) and value == one for one in values)


def _check_trainer_arguments(options: dict[Any, Any], keys: Sequence[str]) -> None:
    accepted = constructor_arguments(get_class(options["_target_"]))
    if accepted is None:
        return
    for key in keys:
        if key not in accepted:
            near = suggest_closest(key, accepted, prefix="trainer.")
            raise HeadstartError(f"no key 'trainer.{key}': Lightning's Trainer takes no such argument{near}")


def max_epochs_override(cfg: DictConfig) -> int | None:
    """``trainer.max_epochs`` of the configuration; None: the model's own number of epochs.

    Raises:
        HeadstartError: it is no number of epochs.
    """
    epochs = cfg.trainer.max_epochs
    if epochs is None or (isinstance(epochs, int) and not isinstance(epochs, bool) and epochs >= 1):
        return epochs
    raise HeadstartError(
        f"trainer.max_epochs={epochs}: give a whole number of 1 or more, or null for the model's own"
        f"{hint_at_text(epochs)}"
    )
