"""Reads and checks the nodes of callbacks, of ``cfg.callbacks`` and ``cfg.trainer.callbacks``. Torch-free."""

import re
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.errors import HeadstartError

LIGHTNING_PACKAGES = ("lightning.", "pytorch_lightning.")
HYDRA_VALUE_PATTERN = re.compile(r"\$\{hydra:([^}]*)\}")
RUN_CALLBACKS_PACKAGE = "headstart.training.callbacks."
RUN_CALLBACK_OPTIONS = {"RunCheckpoint": "every_seconds", "ProgressLine": "refresh_seconds"}
# Lightning's callbacks that show or write something and change no weight: they are no part of a run's identity.
DISPLAY_CALLBACKS = {
    "DeviceStatsMonitor",
    "LearningRateMonitor",
    "ModelCheckpoint",
    "ModelSummary",
    "OnExceptionCheckpoint",
    "ProgressBar",
    "RichModelSummary",
    "RichProgressBar",
    "TQDMProgressBar",
    "ThroughputMonitor",
}
LOGGER_CALLBACKS = {"DeviceStatsMonitor", "LearningRateMonitor", "ThroughputMonitor"}  # these need a logger

AVERAGING_HINT = "the chosen epoch is tested without its averaged weights; leave it out"
SEARCH_HINT = "the rate or size in use would not be the one recorded; give model.lr or data.batch_size"
RECIPE_HINT = "a model trains by its own recipe; choose another by model="
TIME_HINT = "the result would depend on the machine's speed; give trainer.max_epochs"
REFUSED_CALLBACKS = {
    "BackboneFinetuning": RECIPE_HINT,
    "BasePredictionWriter": "predictions are in predictions.parquet; leave it out",
    "BatchSizeFinder": SEARCH_HINT,
    "LearningRateFinder": SEARCH_HINT,
    "ModelPruning": RECIPE_HINT,
    "StochasticWeightAveraging": AVERAGING_HINT,
    "Timer": TIME_HINT,
    "WeightAveraging": AVERAGING_HINT,
}


def list_callback_nodes(cfg: DictConfig) -> dict[str, DictConfig]:
    """Lists the node of each callback by its key, those of ``cfg.callbacks`` first.

    A node that is null switches its callback off. Before a run there is no ``${hydra:…}``: the text stays then.

    Raises:
        HeadstartError: a node names no class, or a callback of the run gets an option that it does not take.
    """
    if not HydraConfig.initialized():
        cfg = _keep_hydra_values(cfg)
    nodes: dict[str, Any] = {f"callbacks.{name}": node for name, node in (cfg.get("callbacks") or {}).items()}
    listed = cfg.trainer.get("callbacks")
    if listed is not None:
        several = listed if OmegaConf.is_list(listed) else [listed]
        nodes |= {f"trainer.callbacks[{index}]": node for index, node in enumerate(several)}
    for key, node in nodes.items():
        if node is not None and not (OmegaConf.is_dict(node) and "_target_" in node):
            example = "[{_target_: CLASS, ...}]" if key.startswith("trainer.") else f"+{key}._target_=CLASS"
            raise HeadstartError(f"{key}: {node} names no class; give {example}")
    nodes = {key: node for key, node in nodes.items() if node is not None}
    for key, node in nodes.items():
        if is_run_callback(node):
            _check_run_callback(key, node)
    return nodes


def _check_run_callback(key: str, node: DictConfig) -> None:
    """Checks the one option of a callback of the run: seconds, or null for the progress line's default."""
    option = RUN_CALLBACK_OPTIONS.get(node._target_.rpartition(".")[2])
    for name in map(str, node):
        value = node[name]
        if name != "_target_" and name != option:
            raise HeadstartError(f"{key}.{name}: the run gives it, or there is no such option; leave it out")
        is_seconds = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        if name == option and not is_seconds and (value is not None or option == "every_seconds"):
            raise HeadstartError(f"{key}.{name}={value}: give a number of seconds, 0 or more")


def _keep_hydra_values(cfg: DictConfig) -> DictConfig:
    """The configuration with ``hydra:KEY`` in place of ``${hydra:KEY}`` in callbacks: a value of the run alone.

    A callback's identity must not depend on the run directory, whose name has the identity in it.
    """
    plain = {"callbacks": cfg.get("callbacks")}
    if "callbacks" in cfg.trainer:
        plain["trainer"] = {"callbacks": cfg.trainer.callbacks}
    text = OmegaConf.to_yaml(OmegaConf.create(plain), resolve=False)
    if "${hydra:" not in text:
        return cfg
    return OmegaConf.merge(cfg, OmegaConf.create(HYDRA_VALUE_PATTERN.sub(r"hydra:\1", text)))  # type: ignore[return-value]


def is_run_callback(node: DictConfig) -> bool:
    """Whether the node is the run's checkpoint or its progress line."""
    return node._target_.startswith(RUN_CALLBACKS_PACKAGE)


def changes_outcome(node: DictConfig) -> bool:
    """Whether a callback counts in the identity: each one, except our own and Lightning's that only show or write."""
    target = str(node._target_)
    is_display = target.startswith(LIGHTNING_PACKAGES) and target.rpartition(".")[2] in DISPLAY_CALLBACKS
    return not (is_run_callback(node) or is_display)


def callback_settings(cfg: DictConfig) -> dict[str, Any]:
    """Returns the settings of each callback that can change the outcome, by its key."""
    return {
        key: OmegaConf.to_container(node, resolve=True)
        for key, node in list_callback_nodes(_keep_hydra_values(cfg)).items()
        if changes_outcome(node)
    }
