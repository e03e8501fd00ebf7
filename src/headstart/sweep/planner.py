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
from headstart.compare.declaration import DECLARED, Comparison
from headstart.config import command_line
from headstart.config.compose import did_you_mean, read_shipped
from headstart.config.identity import arm_settings, forget_sources, identify_run, name_run, opened
from headstart.config.overrides import bare, quoted
from headstart.config.trainer_options import build_callbacks, check_monitors
from headstart.config.validation import check_config, check_directories, check_effects, check_outside, check_validation
from headstart.errors import HeadstartError
from headstart.reporting.console import duration
from headstart.runs import run_directory as runs
from headstart.sweep.estimate import epochs_for, seconds, shares, typed_length
from headstart.training import tuning

if TYPE_CHECKING:
    from headstart.data.image_source import Source

BUDGET, FOLD = "data.labels_per_class", "data.fold"
WITHIN = {"seed", BUDGET, FOLD}  # what runs of one arm differ by
CALLED = {"data": "data set", BUDGET: "budget", FOLD: "fold"}  # other keys are words already
PER_RUN_BYTES = 20_000_000  # a checkpoint of the embedded backbone, predictions and the rest


@dataclass(frozen=True)
class How:
    """In what circumstances a run is carried out, which change nothing of what it is.

    Args:
        place: which run of how many, for the progress line.
        left: seconds that the runs after it will take; None if unknown.
        threads: torch's, on a CPU; None: as many as torch takes by itself.
        wait: for another process that is training this run.
        seeds: what the command had asked for.
        budgets: how many it had asked for.
        arms: likewise, of all data sets; 0: this run alone.
    """

    place: str = ""
    left: float | None = None
    threads: int | None = None
    wait: bool = False
    seeds: tuple[int, ...] = ()
    budgets: int = 1
    arms: int = 0


@dataclass(frozen=True)
class Plan:
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
    runs: tuple[Path, ...] = ()
    left: int = 0
    seeds: tuple[int, ...] = ()
    budgets: int = 1
    arms: int = 0
    looked_at: tuple[DictConfig, ...] = ()

    @property
    def total(self) -> int:
        return len(self.runs)


def planned(argv: list[str]) -> Plan:
    """Fills in what a sweep leaves open and says what it will do.

    Raises:
        HeadstartError: the data are wrong, or a budget that was typed does not fit them.
    """
    forget_sources()
    asked = command_line.asked(argv)
    if asked is None:
        return Plan(argv)
    cfg = asked.config
    check_directories(asked)
    check_config(cfg, asked.overrides)
    if not asked.multirun:
        check_effects([cfg], asked.overrides)
        _check(cfg)
        identity, directory = identify_run(cfg), Path(cfg.hydra.run.dir)
        check_outside(directory, opened(cfg))
        check_validation([opened(cfg)], asked.overrides)
        _check_trainer(cfg, [opened(cfg)])
        runs.finished(directory, identity)  # refuses the place of another run
        return Plan(argv)
    sweeps, argv = dict(asked.sweeps), list(argv)
    for key, choices in sweeps.items():
        if key.startswith("compare."):
            raise HeadstartError(f"{key} cannot be swept: it says how runs are judged, not what they are; give one")
        if len(set(choices)) < len(choices):
            raise HeadstartError(f"{key}={','.join(choices)}: a choice stands there twice; give each once")
    arms = _arms(asked, argv, sweeps)
    check_effects(arms, asked.overrides)
    sources = [_source(arm) for arm in arms]
    _check_contrast(arms, sources)
    if BUDGET not in sweeps and cfg.data.labels_per_class == "auto":
        from headstart.data import available_budgets

        fitting = set.intersection(*(set(available_budgets(source)) for source in sources))
        if cfg.tune.trials:
            fitting = _tunable(fitting)
        sweeps[BUDGET] = [str(k) for k in sorted(fitting)] or ["null"]
        argv.append(f"{BUDGET}={','.join(sweeps[BUDGET])}")
    seeds = [_seed(text, sources[0]) for text in sweeps.get("seed", [str(cfg.seed)])]
    budgets = [_budget(k) for k in sweeps.get(BUDGET, [cfg.data.labels_per_class])]
    if cfg.data.folds and FOLD not in sweeps:
        sweeps[FOLD] = [str(fold) for fold in range(cfg.data.folds)]
        argv.append(f"{FOLD}={','.join(sweeps[FOLD])}")
    folds = [_number(FOLD, fold) for fold in sweeps.get(FOLD, [cfg.data.fold])]
    # A budget that does not fit, in whichever fold, is an error here, before any training.
    about = [_seconds(_changed(arm, data={"fold": fold}), k) for arm, k, fold in product(arms, budgets, folds)]
    check_validation((_source(arm, k) for arm, k in product(arms, budgets)), asked.overrides)
    for arm in arms:
        _check_trainer(arm, [_source(arm, k) for k in budgets])
    typed = cfg.hydra.sweep.dir != read_shipped("train")["hydra"]["sweep"]["dir"]
    directory = Path(cfg.hydra.sweep.dir if typed else f"runs/{_name(cfg, sweeps)}")
    for source in sources:
        check_outside(directory, source)
    # Hydra would resolve it once a run, and a time that stands in it would change.
    argv = [a for a in argv if bare(a.partition("=")[0]) != "hydra.sweep.dir"]
    argv += quoted([f"hydra.sweep.dir={directory}"])
    runs.forget_failures(directory)
    configured = [
        _changed(arm, seed=seed, data={"labels_per_class": k, "fold": fold})
        for arm, seed, k, fold in product(arms, seeds, budgets, folds)
    ]
    identities = [identify_run(cfg) for cfg in configured]
    places = tuple(directory / name_run(cfg, identity) for cfg, identity in zip(configured, identities, strict=True))
    done = [
        result for place, identity in zip(places, identities, strict=True) if (result := runs.finished(place, identity))
    ]
    took = [result["cost"]["seconds_in_all"] for result in done]
    folders = {(arm.data._target_, arm.data.root): arm for arm in reversed(arms)}
    looked_at = tuple(_changed(arm, seed=0, data={"labels_per_class": None}) for arm in reversed(folders.values()))
    left = len(places) - len(took)
    # An arm without a backbone is one, whatever backbones the others have.
    apart = len(set(places)) // (len(seeds) * len(budgets) * len(folds))
    plan = Plan(argv, directory, places, left, tuple(seeds), len(budgets), apart, looked_at)
    asks = OmegaConf.to_container(cfg.compare)
    if any(result.get("compare", asks) != asks for result in done):
        print(
            "compare: runs of this sweep declared another comparison before they trained, and are judged by that; "
            "to ask anew, train anew in a folder of its own (hydra.sweep.dir=PATH)",
            file=sys.stderr,
        )
    _announce(plan, sweeps, plan.left * statistics.mean(took or about))
    if plan.left and len(arms) > 1:
        _promise(sources, len(seeds), len(budgets), cfg.compare.level)
    return plan


def _tunable(budgets: set[int]) -> set[int]:
    """Those at which images validate; says which are left out."""
    from headstart.data.split import VALIDATES_FROM

    if short := sorted(k for k in budgets if k < VALIDATES_FROM):
        print(f"not tuned, since nothing validates: {', '.join(map(str, short))} labels per class", file=sys.stderr)
    return {k for k in budgets if k >= VALIDATES_FROM}


def _arms(asked: command_line.Asked, argv: list[str], sweeps: dict[str, list[str]]) -> list[DictConfig]:
    """The configuration of each arm and data set, of the first seed and budget, looked at as far as needs no torch.

    Raises:
        HeadstartError: a choice that makes no sense, wherever in its list it stands.
    """
    axes = {key: choices for key, choices in sweeps.items() if key not in WITHIN}
    arms = [_with(asked, argv, dict(zip(axes, choices, strict=True))) for choices in product(*axes.values())]
    for arm in arms:
        check_config(arm, asked.overrides)
        _check(arm)
    return arms


def _check(cfg: DictConfig) -> None:
    """Raises HeadstartError for settings that make no sense, as far as is seen without torch."""
    Comparison(**OmegaConf.to_container(cfg.compare))  # type: ignore[arg-type]
    typed_length(cfg)
    epochs_for(cfg.model.epochs, 1)
    tuning.checked(cfg)


def _check_trainer(cfg: DictConfig, sources: list["Source"]) -> None:
    """Raises HeadstartError for callbacks that cannot be built, or need what the images of a budget do not give."""
    callbacks = build_callbacks(cfg.trainer) if "callbacks" in cfg.trainer else []
    for source in sources:
        check_monitors(cfg, callbacks, len(source.split.val) > 0)


def _check_contrast(arms: list[DictConfig], sources: list["Source"]) -> None:
    """Raises HeadstartError where the sweep lacks an arm of the contrast that was declared."""
    contrast = tuple(arms[0].compare.contrast)
    if contrast == DECLARED:  # nobody needs to have asked for it
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
            near = did_you_mean(get_close_matches(name, there, n=1))
            raise HeadstartError(
                f"compare.contrast: no arm '{name}' in this sweep{near} (its arms: {', '.join(there)})"
            )


def _with(asked: command_line.Asked, argv: list[str], choices: dict[str, str]) -> DictConfig:
    """The configuration of the command's first run, but for these choices."""
    try:
        cfg = command_line.varied(argv, asked, choices)
    except HeadstartError as error:
        beside = ", ".join(f"{key}={choice}" for key, choice in choices.items())
        raise HeadstartError(f"with {beside}: {error}") from error
    # Hydra's own settings are most of it, and would be copied with every run.
    chosen = {"hydra": {"runtime": {"choices": cfg.hydra.runtime.choices}}}
    return OmegaConf.merge(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]), chosen)  # type: ignore[return-value]


def _source(cfg: DictConfig, budget: int | None = None) -> "Source":
    return opened(_changed(cfg, data={"labels_per_class": budget}))


def _changed(cfg: DictConfig, **values: Any) -> DictConfig:
    return OmegaConf.merge(cfg, values)  # type: ignore[return-value]


def _seconds(arm: DictConfig, budget: int | None) -> float:
    source = _source(arm, budget)
    if arm.tune.trials:
        tuning.demand_validation(source)
    each = seconds(arm, len(source.split.train), source.spec.labels_per_class, source.spec.shape[1])
    return max(arm.tune.trials, 1) * each


def _seed(text: str, source: "Source") -> int:
    seed: Any = int(text) if text.isdecimal() else text
    replace(source, seed=seed)  # says what is wrong with it
    return int(seed)


def _budget(text: Any) -> int | None:
    return None if text in (None, "null", "None") else _number(BUDGET, text, ", or null for all; auto stands alone")


def _number(key: str, text: Any, more: str = "") -> int:
    if not str(text).isdecimal():
        raise HeadstartError(f"{key}={text}: give whole numbers{more}")
    return int(text)


def _name(cfg: DictConfig, sweeps: dict[str, list[str]]) -> str:
    """Experiment, data and a hash of what was asked apart from seeds and budgets."""
    asked = {k: v for k, v in sorted(sweeps.items()) if k not in WITHIN}
    settled: Any = OmegaConf.to_container(cfg, resolve=False)
    for key in ("seed", "hydra", "compare"):
        settled.pop(key, None)
    for key in ("labels_per_class", "num_workers", "fold"):
        settled.get("data", {}).pop(key, None)
    text = json.dumps([asked, settled], sort_keys=True, default=str)
    choices = cfg.get("hydra", {}).get("runtime", {}).get("choices", {})
    parts = [choices.get("experiment") or "sweep", choices.get("data") or "data"]
    return "-".join([*parts, hashlib.sha256(text.encode()).hexdigest()[:8]])


def _counted(n: int, key: str) -> str:
    """``"3 seeds"``, ``"2 of model.head_lr"``."""
    word = CALLED.get(key, key)
    return f"{n} of {key}" if "." in word else f"{n} {word}{'s' if n > 1 else ''}"


def _announce(plan: Plan, sweeps: dict[str, list[str]], seconds_left: float) -> None:
    assert plan.directory is not None
    axes = " × ".join(_counted(len(choices), key) for key, choices in sweeps.items())
    at_once, _ = shares()
    about = f", about {duration(seconds_left / min(at_once, plan.left))}" if plan.left else ""
    place = next(p for p in (plan.directory.absolute(), *plan.directory.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(place).free / 1e9
    print(
        f"{plan.total} run{'s' if plan.total > 1 else ''}{f' ({axes})' if axes else ''}, {plan.total - plan.left} done"
        f"{about}; up to {plan.left * PER_RUN_BYTES / 1e6:,.0f} MB of disk ({free:,.0f} GB free): {plan.directory}",
        file=sys.stderr,
    )


def _promise(sources: list["Source"], seeds: int, budgets: int, level: float) -> None:
    """Says what a comparison of this size can find at all, before anything trains, of each data set."""
    several = len({source.name for source in sources}) > 1
    said = (f"{source.name}: " * several + _promised(source, seeds, budgets, level) for source in sources)
    print(*dict.fromkeys(said), sep="\n", file=sys.stderr)


def _promised(source: "Source", seeds: int, budgets: int, level: float) -> str:
    from headstart.compare.inference.power import POWER, detectable

    folds = source.folds or 1
    images = len(source.split.test) * folds
    points = round(100 * detectable(images, seeds, budgets, folds, level))
    size = f"{images} test images and {seeds} seed{'s' if seeds > 1 else ''}"
    helps = "more seeds" + (", data.folds=5" if folds == 1 and not source.test_part else "") + " or more test images"
    if points >= 100:
        return f"{size} promise to find no difference between two arms, however large (docs/protocol.md); give {helps}"
    found = f"find a difference of {points} points between two arms in {POWER:.0%} of cases (docs/protocol.md)"
    return f"{size} {found}; {helps} find smaller ones"
