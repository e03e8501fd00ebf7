"""What a run says of itself, by its configuration alone: also one that fails before it trains. Torch-free."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.identity import arm_settings, opened
from headstart.errors import HeadstartError
from headstart.file_names import quote_for_shell
from headstart.sweep.planner import How


def described(cfg: DictConfig, how: How) -> dict[str, Any]:
    """What ``result.json`` says of a run whether it comes to its end or not; its time is now.

    What cannot be known, since the images or the weights are not to be found, is called by its choice or left empty.
    """
    chosen = HydraConfig.get().runtime.choices
    return {
        "model": chosen["model"],
        "arm": chosen["model"],
        "data": _known(lambda: opened(cfg).name, chosen["data"]),
        "labels_per_class": cfg.data.labels_per_class,
        "seed": cfg.seed,
        "fold": cfg.data.fold,
        "folds": cfg.data.folds,
        "settings": _known(lambda: arm_settings(cfg), {}),
        "compare": OmegaConf.to_container(cfg.compare, resolve=True),
        "asked_seeds": list(how.seeds),
        "asked_budgets": how.budgets,
        "asked_arms": how.arms,
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "command": " ".join(["headstart-train", *map(quote_for_shell, HydraConfig.get().overrides.task)]),
    }


def _known(find: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return find()
    except HeadstartError:
        return otherwise
