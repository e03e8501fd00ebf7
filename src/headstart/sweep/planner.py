"""What a command asks for, before anything trains: its runs, their budgets, their directory. Torch-free."""

import hashlib
import json
import shutil
import statistics
import sys
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from headstart.compare.arm_names import arm_key, arm_names
from headstart.compare.declaration import DEFAULT_CONTRAST, Comparison
from headstart.config import command_line
from headstart.config.compose import format_suggestions, read_shipped_yaml
from headstart.config.identity import arm_settings, clear_source_cache, format_run_name, identify_run, load_source
from headstart.config.overrides import override_key, quote_overrides
from headstart.config.validation import (
    check_config,
    check_directories,
    check_outside_images,
    check_overrides_take_effect,
    check_validation_share,
)
from headstart.errors import HeadstartError
from headstart.models.recipe import epochs_for
from headstart.reporting.console import format_duration
from headstart.runs.result import delete_failed_results, read_finished_result
from headstart.sweep.estimate import estimate_seconds, max_epochs_override, workers_and_threads
from headstart.training import tuning
from headstart.training.trainer import check_callbacks

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource

BUDGET_KEY, FOLD_KEY = "data.labels_per_class", "data.fold"
WITHIN_ARM_KEYS = {"seed", BUDGET_KEY, FOLD_KEY}  # what runs of one arm differ by
AXIS_NAMES = {"data": "data set", BUDGET_KEY: "budget", FOLD_KEY: "fold"}  # other keys are words already
DISK_BYTES_PER_RUN = 20_000_000  # a checkpoint of the embedded backbone, predictions and the rest


@dataclass(frozen=True)
class SweepPlan:
    """One command: what Hydra gets to see of it, and what a person does.

    Args:
        argv: the overrides and flags for Hydra, budgets and the sweep's directory filled in.
        directory: the sweep's; None for a single run, and where the command trains nothing (``--help``).
        runs: the directories of the sweep's runs.
        left: how many of them are not finished yet.
        seeds: of them.
        budgets: how many they have.
        arms: likewise, of all data sets.
        looked_at: a configuration of each folder of images, with all labels.
    """

    argv: list[str]
    directory: Path | None = None
    run_directories: tuple[Path, ...] = ()
    num_pending: int = 0
    seeds: tuple[int, ...] = ()
    num_budgets: int = 1
    num_arms: int = 0
    audit_configs: tuple[DictConfig, ...] = ()

    @property
    def num_runs(self) -> int:
        return len(self.run_directories)


def plan_sweep(argv: list[str]) -> SweepPlan:
    """Fills in what a sweep leaves open and says what it will do.

    Raises:
        HeadstartError: the data are wrong, or a budget that was typed does not fit them.
    """
    clear_source_cache()
    asked = command_line.compose_command(argv)
    if asked is None:
        return SweepPlan(argv)
    cfg = asked.config
    check_directories(asked)
    check_config(cfg, asked.overrides)
    if not asked.multirun:
        check_overrides_take_effect([cfg], asked.overrides)
        _check_settings(cfg)
        identity, directory = identify_run(cfg), Path(cfg.hydra.run.dir)
        check_outside_images(directory, load_source(cfg))
        check_validation_share([load_source(cfg)], asked.overrides)
        check_callbacks(cfg, [load_source(cfg)])
        read_finished_result(directory, identity)  # refuses the place of another run
        return SweepPlan(argv)
    sweeps, argv = dict(asked.sweeps), list(argv)
    for key, choices in sweeps.items():
        if key.startswith("compare."):
            raise HeadstartError(f"{key} cannot be swept: it says how runs are judged, not what they are; give one")
        if len(set(choices)) < len(choices):
            raise HeadstartError(f"{key}={','.join(choices)}: a choice stands there twice; give each once")
    arms = _compose_arms(asked, argv, sweeps)
    check_overrides_take_effect(arms, asked.overrides)
    sources = [_load_arm_source(arm) for arm in arms]
    _check_contrast_arms(arms, sources)
    if BUDGET_KEY not in sweeps and cfg.data.labels_per_class == "auto":
        fitting = set.intersection(*(set(source.available_budgets()) for source in sources))
        if cfg.tune.trials:
            fitting = _select_tunable_budgets(fitting)
        sweeps[BUDGET_KEY] = [str(k) for k in sorted(fitting)] or ["null"]
        argv.append(f"{BUDGET_KEY}={','.join(sweeps[BUDGET_KEY])}")
    seeds = [_parse_seed(text, sources[0]) for text in sweeps.get("seed", [str(cfg.seed)])]
    budgets = [_parse_budget(k) for k in sweeps.get(BUDGET_KEY, [cfg.data.labels_per_class])]
    if cfg.data.folds and FOLD_KEY not in sweeps:
        sweeps[FOLD_KEY] = [str(fold) for fold in range(cfg.data.folds)]
        argv.append(f"{FOLD_KEY}={','.join(sweeps[FOLD_KEY])}")
    folds = [_parse_number(FOLD_KEY, fold) for fold in sweeps.get(FOLD_KEY, [cfg.data.fold])]
    # A budget that does not fit, in whichever fold, is an error here, before any training.
    about = [
        _estimate_arm_seconds(_merge_values(arm, data={"fold": fold}), k)
        for arm, k, fold in product(arms, budgets, folds)
    ]
    check_validation_share((_load_arm_source(arm, k) for arm, k in product(arms, budgets)), asked.overrides)
    for arm in arms:
        check_callbacks(arm, [_load_arm_source(arm, k) for k in budgets])
    typed = cfg.hydra.sweep.dir != read_shipped_yaml("train")["hydra"]["sweep"]["dir"]
    directory = Path(cfg.hydra.sweep.dir if typed else f"runs/{_name_sweep(cfg, sweeps)}")
    for source in sources:
        check_outside_images(directory, source)
    # Hydra would resolve it once a run, and a time that stands in it would change.
    argv = [a for a in argv if override_key(a.partition("=")[0]) != "hydra.sweep.dir"]
    argv += quote_overrides([f"hydra.sweep.dir={directory}"])
    delete_failed_results(directory)
    configured = [
        _merge_values(arm, seed=seed, data={"labels_per_class": k, "fold": fold})
        for arm, seed, k, fold in product(arms, seeds, budgets, folds)
    ]
    identities = [identify_run(cfg) for cfg in configured]
    places = tuple(
        directory / format_run_name(cfg, identity) for cfg, identity in zip(configured, identities, strict=True)
    )
    done = [
        result
        for place, identity in zip(places, identities, strict=True)
        if (result := read_finished_result(place, identity))
    ]
    took = [result.cost["seconds_in_all"] for result in done]
    folders = {(arm.data._target_, arm.data.get("root")): arm for arm in reversed(arms)}
    looked_at = tuple(_merge_values(arm, seed=0, data={"labels_per_class": None}) for arm in reversed(folders.values()))
    left = len(places) - len(took)
    # An arm without a backbone is one, whatever backbones the others have.
    apart = len(set(places)) // (len(seeds) * len(budgets) * len(folds))
    plan = SweepPlan(argv, directory, places, left, tuple(seeds), len(budgets), apart, looked_at)
    asks = OmegaConf.to_container(cfg.compare)
    if any(result.compare != asks for result in done):
        print(
            "compare: runs of this sweep declared another comparison before they trained, and are judged by that; "
            "to ask anew, train anew in a folder of its own (hydra.sweep.dir=PATH)",
            file=sys.stderr,
        )
    _print_plan(plan, sweeps, plan.num_pending * statistics.mean(took or about))
    if plan.num_pending and len(arms) > 1:
        _print_power(sources, len(seeds), len(budgets), cfg.compare.level)
    return plan


def _select_tunable_budgets(budgets: set[int]) -> set[int]:
    """Those at which images validate; says which are left out."""
    from headstart.data.split import MIN_LABELS_TO_VALIDATE

    if short := sorted(k for k in budgets if k < MIN_LABELS_TO_VALIDATE):
        print(f"not tuned, since nothing validates: {', '.join(map(str, short))} labels per class", file=sys.stderr)
    return {k for k in budgets if k >= MIN_LABELS_TO_VALIDATE}


def _compose_arms(
    command: command_line.ComposedCommand, argv: list[str], sweeps: dict[str, list[str]]
) -> list[DictConfig]:
    """The configuration of each arm and data set, of the first seed and budget, looked at as far as needs no torch.

    Raises:
        HeadstartError: a choice that makes no sense, wherever in its list it stands.
    """
    axes = {key: choices for key, choices in sweeps.items() if key not in WITHIN_ARM_KEYS}
    arms = [_compose_arm(command, argv, dict(zip(axes, choices, strict=True))) for choices in product(*axes.values())]
    for arm in arms:
        check_config(arm, command.overrides)
        _check_settings(arm)
    return arms


def _check_settings(cfg: DictConfig) -> None:
    """Raises HeadstartError for settings that make no sense, as far as is seen without torch."""
    Comparison(**OmegaConf.to_container(cfg.compare))  # type: ignore[arg-type]
    max_epochs_override(cfg)
    epochs_for(cfg.model.epochs, 1)
    tuning.check_tuning(cfg)


def _check_contrast_arms(arms: list[DictConfig], sources: list["ImageSource"]) -> None:
    """Raises HeadstartError where the sweep lacks an arm of the contrast that was declared."""
    contrast = tuple(arms[0].compare.contrast)
    if contrast == DEFAULT_CONTRAST:  # nobody needs to have asked for it
        return
    results = [
        {"arm": arm.hydra.runtime.choices.model, "settings": arm_settings(arm), "data": source.name}
        for arm, source in zip(arms, sources, strict=True)
    ]
    if len({arm_key(result) for result in results}) < 2:  # one of a sweep's commands given alone, as it was recorded
        return
    there = sorted({*(result["arm"] for result in results), *arm_names(results)})
    for name in contrast:
        if name not in there:
            near = format_suggestions(get_close_matches(name, there, n=1))
            raise HeadstartError(
                f"compare.contrast: no arm '{name}' in this sweep{near} (its arms: {', '.join(there)})"
            )


def _compose_arm(command: command_line.ComposedCommand, argv: list[str], choices: dict[str, str]) -> DictConfig:
    """The configuration of the command's first run, but for these choices."""
    try:
        cfg = command_line.compose_with(argv, command, choices)
    except HeadstartError as error:
        beside = ", ".join(f"{key}={choice}" for key, choice in choices.items())
        raise HeadstartError(f"with {beside}: {error}") from error
    # Hydra's own settings are most of it, and would be copied with every run.
    chosen = {"hydra": {"runtime": {"choices": cfg.hydra.runtime.choices}}}
    return OmegaConf.merge(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]), chosen)  # type: ignore[return-value]


def _load_arm_source(cfg: DictConfig, budget: int | None = None) -> "ImageSource":
    return load_source(_merge_values(cfg, data={"labels_per_class": budget}))


def _merge_values(cfg: DictConfig, **values: Any) -> DictConfig:
    return OmegaConf.merge(cfg, values)  # type: ignore[return-value]


def _estimate_arm_seconds(arm: DictConfig, budget: int | None) -> float:
    source = _load_arm_source(arm, budget)
    if arm.tune.trials:
        tuning.require_validation_split(source)
    each = estimate_seconds(arm, len(source.split.train), source.spec.labels_per_class, source.spec.shape[1])
    return max(arm.tune.trials, 1) * each


def _parse_seed(text: str, source: "ImageSource") -> int:
    seed: Any = int(text) if text.isdecimal() else text
    replace(source, seed=seed)  # says what is wrong with it
    return int(seed)


def _parse_budget(text: Any) -> int | None:
    return (
        None
        if text in (None, "null", "None")
        else _parse_number(BUDGET_KEY, text, ", or null for all; auto stands alone")
    )


def _parse_number(key: str, text: Any, hint: str = "") -> int:
    if not str(text).isdecimal():
        raise HeadstartError(f"{key}={text}: give whole numbers{hint}")
    return int(text)


def _name_sweep(cfg: DictConfig, sweeps: dict[str, list[str]]) -> str:
    """Experiment, data and a hash of what was asked apart from seeds and budgets."""
    asked = {k: v for k, v in sorted(sweeps.items()) if k not in WITHIN_ARM_KEYS}
    settled: Any = OmegaConf.to_container(cfg, resolve=False)
    for key in ("seed", "hydra", "compare"):
        settled.pop(key, None)
    for key in ("labels_per_class", "num_workers", "fold"):
        settled.get("data", {}).pop(key, None)
    text = json.dumps([asked, settled], sort_keys=True, default=str)
    choices = cfg.get("hydra", {}).get("runtime", {}).get("choices", {})
    parts = [choices.get("experiment") or "sweep", choices.get("data") or "data"]
    return "-".join([*parts, hashlib.sha256(text.encode()).hexdigest()[:8]])


def _format_count(n: int, key: str) -> str:
    """``"3 seeds"``, ``"2 of model.head_lr"``."""
    word = AXIS_NAMES.get(key, key)
    return f"{n} of {key}" if "." in word else f"{n} {word}{'s' if n > 1 else ''}"


def _print_plan(plan: SweepPlan, sweeps: dict[str, list[str]], seconds_left: float) -> None:
    assert plan.directory is not None
    axes = " × ".join(_format_count(len(choices), key) for key, choices in sweeps.items())
    at_once, _ = workers_and_threads()
    about = f", about {format_duration(seconds_left / min(at_once, plan.num_pending))}" if plan.num_pending else ""
    place = next(p for p in (plan.directory.absolute(), *plan.directory.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(place).free / 1e9
    print(
        f"{plan.num_runs} run{'s' if plan.num_runs > 1 else ''}{f' ({axes})' if axes else ''}, {plan.num_runs - plan.num_pending} done"
        f"{about}; up to {plan.num_pending * DISK_BYTES_PER_RUN / 1e6:,.0f} MB of disk ({free:,.0f} GB free): {plan.directory}",
        file=sys.stderr,
    )


def _print_power(sources: list["ImageSource"], seeds: int, budgets: int, level: float) -> None:
    """Says what a comparison of this size can find at all, before anything trains, of each data set."""
    several = len({source.name for source in sources}) > 1
    said = (f"{source.name}: " * several + _format_power(source, seeds, budgets, level) for source in sources)
    print(*dict.fromkeys(said), sep="\n", file=sys.stderr)


def _format_power(source: "ImageSource", seeds: int, budgets: int, level: float) -> str:
    from headstart.compare.inference.power import POWER, minimum_detectable_difference

    folds = source.folds or 1
    images = len(source.split.test) * folds
    points = round(100 * minimum_detectable_difference(images, seeds, budgets, folds, level))
    size = f"{images} test images and {seeds} seed{'s' if seeds > 1 else ''}"
    helps = "more seeds" + (", data.folds=5" if folds == 1 and not source.test_part else "") + " or more test images"
    if points >= 100:
        return f"{size} promise to find no difference between two arms, however large (docs/protocol.md); give {helps}"
    found = f"find a difference of {points} points between two arms in {POWER:.0%} of cases (docs/protocol.md)"
    return f"{size} {found}; {helps} find smaller ones"
