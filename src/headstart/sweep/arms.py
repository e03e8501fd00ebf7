"""Composes the arms of a sweep: one configuration for each combination of swept settings and data. Torch-free."""

from dataclasses import dataclass
from itertools import product
from typing import Any

from omegaconf import DictConfig, OmegaConf

from headstart.compare.declaration import Comparison, declared_values, sweep_limits
from headstart.config.auto_settings import AutoChoice, check_given_fold, choose_auto_settings
from headstart.config.compose import ComposedCommand, compose_with
from headstart.config.fold_choice import FOLD_KEY
from headstart.config.trainer_options import max_epochs_override
from headstart.config.validation import check_config
from headstart.errors import HeadstartError
from headstart.models.recipe import epochs_for
from headstart.training import tuning
from headstart.training.trainer_limits import check_step_options

BUDGET_KEY = "data.labels_per_class"
WITHIN_ARM_KEYS = {"seed", BUDGET_KEY, FOLD_KEY}  # what runs of one arm differ by


@dataclass(frozen=True)
class SweepArm:
    """An arm on one data set.

    Args:
        choices: its values of the swept keys, seeds, budgets and folds left out.
        config: its configuration, with the first seed and budget.
        auto: what ``auto`` stands for in it.

    Example:
        >>> [arm.choices for arm in compose_arms(command)]  # doctest: +SKIP
        [('frozen',), ('finetune',)]
    """

    choices: tuple[str, ...]
    config: DictConfig
    auto: AutoChoice


def compose_arms(command: ComposedCommand) -> list[SweepArm]:
    """The arms of a sweep, each on each data set.

    Raises:
        HeadstartError: a choice that makes no sense.
    """
    check_given_fold(command)
    axes = {key: choices for key, choices in command.sweeps.items() if key not in WITHIN_ARM_KEYS}
    # A model chooses neither images nor backbone: what auto stands for is the same for the models of a data set.
    autos: dict[tuple[str, ...], AutoChoice] = {}
    arms: list[SweepArm] = []
    for choices in product(*axes.values()):
        values = dict(zip(axes, choices, strict=True))
        shared = tuple(choice for key, choice in values.items() if key.partition(".")[0] != "model")
        if shared not in autos:  # the configuration of the command is that of the first arm
            autos[shared] = choose_auto_settings(_compose_arm(command, values, {}) if arms else command.config)
        auto = autos[shared]
        arm = _compose_arm(command, values, auto.overrides_for(command.config.seed))
        check_config(arm, command.overrides)
        check_settings(arm)
        arms.append(SweepArm(choices, arm, auto.restrict_to(arm)))
    return arms


def list_auto_reasons(arms: list[SweepArm]) -> tuple[str, ...]:
    """The lines about ``auto``, each once, and none that is a part of another."""
    choices = [arm.auto for arm in arms]
    whole = [choice for choice in choices if not any(choice.is_part_of(other) for other in choices)]
    reasons = [choice.reason for choice in whole] + [choice.folds.reason for choice in choices if choice.folds]
    return tuple(dict.fromkeys(filter(None, reasons)))


def _compose_arm(command: ComposedCommand, choices: dict[str, str], auto: dict[str, str]) -> DictConfig:
    try:
        config = compose_with(command, choices | auto)
    except HeadstartError as error:
        arm = ", ".join(f"{key}={choice}" for key, choice in choices.items())
        raise HeadstartError(f"with {arm}: {error}") from error
    # Hydra's own settings are most of the configuration, and each run would copy them.
    chosen = {"hydra": {"runtime": {"choices": config.hydra.runtime.choices}}}
    return OmegaConf.merge(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]), chosen)  # type: ignore[return-value]


def check_settings(config: DictConfig) -> None:
    """Raises HeadstartError for settings that make no sense, as far as that shows without the images."""
    compare: Any = OmegaConf.to_container(config.compare)
    Comparison(**declared_values(compare))
    sweep_limits(compare)
    max_epochs_override(config)
    epochs_for(config.model.epochs, 1)
    check_step_options(config)
    tuning.check_tuning(config)
