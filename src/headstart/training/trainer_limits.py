"""Checks options of the Trainer whose effect depends on the model or the images of a run.

Torch-free, unless a share is given, or an option that a head fitted in one epoch does not take.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.utils import get_class
from omegaconf import DictConfig

from headstart.config.callback_options import list_callback_nodes
from headstart.config.trainer_options import max_epochs_override
from headstart.errors import HeadstartError
from headstart.models.recipe import epochs_for

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource

# Options that need images that validate.
VALIDATION_OPTIONS = ("check_val_every_n_epoch", "limit_val_batches", "num_sanity_val_steps")
# Options that take a share of the batches, and the loaders that they shorten.
SHARE_OPTIONS = {
    "limit_train_batches": ("train",),
    "limit_val_batches": ("val",),
    "limit_test_batches": ("test",),
    "limit_predict_batches": ("predict",),
    "overfit_batches": ("train", "val"),
}
# Of each option of a training by steps the values that change nothing for a head that is fitted at once.
STEP_OPTIONS: dict[str, tuple[Any, ...]] = {
    "accumulate_grad_batches": (None, 1),
    "gradient_clip_val": (None,),
    "max_epochs": (None, 1),
    "max_steps": (None, -1),
    "min_epochs": (None, 1),
}
STEP_CALLBACKS = {"EarlyStopping", "GradientAccumulationScheduler"}


def check_trainer_limits(cfg: DictConfig, sources: "Sequence[ImageSource]") -> None:
    """Checks the options of validation and the shares of batches for each budget, before anything trains.

    Args:
        cfg: the configuration of an arm.
        sources: its images, one source for each budget.

    Raises:
        HeadstartError: an option concerns a validation that never comes, or a share leaves no batch.
    """
    for source in sources:
        if not cfg.get("debug"):
            _check_validation_options(cfg, source)
        # The batches of a DataModule of one's own are not known here. A fast_dev_run ignores shares.
        if cfg.data._target_.startswith("headstart.data.") and not cfg.trainer.get("fast_dev_run"):
            _check_shares(cfg, source)


def check_step_options(cfg: DictConfig) -> None:
    """Checks that a head that is fitted at once gets no option of a training by steps, before anything trains.

    In a debug run the number of epochs may be any: ``debug=limit`` trains each model for three.

    Args:
        cfg: the configuration of an arm, with the choices of its ``hydra`` node.

    Raises:
        HeadstartError: an option of the Trainer, or a callback, would have no effect.
    """
    given = {
        f"trainer.{key}": f"={cfg.trainer[key]}"
        for key, harmless in STEP_OPTIONS.items()
        if cfg.trainer.get(key) not in harmless and not (key == "max_epochs" and cfg.get("debug"))
    }
    nodes = list_callback_nodes(cfg)
    given |= {key: "" for key, node in nodes.items() if node._target_.rpartition(".")[2] in STEP_CALLBACKS}
    # The number of epochs tells most models apart without importing their class, and with it torch.
    if given and cfg.model.epochs == 1 and _is_fitted_at_once(cfg.model._target_):
        key, value = next(iter(given.items()))
        model = cfg.hydra.runtime.choices.model
        raise HeadstartError(f"{key}{value}: model={model} is fitted at once, in one epoch; leave one of them out")


def count_train_batches(source: "ImageSource") -> int:
    """Counts the batches of an epoch; a last batch of one image joins the one before."""
    full, rest = divmod(len(source.split.train), source.batch_size)
    return max(full + (rest > 1), 1)


def _is_fitted_at_once(target: str) -> bool:
    from headstart.models.probes.fitted_head import FittedHead

    try:
        return issubclass(get_class(target), FittedHead)
    except Exception:  # the run says in one line that there is no such class
        return False


def _check_validation_options(cfg: DictConfig, source: "ImageSource") -> None:
    if not len(source.split.val):
        for key in VALIDATION_OPTIONS:
            if cfg.trainer.get(key) is not None:
                raise HeadstartError(f"trainer.{key}={cfg.trainer[key]}: no image validates in this run; leave it out")
        return
    every = cfg.trainer.get("check_val_every_n_epoch")
    epochs = max_epochs_override(cfg) or epochs_for(cfg.model.epochs, source.spec.labels_per_class)
    if isinstance(every, int) and every > epochs:
        raise HeadstartError(
            f"trainer.check_val_every_n_epoch={every}: the run ends after {epochs}, and no epoch would be validated; "
            "give that or fewer, or data.validation=0"
        )


def _check_shares(cfg: DictConfig, source: "ImageSource") -> None:
    for key, loaders in SHARE_OPTIONS.items():
        share = cfg.trainer.get(key)
        if not isinstance(share, float):
            continue
        for loader in loaders:
            count = _count_batches(source, loader)
            if count and not int(count * share):
                raise HeadstartError(
                    f"trainer.{key}={share}: of {count} {loader} batch{'es' if count > 1 else ''} that is none; "
                    "give a greater share or a number of batches"
                )


def _count_batches(source: "ImageSource", loader: str) -> int:
    from headstart.data.datamodule import EVAL_BATCH_SIZE

    if loader == "train":
        return count_train_batches(source)
    parts = {"val": source.split.val, "test": source.split.test, "predict": source.split.train}
    return -(-len(parts[loader]) // EVAL_BATCH_SIZE)
