"""Collects the fields of a result that follow from the configuration, also for a run that fails. Torch-free."""

from datetime import UTC, datetime
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.compare.declaration import declared_values
from headstart.config.identity import arm_settings
from headstart.config.trainer_options import find_debug_reason
from headstart.data.image_source import ImageSource
from headstart.file_names import quote_for_shell
from headstart.runs.result import RunResult


def describe_run(cfg: DictConfig, source: ImageSource, identity: str) -> RunResult:
    """Describes a run that has just started: a result without any measurement, with the status ``failed``."""
    hydra = HydraConfig.get()
    compare: Any = OmegaConf.to_container(cfg.compare, resolve=True)
    return RunResult(
        status="failed",
        model=hydra.runtime.choices["model"],
        data=source.name,
        seed=cfg.seed,
        labels_per_class=cfg.data.labels_per_class,
        fold=cfg.data.fold,
        folds=cfg.data.folds,
        settings=arm_settings(cfg),
        compare=declared_values(compare),
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        command=" ".join(["headstart-train", *map(quote_for_shell, hydra.overrides.task)]),
        identity=identity,
        debug=find_debug_reason(cfg),
    )
