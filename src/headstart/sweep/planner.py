"""Plans a command before anything trains: checks it, fills in budgets and folds, lists the runs. Torch-free."""

import hashlib
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from headstart.compare.arm_names import arm_names
from headstart.compare.declaration import DEFAULT_CONTRAST, declared_values
from headstart.config.auto_settings import has_given_fold, resolve_auto_settings
from headstart.config.compose import ComposedCommand, replace_values
from headstart.config.data_module import clear_source_cache, load_source
from headstart.config.fold_choice import FOLD_KEY, FOLDS_KEY
from headstart.config.identity import arm_settings, format_run_name, identify_run
from headstart.config.overrides import override_key, quote_overrides
from headstart.config.shipped import read_shipped_yaml
from headstart.config.suggestions import suggest_closest
from headstart.config.validation import (
    check_config,
    check_directories,
    check_outside_images,
    check_overrides_take_effect,
    check_starting_weights,
    check_validation_share,
)
from headstart.errors import HeadstartError
from headstart.file_names import quote_for_shell
from headstart.runs.result import RunResult, read_finished_result
from headstart.runs.sweep_file import PlannedRun, SweepCommand
from headstart.sweep.announce import print_auto_reason, print_remarks
from headstart.sweep.arms import (
    BUDGET_KEY,
    WITHIN_ARM_KEYS,
    SweepArm,
    check_settings,
    compose_arms,
    list_auto_reasons,
)
from headstart.sweep.estimate import estimate_seconds, workers_and_threads
from headstart.sweep.hydra_options import check_hydra_options
from headstart.sweep.look_choice import choose_looks, choose_minutes
from headstart.sweep.plan import SweepPlan, TestSize
from headstart.training import tuning
from headstart.training.trainer import check_callbacks
from headstart.training.trainer_limits import check_trainer_limits

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource

GROUP_KEY = "data.group"


@dataclass(frozen=True)
class _Job:
    """One run of a sweep: its configuration without the ``hydra`` node, and Hydra's overrides."""

    config: DictConfig
    overrides: list[str]


def check_command(command: ComposedCommand) -> None:
    """Checks a command before Hydra runs it: the options of Hydra, and a single run as a whole.

    The sweeper checks the runs of a sweep, see :func:`plan_sweep`.

    Raises:
        HeadstartError: settings or images are wrong, or another run has the directory.
    """
    check_hydra_options(command)
    check_directories(command)
    if not command.multirun:
        _check_run(command)


def _check_run(command: ComposedCommand) -> None:
    """Checks a single run, and prints which images its folder leaves out."""
    config = command.config
    check_config(config, command.overrides)
    check_overrides_take_effect([config], command.overrides)
    check_settings(config)
    identity, directory = identify_run(config), Path(config.hydra.run.dir)
    source = load_source(config)
    check_outside_images(directory, source)
    check_starting_weights(config, source)
    check_validation_share([source], command.overrides)
    check_trainer_limits(config, [source])
    check_callbacks(config, [source])
    read_finished_result(directory, identity)  # raises where the directory holds another run
    for reason in command.auto_reasons:
        print_auto_reason(reason)
    print_remarks(source)


def plan_sweep(command: ComposedCommand) -> SweepPlan:
    """Plans a sweep: fills in budgets and folds that the command leaves open, and lists the runs.

    Args:
        command: of a sweep.

    Raises:
        HeadstartError: settings or images are wrong, or a budget does not fit the images.
    """
    started = time.time()
    check_command(command)
    clear_source_cache()
    check_config(command.config, command.overrides)
    _check_choices(command.sweeps)
    sweeps = dict(command.sweeps)
    planned_arms = compose_arms(command)
    arms = [(arm.choices, arm.config) for arm in planned_arms]
    looks = choose_looks(command, len({_name_arm(arm) for _, arm in arms}))
    if looks:
        sweeps["seed"] = [str(seed) for seed in range(looks[-1].seeds)]
    if "seed" in sweeps and command.config.compare.max_seeds is not None:  # the outermost loop, wherever it was typed
        sweeps = {"seed": sweeps["seed"], **sweeps}
    check_overrides_take_effect([arm for _, arm in arms], command.overrides)
    sources = [_load_arm_source(arm) for _, arm in arms]
    for (_, arm), source in zip(arms, sources, strict=True):
        check_starting_weights(arm, source)
    _check_contrast_arms([arm for _, arm in arms], sources)
    config = resolve_auto_settings(command).config
    left_out: tuple[int, ...] = ()
    if set(budgets := sweeps.get(BUDGET_KEY, [config.data.labels_per_class])) in ({"auto"}, {"auto", "null"}):
        fitting, left_out = _find_budgets(config, sources)
        sweeps[BUDGET_KEY] = [*map(str, fitting), *(["null"] if "null" in budgets or not fitting else [])]
    if isinstance(command.config.data.folds, int) and not has_given_fold(command):
        sweeps[FOLD_KEY] = [str(fold) for fold in range(config.data.folds)]
    seeds = [_parse_seed(seed, sources[0]) for seed in sweeps.get("seed", [str(config.seed)])]
    budgets = [_parse_budget(text) for text in sweeps.get(BUDGET_KEY, [config.data.labels_per_class])]
    folds = [_list_folds(arm, sweeps, seeds) for arm in planned_arms]
    # A budget that does not fit, in whichever fold, is an error here, before any training.
    estimates = [
        _estimate_arm_seconds(_merge_values(arm, data={"fold": fold}), budget)
        for (_, arm), arm_folds in zip(arms, folds, strict=True)
        for budget, fold in product(budgets, arm_folds)
    ]
    budget_sources = [[_load_arm_source(arm, budget) for budget in budgets] for _, arm in arms]
    check_validation_share((source for each in budget_sources for source in each), command.overrides)
    for (_, arm), each in zip(arms, budget_sources, strict=True):
        check_trainer_limits(arm, each)
        check_callbacks(arm, each)
    directory = _choose_directory(config, sweeps)
    for source in sources:
        check_outside_images(directory, source)
    jobs = _list_jobs(command, {arm.choices: arm for arm in planned_arms}, sweeps)
    runs = tuple(_plan_run(job.config) for job in jobs)
    _check_choices_differ(sweeps, runs)
    results = {run.directory: read_finished_result(directory / run.directory, run.identity) for run in runs}
    finished = {name: result for name, result in results.items() if result}
    compare: Any = OmegaConf.to_container(config.compare, resolve=True)
    comparison = declared_values(compare)
    workers, threads = _workers_and_threads(config)
    seconds = [result.cost["seconds_in_all"] for result in finished.values()]
    unique = {run.directory: (run, job) for run, job in zip(runs, jobs, strict=True)}  # arms may be equal
    folders = {(arm.data._target_, arm.data.get("root")): arm for _, arm in reversed(arms)}
    return SweepPlan(
        directory,
        SweepCommand(
            _format_command(command),
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
            runs=tuple(run for run, _ in unique.values()),
            comparison=comparison,
            threads=threads,
            workers=workers,
            looks=looks if len({run.arm_key for run in runs}) > 1 else (),
            rotates=any(arm.auto.rotates for arm in planned_arms),
        ),
        jobs=tuple(
            (
                *job.overrides,
                *quote_overrides([f"hydra.sweep.dir={directory}", f"hydra.sweep.subdir={run.directory}"]),
                # Not from sweep.json: another terminal may share the sweep with other threads.
                *([f"hydra.launcher.threads={threads}"] if "threads" in config.hydra.launcher else []),
            )
            for run, job in unique.values()
        ),
        finished=frozenset(finished),
        axes={key: len(choices) for key, choices in sweeps.items()},
        seconds_per_run=statistics.mean(seconds or estimates),
        minutes=choose_minutes(command, looks),
        audit_configs=tuple(
            _merge_values(arm, seed=0, data={"labels_per_class": None, "fold": 0})
            for arm in reversed(list(folders.values()))
        ),
        test_sizes=tuple(
            _measure_test_part(source, arm_folds, arm.auto.rotates)
            for source, arm, arm_folds in zip(sources, planned_arms, folds, strict=True)
        ),
        auto_reasons=list_auto_reasons(planned_arms),
        left_out_budgets=left_out,
        has_other_comparison=any(result.compare not in ({}, comparison) for result in finished.values()),
        started=started,
    )


def _check_choices(sweeps: dict[str, list[str]]) -> None:
    for key, choices in sweeps.items():
        if key.startswith("compare."):
            raise HeadstartError(f"{key} cannot be swept: it says how runs are judged, not what they are; give one")
        if key == FOLDS_KEY:
            raise HeadstartError(f"{key}={','.join(choices)}: other test images do not compare; give one of them")
        if len(set(choices)) < len(choices):
            raise HeadstartError(f"{key}={','.join(choices)}: the same choice is given twice; give each once")
        if key == GROUP_KEY:
            raise HeadstartError(f"{key}={','.join(choices)}: other groups test other images; give one of them")


def _check_choices_differ(sweeps: dict[str, list[str]], runs: Sequence[PlannedRun]) -> None:
    """Raises HeadstartError where two choices of a key give the same runs: all but one of them would take no effect."""
    for index, (key, choices) in enumerate(sweeps.items()):
        identities: dict[str, list[str]] = {choice: [] for choice in choices}
        for values, run in zip(product(*sweeps.values()), runs, strict=True):
            identities[values[index]].append(run.identity)
        first: dict[tuple[str, ...], str] = {}
        for choice, each in identities.items():
            if (other := first.setdefault(tuple(each), choice)) != choice:
                hint = f"; one run with several loggers: {key}=[csv,tensorboard]" if key == "logger" else ""
                raise HeadstartError(f"{key}={other},{choice}: both are the same run; give one of them{hint}")


def _find_budgets(config: DictConfig, sources: list["ImageSource"]) -> tuple[list[int], tuple[int, ...]]:
    """The budgets that fit all images, and those left out since nothing validates where settings are tuned."""
    from headstart.data.split import MIN_LABELS_TO_VALIDATE

    fitting = sorted(set.intersection(*(set(source.available_budgets()) for source in sources)))
    if not config.tune.trials:
        return fitting, ()
    left_out = tuple(budget for budget in fitting if budget < MIN_LABELS_TO_VALIDATE)
    return [budget for budget in fitting if budget >= MIN_LABELS_TO_VALIDATE], left_out


def _list_jobs(
    command: ComposedCommand, arms: dict[tuple[str, ...], SweepArm], sweeps: dict[str, list[str]]
) -> list[_Job]:
    """The runs in Hydra's order: the last swept key varies fastest."""
    # Hydra adds the overrides of its own options to each job.
    typed = [word for word in command.overrides if not override_key(word).startswith(("hydra.", "hydra/"))]
    axes = [key for key in sweeps if key not in WITHIN_ARM_KEYS]
    jobs = []
    for choices in product(*sweeps.values()):
        values = dict(zip(sweeps, choices, strict=True))
        settings: dict[str, Any] = {"data": {}}
        if "seed" in values:
            settings["seed"] = int(values["seed"])
        if BUDGET_KEY in values:
            settings["data"]["labels_per_class"] = _parse_budget(values[BUDGET_KEY])
        if FOLD_KEY in values:
            settings["data"]["fold"] = int(values[FOLD_KEY])
        arm = arms[tuple(values[key] for key in axes)]
        auto = arm.auto.overrides_for(settings.get("seed", command.config.seed))
        if FOLD_KEY in auto:
            settings["data"]["fold"] = int(auto[FOLD_KEY])
        overrides = replace_values(typed, values | auto)
        jobs.append(_Job(_merge_values(arm.config, **settings), overrides))
    return jobs


def _plan_run(config: DictConfig) -> PlannedRun:
    identity = identify_run(config)
    return PlannedRun(
        directory=format_run_name(config, identity),
        identity=identity,
        model=config.hydra.runtime.choices.model,
        settings=arm_settings(config),
        data=load_source(config).name,
        labels_per_class=config.data.labels_per_class,
        seed=config.seed,
        fold=config.data.fold,
        folds=config.data.folds,
    )


def _choose_directory(config: DictConfig, sweeps: dict[str, list[str]]) -> Path:
    is_typed = config.hydra.sweep.dir != read_shipped_yaml("train")["hydra"]["sweep"]["dir"]
    return Path(config.hydra.sweep.dir if is_typed else f"runs/{_name_sweep(config, sweeps)}")


def _name_sweep(config: DictConfig, sweeps: dict[str, list[str]]) -> str:
    """Experiment, data and a hash of everything but seeds, budgets, folds and the comparison."""
    swept = {key: choices for key, choices in sorted(sweeps.items()) if key not in WITHIN_ARM_KEYS}
    settings: Any = OmegaConf.to_container(config, resolve=False)
    for key in ("seed", "hydra", "compare", "cache"):
        settings.pop(key, None)
    for key in ("labels_per_class", "num_workers", "fold"):
        settings.get("data", {}).pop(key, None)
    text = json.dumps([swept, settings], sort_keys=True, default=str)
    choices = config.hydra.runtime.choices
    parts = [choices.get("experiment") or "sweep", choices.get("data") or "data"]
    return "-".join([*parts, hashlib.sha256(text.encode()).hexdigest()[:8]])


def _workers_and_threads(config: DictConfig) -> tuple[int, int]:
    """Runs at a time and torch threads of each; ``hydra.launcher`` may set them."""
    workers, threads = workers_and_threads()
    launcher = config.hydra.launcher
    if config.hydra.runtime.choices["hydra/launcher"] == "basic":
        return 1, threads
    for key in ("workers", "threads"):
        if (value := launcher.get(key)) is not None and value < 1:
            raise HeadstartError(f"hydra.launcher.{key}={value}: give 1 or more, or null to choose by cores and memory")
    return launcher.get("workers") or workers, launcher.get("threads") or threads


def _format_command(command: ComposedCommand) -> str:
    """The command line that repeats the sweep, quoted for a shell."""
    typed = [override for override in command.overrides if override_key(override) != "hydra.mode"]
    swept = {key: ",".join(choices) for key, choices in command.sweeps.items()}
    words = [*(["-m"] if command.multirun else []), *replace_values(typed, swept)]
    return " ".join(["headstart-train", *map(quote_for_shell, words)])


def _list_folds(arm: SweepArm, sweeps: dict[str, list[str]], seeds: list[int]) -> list[int]:
    """The folds that an arm's runs test."""
    if arm.auto.rotates:
        return sorted({int(arm.auto.overrides_for(seed)[FOLD_KEY]) for seed in seeds})
    return [_parse_number(FOLD_KEY, fold) for fold in sweeps.get(FOLD_KEY, [arm.config.data.fold])]


def _measure_test_part(source: "ImageSource", folds: list[int], rotates: bool) -> TestSize:
    per_fold = len(source.split.test)
    folds_per_seed = 1 if rotates else len(folds)
    return TestSize(
        source.name, per_fold * len(folds), per_fold * folds_per_seed, folds_per_seed, source.has_test_part, rotates
    )


def _check_contrast_arms(arms: list[DictConfig], sources: list["ImageSource"]) -> None:
    """Raises HeadstartError where the sweep lacks an arm of the declared contrast."""
    contrast = tuple(arms[0].compare.contrast)
    if contrast == DEFAULT_CONTRAST:  # the user did not declare it
        return
    results = [
        RunResult("planned", arm.hydra.runtime.choices.model, source.name, arm.seed, settings=arm_settings(arm))
        for arm, source in zip(arms, sources, strict=True)
    ]
    if len({result.arm_key for result in results}) < 2:
        return  # the recorded command of one run
    names = sorted({*(result.model for result in results), *arm_names(results)})
    for name in contrast:
        if name not in names:
            raise HeadstartError(
                f"compare.contrast: no arm '{name}' in this sweep{suggest_closest(name, names)} "
                f"(its arms: {', '.join(names)})"
            )


def _name_arm(arm: DictConfig) -> str:
    return json.dumps([arm.hydra.runtime.choices.model, arm_settings(arm)], sort_keys=True, default=str)


def _load_arm_source(config: DictConfig, budget: int | None = None) -> "ImageSource":
    return load_source(_merge_values(config, data={"labels_per_class": budget}))


def _merge_values(config: DictConfig, **values: Any) -> DictConfig:
    return OmegaConf.merge(config, values)  # type: ignore[return-value]


def _estimate_arm_seconds(arm: DictConfig, budget: int | None) -> float:
    source = _load_arm_source(arm, budget)
    if arm.tune.trials:
        tuning.require_validation_split(source)
    seconds = estimate_seconds(arm, len(source.split.train), source.spec.labels_per_class, source.spec.shape[1])
    return max(arm.tune.trials, 1) * seconds


def _parse_seed(text: str, source: "ImageSource") -> int:
    seed: Any = int(text) if text.isdecimal() else text
    return replace(source, seed=seed).seed  # raises HeadstartError for a wrong seed


def _parse_budget(text: Any) -> int | None:
    if text in (None, "null", "None"):
        return None
    return _parse_number(BUDGET_KEY, text, ", or null for all; auto stands alone or with null")


def _parse_number(key: str, text: Any, hint: str = "") -> int:
    if not str(text).isdecimal():
        raise HeadstartError(f"{key}={text}: give whole numbers{hint}")
    return int(text)
