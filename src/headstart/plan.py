"""What a command asks for, before anything trains: its runs, their budgets, their directory; and the end."""

import hashlib
import json
import math
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from headstart import app, runs
from headstart.complaints import one_line
from headstart.estimate import seconds
from headstart.identity import forget_sources
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
    if BUDGET not in sweeps and cfg.data.labels_per_class == "auto":
        from headstart.data import available_budgets

        fitting = available_budgets(_source(cfg, None))
        sweeps[BUDGET] = [str(k) for k in fitting] or ["null"]
        argv.append(f"{BUDGET}={','.join(sweeps[BUDGET])}")
    # A budget that does not fit is an error here, before any training.
    sources = [_source(cfg, _budget(k)) for k in sweeps.get(BUDGET, [cfg.data.labels_per_class])]
    sizes = [(len(s.split.train), s.spec.labels_per_class, s.spec.shape[1]) for s in sources]
    each = [seconds(arm, *size) for arm in _arms(argv, cfg, sweeps) for size in sizes]
    total = math.prod(len(choices) for choices in sweeps.values())
    typed = any(a.startswith("hydra.sweep.dir=") for a in argv)
    directory = Path(cfg.hydra.sweep.dir if typed else f"runs/{_name(cfg, sweeps)}")
    if not typed:
        argv.append(f"hydra.sweep.dir={directory}")
    runs.forget_failures(directory)
    plan = Plan(argv, total, directory)
    _announce(plan, sweeps, total * sum(each) / len(each))
    return plan


def _budget(text: Any) -> int | None:
    return None if text in (None, "null", "None") else int(text)


def _arms(argv: list[str], cfg: DictConfig, sweeps: dict[str, list[str]]) -> list[DictConfig]:
    """A configuration for each model that is swept; the others' first choices stand for them all."""
    rest = [word for word in argv if not word.startswith("model=")]
    return [app.asked([*rest, f"model={model}"]).config for model in sweeps.get("model", [])] or [cfg]  # type: ignore[union-attr]


def _source(cfg: DictConfig, labels_per_class: int | None) -> Any:
    return instantiate(cfg.data, labels_per_class=labels_per_class)


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


def _announce(plan: Plan, sweeps: dict[str, list[str]], in_all: float) -> None:
    assert plan.directory is not None
    done = [r["cost"]["seconds_in_all"] for _, r in runs.results(plan.directory)]
    axes = " × ".join(_counted(len(choices), key) for key, choices in sweeps.items())
    left = max(plan.total - len(done), 0)
    about = f", about {duration(left * (sum(done) / len(done) if done else in_all / plan.total))}" if left else ""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    print(
        f"{plan.total} runs ({axes}), {len(done)} done{about}; "
        f"up to {left * PER_RUN_BYTES / 1e6:,.0f} MB of disk ({free:,.0f} GB free): {plan.directory}",
        file=sys.stderr,
    )
