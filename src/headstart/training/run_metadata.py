"""Collects the fields of ``result.json`` that follow from the configuration, also for a run that fails. Torch-free."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.identity import arm_settings, load_source
from headstart.config.trainer_options import find_debug_reason
from headstart.errors import HeadstartError
from headstart.file_names import quote_for_shell
from headstart.sweep.planner import RunContext


def run_metadata(cfg: DictConfig, context: RunContext) -> dict[str, Any]:
    """Collects the fields that a finished and a failed run have alike.

    Where images or weights are missing, ``data`` is the name of its choice and ``settings`` is empty.
    """
    chosen = HydraConfig.get().runtime.choices
    return {
        "model": chosen["model"],
        "arm": chosen["model"],
        "data": _find_or_default(lambda: load_source(cfg).name, chosen["data"]),
        "labels_per_class": cfg.data.labels_per_class,
        "seed": cfg.seed,
        "fold": cfg.data.fold,
        "folds": cfg.data.folds,
        "settings": _find_or_default(lambda: arm_settings(cfg), {}),
        "compare": OmegaConf.to_container(cfg.compare, resolve=True),
        "asked_seeds": list(context.requested_seeds),
        "asked_budgets": context.num_budgets,
        "asked_arms": context.num_arms,
        "debug": find_debug_reason(cfg),
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "command": " ".join(["headstart-train", *map(quote_for_shell, HydraConfig.get().overrides.task)]),
    }


def _find_or_default(find: Callable[[], Any], default: Any) -> Any:
    try:
        return find()
    except HeadstartError:
        return default
