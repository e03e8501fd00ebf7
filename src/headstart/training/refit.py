"""Trains the arm of a sweep once more, on all labelled images: nothing is held out, and nothing is measured.

**Epochs.** No image is left to choose an epoch by. A refit trains as many epochs as the runs of the arm chose: the
median over them, rounded up, of the chosen epoch's number. Below 20 labels per class that is the last epoch.

**Schedule.** The learning rate follows the schedule of the sweep's runs, as long as theirs, and training ends at the
chosen epoch. The number of an epoch means something on the schedule on which it was chosen alone: the accuracy that
the sweep measured is that of weights that had been trained at just these rates. A schedule that ends at the chosen
epoch would anneal earlier, which no run of the sweep has tried. What differs from the sweep is the images, and with
them the number of steps in an epoch.
"""

import hashlib
import math
import statistics
import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from headstart.config.callback_options import changes_outcome, is_run_callback
from headstart.config.data_module import load_source
from headstart.config.identity import compute_identity
from headstart.config.run_config import load_run_config
from headstart.config.trainer_options import max_epochs_override
from headstart.config.validation import check_outside_images
from headstart.data.catalog import NO_TEST
from headstart.data.image_source import ImageSource
from headstart.errors import HeadstartError
from headstart.files import write_json, write_text
from headstart.models.recipe import epochs_for
from headstart.runs import run_directory
from headstart.runs.lock import lock_run_directory
from headstart.runs.refit_card import RefitCard, read_finished_refit, write_refit_card
from headstart.runs.result import RunResult
from headstart.training.context import RunContext
from headstart.training.trainer import check_callbacks
from headstart.training.trainer_limits import VALIDATION_OPTIONS
from headstart.training.tuning import Trial, best_trial

EPOCH_CHOICE_CALLBACK = "EarlyStopping"  # what it decides, the sweep has decided


@dataclass(frozen=True)
class RefitPlan:
    """What a refit trains.

    Args:
        config: the configuration of a run of the arm, with all images in training and without loggers.
        source: all labelled images.
        identity: SHA-256 of everything that the weights depend on.
        epochs: number of epochs to train.
        schedule_epochs: length of the learning rate's schedule.

    Example:
        >>> plan = plan_refit(run.directory, run.result, epochs=24)  # doctest: +SKIP
        >>> len(plan.source.split.train), plan.schedule_epochs  # doctest: +SKIP
        (1797, 30)
    """

    config: DictConfig
    source: ImageSource
    identity: str
    epochs: int
    schedule_epochs: int


def count_chosen_epochs(results: Sequence[RunResult]) -> int:
    """Computes the median number of epochs up to the chosen one, rounded up."""
    return math.ceil(statistics.median((result.epoch or 0) + 1 for result in results))


def plan_refit(run: Path, result: RunResult, epochs: int, modules: Collection[str] = ()) -> RefitPlan:
    """Plans a refit with the settings of a run: its seed, and what its search found where there was one.

    Args:
        run: the run directory.
        result: its result.
        epochs: number of epochs to train.
        modules: modules of the user's own, see :func:`load_run_config`.

    Raises:
        HeadstartError: the images are not those of the run, its weights or the version of Headstart changed, or an
            option of the arm has no meaning without validation.
    """
    config = load_run_config(run, modules)
    if "test" not in config.data or "validation" not in config.data:
        raise HeadstartError(
            f"data: {config.data._target_} splits its images itself, so that they cannot all train; a refit takes data "
            "modules of an image source (README.md, “A model or data set of your own”)"
        )
    source = load_source(config)
    _check_same_images(run, source)
    if compute_identity(config, source.digest) != result.identity:
        raise HeadstartError(
            f"{run}: its starting weights or the version of Headstart changed since; give the sweep's command again, "
            "then headstart refit"
        )
    if config.trainer.get("max_steps") not in (None, -1):
        raise HeadstartError(
            f"{run}: trainer.max_steps={config.trainer.max_steps}: an epoch of all images has more steps than the "
            "sweep's; compare arms without it"
        )
    model: Any = OmegaConf.to_container(config.model, resolve=True)
    schedule_epochs = max_epochs_override(config) or epochs_for(model["epochs"], source.spec.labels_per_class)
    refit_config = _build_refit_config(config, result, epochs)
    refit_source = _load_whole_source(refit_config)
    check_callbacks(refit_config, [refit_source])
    identity = f"{compute_identity(refit_config, refit_source.digest)} refit, schedule of {schedule_epochs} epochs"
    return RefitPlan(refit_config, refit_source, hashlib.sha256(identity.encode()).hexdigest(), epochs, schedule_epochs)


def train_refit(plan: RefitPlan, directory: Path, card: RefitCard) -> RefitCard:
    """Trains a refit, unless its directory has it; a killed one goes on at its resume point, or anew.

    Args:
        plan: what to train.
        directory: of the refit.
        card: without what the training measures.

    Returns:
        The card of the finished refit.

    Raises:
        HeadstartError: the directory holds something else, or the loss diverges.
    """
    check_outside_images(directory, plan.source)
    with lock_run_directory(directory, plan.identity):
        if finished := read_finished_refit(directory):
            return finished
        write_refit_card(directory, card)  # it marks the folder: from here on, no table takes it for a run
        write_text(directory / run_directory.CONFIG_FILE, OmegaConf.to_yaml(plan.config, resolve=True))
        write_json(directory / run_directory.SPLIT_FILE, plan.source.split.rows())
        card = _fit(plan, directory, card)
        write_refit_card(directory, card)
        run_directory.last_checkpoint_path(directory).unlink(missing_ok=True)
        return card


def _fit(plan: RefitPlan, directory: Path, card: RefitCard) -> RefitCard:
    from headstart.runs.environment import environment_info
    from headstart.training.callbacks import ProgressLine
    from headstart.training.setup import build_training_setup

    started, start_time = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
    title = f"refit of {card.arm}"
    with closing(build_training_setup(plan.config, plan.source, RunContext(directory), plan.identity, title)) as setup:
        setup.model.schedule_epochs = plan.schedule_epochs
        setup.fit()
        for callback in setup.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, ProgressLine):
                callback.write_end("trained on all images")
    seconds = setup.run_checkpoint.seconds_before_resume + time.monotonic() - start_time
    return replace(
        card, status="finished", started=started, seconds=round(seconds, 3), **environment_info(setup.trainer)
    )


def _check_same_images(run: Path, source: ImageSource) -> None:
    """Raises HeadstartError where the run trained, validated and tested on other images than it would now."""
    before, now = (
        Counter((row["sha256"], row["class"], row["part"]) for row in rows)
        for rows in (run_directory.read_split_rows(run), source.split.rows())
    )
    if before != now:
        raise HeadstartError(
            f"{source.name}: images were added, changed, moved or removed since the sweep ({(before - now).total():,} of "
            f"the {before.total():,} are others now); put them back, or give the sweep's command, then headstart refit"
        )


def _build_refit_config(config: DictConfig, result: RunResult, epochs: int) -> DictConfig:
    """The configuration of a run with all images in training, and without what needs images that validate."""
    settings = best_trial([Trial.from_dict(trial) for trial in result.trials]).settings if result.trials else {}
    data = {"test": NO_TEST, "validation": 0, "labels_per_class": None, "folds": None, "fold": 0}
    values: Any = OmegaConf.merge(
        config,
        {"model": settings, "tune": {"trials": 0}, "data": data, "trainer": {"max_epochs": epochs}, "logger": None},
    )
    values.callbacks = {name: node for name, node in (values.get("callbacks") or {}).items() if _is_needed(node)}
    listed = values.trainer.pop("callbacks", None)
    if listed is not None:
        values.trainer.callbacks = [
            node for node in (listed if OmegaConf.is_list(listed) else [listed]) if _is_needed(node)
        ]
    for key in (*VALIDATION_OPTIONS, "min_epochs"):
        values.trainer.pop(key, None)
    return values


def _is_needed(node: Any) -> bool:
    """Whether a refit has a callback: the run's own, and those that change weights. Others show or write something of a
    run, perhaps into the folder of the sweep's run."""
    if node is None:
        return False
    is_choice = str(node._target_).rpartition(".")[2] == EPOCH_CHOICE_CALLBACK
    return is_run_callback(node) or (changes_outcome(node) and not is_choice)


def _load_whole_source(config: DictConfig) -> ImageSource:
    source = load_source(config)
    if len(source.split.val) or len(source.split.test):
        raise HeadstartError(
            f"data: {config.data._target_} holds images out in spite of test=none; a refit takes data modules of an "
            "image source (README.md, “A model or data set of your own”)"
        )
    return source
