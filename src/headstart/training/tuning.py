"""Searches the settings of a run: a number of trials, scored on its validation images. It reads no test image."""

import json
import math
import shutil
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from headstart.config.identity import tuned_settings
from headstart.errors import DivergedError, HeadstartError
from headstart.files import copy_atomically, write_json
from headstart.runs import run_directory
from headstart.seeding import derive_key

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource
    from headstart.training.context import RunContext
    from headstart.training.setup import TrainingSetup

NUM_STARTUP_TRIALS = 4  # random trials before the sampler uses the scores


@dataclass(frozen=True)
class Trial:
    """A training with some settings and its score on the validation images.

    Args:
        settings: of the model, by argument; empty for the defaults.
        accuracy: on the validation images; None where the trial diverged.
        log_loss: on the validation images (nats); None where the trial diverged.
        epoch: the chosen epoch, from 0; None where the trial diverged.
        seconds: duration of the training (s).
        rows: its rows of ``metrics.csv``.
        diverged: why it diverged; None where it did not.
    """

    settings: dict[str, float]
    accuracy: float | None
    log_loss: float | None
    epoch: int | None
    seconds: float
    rows: list[dict[str, float]] = field(default_factory=list)
    diverged: str | None = None

    @classmethod
    def from_setup(cls, setup: "TrainingSetup", settings: dict[str, float]) -> "Trial":
        """Summarizes a fitted setup."""
        import torch

        run_checkpoint = setup.run_checkpoint
        best = run_directory.best_checkpoint_path(run_checkpoint.directory)
        epoch = torch.load(best, weights_only=True)["epoch"]
        row = next(row for row in run_checkpoint.rows if row["epoch"] == epoch)
        scores = row["val/accuracy"], row["val/log_loss"]
        return cls(settings, *scores, epoch, round(run_checkpoint.seconds, 3), run_checkpoint.rows)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Trial":
        """Reads a trial of ``trials.json``."""
        names = {"val/accuracy": "accuracy", "val/log_loss": "log_loss"}
        return cls(**{names.get(key, key): value for key, value in values.items()})

    def to_dict(self, with_rows: bool = True) -> dict[str, Any]:
        """The keys of ``trials.json``, or those of ``result.json``, which has no rows."""
        return {
            "settings": self.settings,
            "val/accuracy": self.accuracy,
            "val/log_loss": self.log_loss,
            "epoch": self.epoch,
            "seconds": self.seconds,
            **({"rows": self.rows} if with_rows else {}),
            **({"diverged": self.diverged} if self.diverged else {}),
        }

    @property
    def score(self) -> tuple[float, float]:
        """Accuracy, then the negative log loss; a trial that diverged is below any other."""
        if self.accuracy is None or self.log_loss is None:
            return -1.0, -math.inf
        return self.accuracy, -self.log_loss if math.isfinite(self.log_loss) else -math.inf


def check_tuning(cfg: DictConfig) -> None:
    """Checks the keys of ``cfg.tune``.

    Raises:
        HeadstartError: a value makes no sense, or Optuna is not installed.
    """
    trials = cfg.tune.trials
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 0:
        raise HeadstartError(f"tune.trials={trials}: give a whole number, 0 for no search")
    if not trials:
        return
    if not find_spec("optuna"):
        raise HeadstartError("the search for settings needs Optuna: pip install headstart[tuned]")
    if not isinstance(cfg.tune.space, DictConfig):
        raise HeadstartError(f"tune.space={cfg.tune.space!r}: give a table such as {{lr: [1e-4, 1e-2]}}")
    space = tuned_settings(cfg)
    if not space:
        raise HeadstartError(f"tune.space: none of {', '.join(cfg.tune.space)} is an argument of {cfg.model._target_}")
    for name, ends in space.items():
        is_pair = isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends)
        if not is_pair or not 0 < ends[0] < ends[1]:
            raise HeadstartError(f"tune.space.{name}={ends}: give two numbers above 0, the smaller first")


def require_validation_split(source: "ImageSource") -> None:
    """Raises HeadstartError where no image validates: then no setting can be chosen."""
    if len(source.split.val):
        return
    if reason := source.split.no_validation:
        raise HeadstartError(f"data.group: {reason}, so that no setting can be chosen; give experiment=compare")
    raise HeadstartError(
        f"data.labels_per_class={source.labels_per_class}: nothing validates at this budget, so that no setting can be "
        "chosen; give 20 or more, or experiment=compare"
    )


def tune(cfg: DictConfig, source: "ImageSource", context: "RunContext", identity: str, title: str) -> "TrainingSetup":
    """Trains with the settings of each trial and returns the best one; the first trial has the defaults.

    An interrupted search continues after its last complete trial and ends with the same settings: those of a trial
    depend on the seed and on the trials before it alone.

    Args:
        cfg: the run's configuration. ``cfg.tune.space`` has the ends of each searched argument of the model, which are
            sampled on a logarithmic scale.
        source: the images.
        context: the run directory, and what the sweep gives the run.
        identity: the run's identity.
        title: name of the run, for the progress line.

    Returns:
        The setup of the best trial, with its rows; its chosen epoch is in the run's ``best.ckpt``.

    Raises:
        HeadstartError: nothing validates at this budget, or every trial diverged.
    """
    from headstart.training.setup import build_training_setup

    require_validation_split(source)
    directory = context.directory
    trials = _read_trials(directory)
    seconds_before = sum(trial.seconds for trial in trials)
    while len(trials) < cfg.tune.trials:
        settings = _suggest_settings(cfg, trials)
        folder = directory / run_directory.TRIAL_FOLDER / str(len(trials))
        (folder / run_directory.CHECKPOINT_FOLDER).mkdir(parents=True, exist_ok=True)
        setup = build_training_setup(
            _merge_model_settings(cfg, settings),
            source,
            replace(context, directory=folder),
            f"{identity} trial {len(trials)}",
            f"{title}, trial {len(trials) + 1}/{cfg.tune.trials}",
        )
        with closing(setup):
            try:
                setup.fit()
                seconds_before += setup.run_checkpoint.seconds_before_resume
                trials.append(Trial.from_setup(setup, settings))
            except DivergedError as error:
                seconds, rows = setup.run_checkpoint.elapsed_seconds(), setup.run_checkpoint.rows
                trials.append(Trial(settings, None, None, None, round(seconds, 3), rows, str(error)))
        if trials[-1] is best_trial(trials) and not trials[-1].diverged:
            copy_atomically(run_directory.best_checkpoint_path(folder), run_directory.best_checkpoint_path(directory))
        write_json(directory / run_directory.TRIALS_FILE, [trial.to_dict() for trial in trials])
        shutil.rmtree(folder)
    shutil.rmtree(directory / run_directory.TRIAL_FOLDER, ignore_errors=True)
    best = best_trial(trials)
    if best.diverged:
        raise HeadstartError(
            f"{title.removeprefix(context.position)}: all {len(trials)} trials diverged ({best.diverged}); "
            "give tune.space lower rates"
        )
    best_cfg = _merge_model_settings(cfg, best.settings)
    setup = build_training_setup(best_cfg, source, replace(context, seconds_left=None), identity, title)
    run_checkpoint = setup.run_checkpoint
    run_checkpoint.rows = best.rows
    run_checkpoint.seconds_before_resume = seconds_before
    run_checkpoint.seconds = sum(trial.seconds for trial in trials)
    run_checkpoint.trials = [trial.to_dict(with_rows=False) for trial in trials]
    run_checkpoint.write_metrics()
    return setup


def best_trial(trials: list[Trial]) -> Trial:
    """The trial of the highest accuracy on validation images; of equals that of the lowest log loss."""
    return max(trials, key=lambda trial: trial.score)


def _read_trials(directory: Path) -> list[Trial]:
    try:
        values = json.loads((directory / run_directory.TRIALS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [Trial.from_dict(trial) for trial in values]


def _merge_model_settings(cfg: DictConfig, settings: dict[str, float]) -> DictConfig:
    return OmegaConf.merge(cfg, {"model": settings})  # type: ignore[return-value]


def _suggest_settings(cfg: DictConfig, trials: list[Trial]) -> dict[str, float]:
    """Suggests the settings of the next trial. Its sampler has its own random stream and gets the trials before it."""
    if not trials:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space: dict[str, Any] = {
        name: optuna.distributions.FloatDistribution(low, high, log=True)
        for name, (low, high) in tuned_settings(cfg).items()
    }
    sampler = optuna.samplers.TPESampler(
        seed=derive_key(cfg.seed, "tune", len(trials)) % 2**32, n_startup_trials=NUM_STARTUP_TRIALS
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for trial in trials:
        if trial.settings:
            accuracy, negative_log_loss = trial.score  # the log loss decides between trials of one accuracy
            value = accuracy + 1e-3 * max(negative_log_loss, -10.0)
            study.add_trial(optuna.trial.create_trial(params=trial.settings, distributions=space, value=value))
    return {name: float(f"{value:.4g}") for name, value in study.ask(space).params.items()}
