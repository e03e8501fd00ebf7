"""What a run says of itself, by its configuration alone: also one that fails before it trains. Torch-free."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.identity import arm_settings, load_source
from headstart.errors import HeadstartError
from headstart.file_names import quote_for_shell


def run_metadata(cfg: DictConfig) -> dict[str, Any]:
    """What ``result.json`` says of a run whether it comes to its end or not; its time is now.

    What cannot be known, since the images or the weights are not to be found, is called by its choice or left empty.
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
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "command": " ".join(["headstart-train", *map(quote_for_shell, HydraConfig.get().overrides.task)]),
    }


def _find_or_default(find: Callable[[], Any], default: Any) -> Any:
    try:
        return find()
    except HeadstartError:
        return default
