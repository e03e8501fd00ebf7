"""Collects the fields of a result that follow from the configuration, also for a run that fails. Torch-free."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.identity import arm_settings, load_source
from headstart.config.trainer_options import find_debug_reason
from headstart.errors import HeadstartError
from headstart.file_names import quote_for_shell
from headstart.runs.result import RunResult


def describe_run(cfg: DictConfig, identity: str = "") -> RunResult:
    """Describes a run that has just started: a result without any measurement, with the status ``failed``.

    Where images or weights are missing, ``data`` is the name of its choice and ``settings`` is empty.
    """
    hydra = HydraConfig.get()
    compare: Any = OmegaConf.to_container(cfg.compare, resolve=True)
    return RunResult(
        status="failed",
        model=hydra.runtime.choices["model"],
        data=_find_or_default(lambda: load_source(cfg).name, hydra.runtime.choices["data"]),
        seed=cfg.seed,
        labels_per_class=cfg.data.labels_per_class,
        fold=cfg.data.fold,
        folds=cfg.data.folds,
        settings=_find_or_default(lambda: arm_settings(cfg), {}),
        compare=compare,
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        command=" ".join(["headstart-train", *map(quote_for_shell, hydra.overrides.task)]),
        identity=identity,
        debug=find_debug_reason(cfg),
    )


def _find_or_default(find: Callable[[], Any], default: Any) -> Any:
    try:
        return find()
    except HeadstartError:
        return default
