"""What a command asks for, before anything trains: its runs, their budgets, their directory; and the end."""

import hashlib
import json
import math
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from headstart import app, runs
from headstart.complaints import one_line
from headstart.errors import HeadstartError
from headstart.estimate import epochs_for, seconds, typed_length
from headstart.identity import forget_sources
from headstart.overrides import bare
from headstart.terminal import duration

BUDGET = "data.labels_per_class"
CALLED = {"data": "data set", BUDGET: "budget"}  # other keys are words already
PER_RUN_BYTES = 20_000_000  # a checkpoint of the embedded backbone, predictions and the rest


@dataclass
class Plan:
    """One command: what Hydra gets to see of it, and what a person does.

    Args:
        argv: the overrides and flags for Hydra, budgets and the sweep's directory filled in.
        total: how many runs; 0 where the command trains nothing (``--help``).
        directory: the sweep's; None for a single run.
    """

    argv: list[str]
    total: int = 0
    directory: Path | None = None
    seconds: list[float] = field(default_factory=list)

    def job(self, run: Callable[..., dict[str, Any]]) -> Callable[[DictConfig], Any]:
        """``run`` as Hydra calls it: numbered, and a failure kept in its run directory."""

        def numbered(cfg: DictConfig) -> Any:
            directory = Path(HydraConfig.get().runtime.output_dir)
            if self.directory is None:
                done = "done before, nothing trained: " if runs.finished(directory) else ""
                result = run(cfg)
                print(f"{done}accuracy {result['metrics']['test/accuracy']:.1%} on the test images; run: {directory}")
                return result
            number = HydraConfig.get().job.num + 1
            left = sum(self.seconds) / len(self.seconds) * (self.total - number) if self.seconds else None
            began = time.monotonic()
            try:
                result = run(cfg, f"[{number}/{self.total}] ", left)
            except runs.BusyError:
                raise
            except Exception as error:
                self._failed(directory, error)
                raise
            self.seconds.append(time.monotonic() - began)
            return result

        return numbered

    def _failed(self, directory: Path, error: Exception) -> None:
        line = one_line(error)
        if directory.is_dir() and not runs.finished(directory):
            runs.write_json(directory / runs.RESULT, {"status": "failed", "error": line})

    def ended(self, code: int) -> int:
        """Prints the sweep's table, which names what failed; the exit code."""
        if self.directory is None or code not in (0, 1) or not any(runs.results(self.directory)):
            return code
        from headstart.compare.show import show

        show(self.directory)
        print(f"sweep: {self.directory}")
        return code


def carry_out(run: Callable[..., dict[str, Any]], argv: list[str]) -> int:
    """Plans what the (quoted) command asks for, lets Hydra do it, and says how it ended; the exit code."""
    forget_sources()
    plan = planned(argv)
    return plan.ended(app.launch(plan.job(run), plan.argv))


def planned(argv: list[str]) -> Plan:
    """Fills in what a sweep leaves open and says what it will do.

    Raises:
        HeadstartError: the data are wrong, or a budget that was typed does not fit them.
    """
    asked = app.asked(argv)
    if asked is None:
        return Plan(argv)
    cfg = asked.config
    if not asked.multirun:
        return Plan(argv, total=1)
    sweeps, argv = dict(asked.sweeps), list(argv)
    _check_each_choice(argv, sweeps)
    axes = {k: choices for k, choices in sweeps.items() if k != BUDGET and k.partition(".")[0] == "data"}
    sources = [_source(_with(argv, dict(zip(axes, choices, strict=True)))) for choices in product(*axes.values())]
    if BUDGET not in sweeps and cfg.data.labels_per_class == "auto":
        from headstart.data import available_budgets

        fitting = [k for k in available_budgets(sources[0]) if all(k in available_budgets(s) for s in sources[1:])]
        sweeps[BUDGET] = [str(k) for k in fitting] or ["null"]
        argv.append(f"{BUDGET}={','.join(sweeps[BUDGET])}")
    # A budget that does not fit is an error here, before any training.
    budgets = [_budget(k) for k in sweeps.get(BUDGET, [cfg.data.labels_per_class])]
    sources = [replace(source, labels_per_class=k) for source in sources for k in budgets]
    sizes = [(len(s.split.train), s.spec.labels_per_class, s.spec.shape[1]) for s in sources]
    each = [seconds(arm, *size) for arm in _arms(argv, cfg, sweeps) for size in sizes]
    total = math.prod(len(choices) for choices in sweeps.values())
    typed = any(a.startswith("hydra.sweep.dir=") for a in argv)
    directory = Path(cfg.hydra.sweep.dir if typed else f"runs/{_name(cfg, sweeps)}")
    if not typed:
        argv.append(f"hydra.sweep.dir={directory}")
    runs.forget_failures(directory)
    plan = Plan(argv, total, directory)
    _announce(plan, cfg, sweeps, total * sum(each) / len(each))
    return plan


def _budget(text: Any) -> int | None:
    if text in (None, "null", "None"):
        return None
    if not str(text).isdecimal():
        raise HeadstartError(f"{BUDGET}={text}: give whole numbers, or null for all; auto stands alone")
    return int(text)


def _check_each_choice(argv: list[str], sweeps: dict[str, list[str]]) -> None:
    """Each choice of each axis, the others' first beside it: what a torch-free look finds, it finds before training."""
    for key, choices in sweeps.items():
        for choice in choices if key != BUDGET else []:
            cfg = _with(argv, {key: choice})
            typed_length(cfg)
            epochs_for(cfg.model.epochs, 1)
            _source(cfg)


def _arms(argv: list[str], cfg: DictConfig, sweeps: dict[str, list[str]]) -> list[DictConfig]:
    """A configuration for each model that is swept; the others' first choices stand for them all."""
    return [_with(argv, {"model": model}) for model in sweeps.get("model", [])] or [cfg]


def _with(argv: list[str], choices: dict[str, str]) -> DictConfig:
    """The configuration of the command's first run, but for these choices."""
    typed = {bare(word.partition("=")[0]): word.partition("=")[0] for word in argv if "=" in word}
    rest = [word for word in argv if bare(word.partition("=")[0]) not in choices]
    try:
        return app.asked([*rest, *(f"{typed.get(key, key)}={choice}" for key, choice in choices.items())]).config  # type: ignore[union-attr]
    except HeadstartError as error:
        beside = ", ".join(f"{key}={choice}" for key, choice in choices.items())
        raise HeadstartError(f"with {beside}: {error}") from error


def _source(cfg: DictConfig) -> Any:
    return instantiate(cfg.data, labels_per_class=None)


def _name(cfg: DictConfig, sweeps: dict[str, list[str]]) -> str:
    """Experiment, data and a hash of what was asked apart from seeds and budgets."""
    apart = {"seed", BUDGET}
    asked = {k: v for k, v in sorted(sweeps.items()) if k not in apart}
    settled: Any = OmegaConf.to_container(cfg, resolve=False)
    settled.pop("seed", None)
    settled.pop("hydra", None)
    for key in ("labels_per_class", "num_workers"):
        settled.get("data", {}).pop(key, None)
    text = json.dumps([asked, settled], sort_keys=True, default=str)
    choices = cfg.get("hydra", {}).get("runtime", {}).get("choices", {})
    parts = [choices.get("experiment") or "sweep", choices.get("data") or "data"]
    return "-".join([*parts, hashlib.sha256(text.encode()).hexdigest()[:8]])


def _counted(n: int, key: str) -> str:
    """``"3 seeds"``, ``"2 of model.head_lr"``."""
    word = CALLED.get(key, key)
    return f"{n} of {key}" if "." in word else f"{n} {word}{'s' if n > 1 else ''}"


def _announce(plan: Plan, cfg: DictConfig, sweeps: dict[str, list[str]], in_all: float) -> None:
    assert plan.directory is not None
    seeds = set(sweeps.get("seed", [str(cfg.seed)]))
    budgets = {_budget(k) for k in sweeps.get(BUDGET, [cfg.data.labels_per_class])}
    done = [
        r["cost"]["seconds_in_all"]
        for _, r in runs.results(plan.directory)
        if str(r.get("seed")) in seeds and r.get("labels_per_class") in budgets
    ]
    axes = " × ".join(_counted(len(choices), key) for key, choices in sweeps.items())
    left = max(plan.total - len(done), 0)
    about = f", about {duration(left * (sum(done) / len(done) if done else in_all / plan.total))}" if left else ""
    place = next(p for p in (plan.directory.absolute(), *plan.directory.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(place).free / 1e9
    print(
        f"{plan.total} run{'s' if plan.total > 1 else ''}{f' ({axes})' if axes else ''}, {len(done)} done{about}; "
        f"up to {left * PER_RUN_BYTES / 1e6:,.0f} MB of disk ({free:,.0f} GB free): {plan.directory}",
        file=sys.stderr,
    )
