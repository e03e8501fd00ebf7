"""What a run is: the settings that its arm uses and a hash of what its outcome depends on. Torch-free."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from headstart.backbones.provenance import weights_provenance, weights_sha256
from headstart.backbones.resolve import resolve_architecture, resolve_backbone
from headstart.config.callback_options import callback_settings
from headstart.config.data_module import load_source
from headstart.config.trainer_options import is_single_device
from headstart.errors import HeadstartError
from headstart.version import __version__

# Where a run computes and what it shows meanwhile: none of it changes the outcome. Callbacks have a rule of their own.
IGNORED_TRAINER_KEYS = {
    "_target_",
    "accelerator",
    "callbacks",
    "detect_anomaly",
    "enable_model_summary",
    "enable_progress_bar",
    "log_every_n_steps",
    "logger",
    "profiler",
}
# Which images, not how they are used: no two arms differ by it.
DATA_SELECTION_KEYS = {"_target_", "root", "labels_per_class", "num_workers", "on_copies", "seed", "folds", "fold"}
DATA_SELECTION_KEYS |= {"group"}  # what it means for the images is in their digest
LIGHTNING_TRAINERS = ("lightning.Trainer", "lightning.pytorch.Trainer", "lightning.pytorch.trainer.trainer.Trainer")
# The arguments of a model that name pretrained weights.
PRETRAINED_ARGUMENTS = {"backbone", "teacher"}


def arm_settings(cfg: DictConfig) -> dict[str, Any]:
    """The arm's settings as a flat dict with dotted keys: the model's, its backbone's, the trainer's.

    A backbone appears only where the arm has one, and for a scratch arm as its network alone.
    """
    model = _to_plain(cfg.model)
    for pretrained in PRETRAINED_ARGUMENTS & set(model):
        model[pretrained] = resolve_backbone(model[pretrained])
    if "architecture" in model:
        model["architecture"] = resolve_architecture(model["architecture"])
    trainer, data = _to_plain(cfg.trainer), _to_plain(cfg.data)
    trainer = {key: value for key, value in trainer.items() if key not in IGNORED_TRAINER_KEYS}
    if is_single_device(trainer.get("devices", 1)):
        trainer.pop("devices", None)
    tune = {"tune": {"trials": cfg.tune.trials, "space": tuned_settings(cfg)}} if cfg.tune.trials else {}
    data = {key: value for key, value in data.items() if key not in DATA_SELECTION_KEYS}
    return _flatten({**tune, "model": model, "trainer": trainer, "data": data}) | callback_settings(cfg)


def tuned_settings(cfg: DictConfig) -> dict[str, Any]:
    """Which of the model's settings are searched for, and between what values."""
    return {name: ends for name, ends in _to_plain(cfg.tune.space).items() if name in cfg.model}


def resolve_run_name(cfg: DictConfig) -> str:
    """The folder of a run, see :func:`format_run_name`; Hydra resolves it before the run begins."""
    try:
        return format_run_name(cfg, identify_run(cfg))
    except HeadstartError:  # the run raises it again, and the other runs of its sweep go on
        return format_run_name(cfg, "unknown")


# Hydra names the run directory by it (conf/train.yaml).
OmegaConf.register_new_resolver("headstart.basename", lambda path: Path(path).name, replace=True)
OmegaConf.register_new_resolver("headstart.run", lambda *, _root_: resolve_run_name(_root_), replace=True)


def format_run_name(cfg: DictConfig, identity: str) -> str:
    """The folder of a run: its choices and the first 8 letters of its identity."""
    return f"{format_run_title(cfg, cfg.hydra.runtime.choices)}-{identity[:8]}"


def identify_run(cfg: DictConfig) -> str:
    """The identity of a configuration's run, see :func:`compute_identity`; it lists and hashes the images.

    Raises:
        HeadstartError: the images or the weights are missing.
    """
    return compute_identity(cfg, load_source(cfg).digest)


def format_run_title(cfg: DictConfig, choices: Mapping[str, Any]) -> str:
    """What a run is called: model, data, budget, seed and fold, e.g. ``finetune-digits-5-seed0``."""
    budget = "all" if cfg.data.labels_per_class is None else cfg.data.labels_per_class
    fold = f"-fold{cfg.data.fold}" if cfg.data.folds else ""
    return f"{choices['model']}-{choices['data']}-{budget}-seed{cfg.seed}{fold}"


def compute_identity(cfg: DictConfig, data_digest: str) -> str:
    """SHA-256 of all that the run's outcome depends on, and nothing else: no path, worker or logger."""
    settings = arm_settings(cfg)
    for name in PRETRAINED_ARGUMENTS:
        settings.pop(f"model.{name}.weights", None)
    # A class of one's own may read the same files in another way, or train in another way.
    classes = [cfg.data._target_, cfg.trainer._target_]
    foreign = [name for name in classes if not name.startswith("headstart.data.") and name not in LIGHTNING_TRAINERS]
    return _hash_json(
        {
            **({"classes": foreign} if foreign else {}),
            **({"debug": cfg.debug} if cfg.get("debug") else {}),
            "settings": settings,
            "weights": [weights_sha256(resolved) for resolved in _resolve_backbones(cfg).values()],
            "data": data_digest,
            "labels_per_class": cfg.data.labels_per_class,
            "seed": cfg.seed,
            "fold": [cfg.data.folds, cfg.data.fold] if cfg.data.folds else 0,
            "version": __version__,
        }
    )


def pretrained_origins(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """Where each pretrained network of the arm comes from, by its argument's name; see ``weights_provenance``."""
    return {name: weights_provenance(resolved) for name, resolved in _resolve_backbones(cfg).items()}


def _resolve_backbones(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    model = _to_plain(cfg.model)
    return {name: resolve_backbone(model[name]) for name in sorted(PRETRAINED_ARGUMENTS & set(model))}


def _to_plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True)


def _flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys; a dict with keys that are not words (an epochs table) stays one value."""
    flat: dict[str, Any] = {}
    for k, v in tree.items():
        if isinstance(v, dict) and v and all(isinstance(inner, str) for inner in v):
            flat |= _flatten(v, f"{prefix}{k}.")
        else:
            flat[f"{prefix}{k}"] = v
    return flat


def _hash_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
