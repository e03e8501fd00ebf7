"""The search for a run's settings: so many trials, scored on its own validation images; no test image is read."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
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
    from headstart.train import TrainingSetup
    from headstart.training.context import RunContext

NUM_STARTUP_TRIALS = 4  # trials before the sampler begins to learn from those it has seen

Trial = dict[str, Any]


def check_tuning(cfg: DictConfig) -> None:
    """Whether what ``cfg.tune`` asks for can be searched.

    Raises:
        HeadstartError: it cannot, or Optuna is not installed.
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
        two = isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends)
        if not two or not 0 < ends[0] < ends[1]:
            raise HeadstartError(f"tune.space.{name}={ends}: give two numbers above 0, the smaller first")


def require_validation_split(source: "ImageSource") -> None:
    """Raises HeadstartError where no image validates, so that no setting can be chosen."""
    if not len(source.split.val):
        raise HeadstartError(
            f"data.labels_per_class={source.labels_per_class}: nothing validates at this budget, so that no setting "
            "can be chosen; give 20 or more, or experiment=compare"
        )


def tune(
    cfg: DictConfig,
    source: "ImageSource",
    directory: Path,
    identity: str,
    title: str,
    context: "RunContext",
    build_setup: Callable[..., "TrainingSetup"],
) -> "TrainingSetup":
    """Trains with each trial's settings and keeps the best, the defaults being the first trial.

    A search that was interrupted goes on after its last whole trial, to the same settings: what a trial tries
    depends on the seed and on the trials before it alone.

    Args:
        cfg: the run's; ``cfg.tune.trials`` and ``cfg.tune.space`` (``{argument of the model: [low, high]}``, searched
            on a logarithmic scale; those that the model has count).
        source: the images.
        directory: the run's.
        identity: the run's.
        title: for the progress line.
        how: likewise.
        prepare: gives a model and its trainer for a configuration (``train.prepared``).

    Returns:
        The best trial, prepared and with its rows, its chosen epoch in the run's ``best.ckpt``.

    Raises:
        HeadstartError: nothing validates at this budget, or every trial diverged.
    """
    require_validation_split(source)
    trials = _read_trials(directory)
    seconds_before = sum(trial["seconds"] for trial in trials)
    while len(trials) < cfg.tune.trials:
        settings = _suggest_settings(cfg, trials)
        place = directory / run_directory.TRIAL_FOLDER / str(len(trials))
        word = f"{title}, trial {len(trials) + 1}/{cfg.tune.trials}"
        (place / run_directory.CHECKPOINT_FOLDER).mkdir(parents=True, exist_ok=True)
        ready = build_setup(
            _merge_model_settings(cfg, settings), source, place, f"{identity} trial {len(trials)}", word, context
        )
        try:
            ready.fit()
            seconds_before += ready.run_checkpoint.seconds_before_resume
            trials.append(_summarize_trial(ready, settings, place))
        except DivergedError as error:
            trials.append(_summarize_diverged_trial(ready, settings, error))
        if trials[-1] is best_trial(trials) and "diverged" not in trials[-1]:
            copy_atomically(run_directory.best_checkpoint_path(place), run_directory.best_checkpoint_path(directory))
        write_json(directory / run_directory.TRIALS_FILE, trials)
        shutil.rmtree(place)
    shutil.rmtree(directory / run_directory.TRIAL_FOLDER, ignore_errors=True)
    best = best_trial(trials)
    if "diverged" in best:
        raise HeadstartError(
            f"{title.removeprefix(context.position)}: all {len(trials)} trials diverged ({best['diverged']}); "
            "give tune.space lower rates"
        )
    ready = build_setup(
        _merge_model_settings(cfg, best["settings"]),
        source,
        directory,
        identity,
        title,
        replace(context, seconds_left=None),
    )
    ready.run_checkpoint.rows = best["rows"]
    ready.run_checkpoint.seconds_before_resume = seconds_before
    ready.run_checkpoint.seconds = sum(trial["seconds"] for trial in trials)
    ready.run_checkpoint.trials = [{k: v for k, v in trial.items() if k != "rows"} for trial in trials]
    ready.run_checkpoint.write_metrics()
    return ready


def _read_trials(directory: Path) -> list[Trial]:
    try:
        return json.loads((directory / run_directory.TRIALS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []


def _merge_model_settings(cfg: DictConfig, settings: dict[str, float]) -> DictConfig:
    return OmegaConf.merge(cfg, {"model": settings})  # type: ignore[return-value]


def _summarize_trial(setup: "TrainingSetup", settings: dict[str, float], place: Path) -> Trial:
    import torch

    epoch = torch.load(run_directory.best_checkpoint_path(place), weights_only=True)["epoch"]
    row = next(row for row in setup.run_checkpoint.rows if row["epoch"] == epoch)
    return {
        "settings": settings,
        "val/accuracy": row["val/accuracy"],
        "val/log_loss": row["val/log_loss"],
        "epoch": epoch,
        "seconds": round(setup.run_checkpoint.seconds, 3),
        "rows": setup.run_checkpoint.rows,
    }


def _summarize_diverged_trial(setup: "TrainingSetup", settings: dict[str, float], error: DivergedError) -> Trial:
    """A trial whose loss became no number: it counts, and any other is better."""
    none = {"val/accuracy": None, "val/log_loss": None, "epoch": None}
    spent = {"seconds": round(setup.run_checkpoint.elapsed_seconds(), 3), "rows": setup.run_checkpoint.rows}
    return {"settings": settings, **none, **spent, "diverged": str(error)}


def best_trial(trials: list[Trial]) -> Trial:
    """The most accurate on validation images; of those equally so the one that is surest of what is right."""
    return max(trials, key=_trial_score)


def _trial_score(trial: Trial) -> tuple[float, float]:
    if "diverged" in trial:
        return -1.0, -math.inf
    log_loss = trial["val/log_loss"]
    return trial["val/accuracy"], -log_loss if math.isfinite(log_loss) else -math.inf


def _suggest_settings(cfg: DictConfig, trials: list[Trial]) -> dict[str, float]:
    """The settings of the next trial. Its sampler has a stream of its own, and is told of the trials before."""
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
        if trial["settings"]:
            # A training that fails to be sure is worse than another that has as many right.
            right, sure = _trial_score(trial)
            value = right + 1e-3 * max(sure, -10.0)
            study.add_trial(optuna.trial.create_trial(params=trial["settings"], distributions=space, value=value))
    return {name: float(f"{value:.4g}") for name, value in study.ask(space).params.items()}
