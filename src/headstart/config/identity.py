"""What a run is: the settings that its arm uses and a hash of what its outcome depends on. Torch-free."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from headstart.backbones import resolve
from headstart.config.instantiation import build_object
from headstart.errors import HeadstartError
from headstart.version import __version__

if TYPE_CHECKING:
    from headstart.data.image_source import Source

# Where a run is computed and what is shown meanwhile; none of it is part of what comes out.
HOW = {"_target_", "accelerator", "devices", "logger", "enable_progress_bar", "enable_model_summary"}
# Which images, not how they are used: no two arms differ by it.
WHICH = {"_target_", "root", "labels_per_class", "num_workers", "on_copies", "seed", "folds", "fold"}
TRAINERS = ("lightning.Trainer", "lightning.pytorch.Trainer", "lightning.pytorch.trainer.trainer.Trainer")
# The arguments of a model that name pretrained weights.
STARTS = {"backbone", "teacher"}


def arm_settings(cfg: DictConfig) -> dict[str, Any]:
    """The arm's settings as a flat dict with dotted keys: the model's, its backbone's, the trainer's.

    A backbone appears only where the arm has one, and for a scratch arm as its network alone.
    """
    model = _plain(cfg.model)
    for pretrained in STARTS & set(model):
        model[pretrained] = resolve.resolve(model[pretrained])
    if "architecture" in model:
        model["architecture"] = resolve.architecture(model["architecture"])
    trainer, data = _plain(cfg.trainer), _plain(cfg.data)
    tune = {"tune": {"trials": cfg.tune.trials, "space": tuned_settings(cfg)}} if cfg.tune.trials else {}
    return _flat(
        {
            **tune,
            "model": model,
            "trainer": {k: v for k, v in trainer.items() if k not in HOW},
            "data": {k: v for k, v in data.items() if k not in WHICH},
        }
    )


def tuned_settings(cfg: DictConfig) -> dict[str, Any]:
    """Which of the model's settings are searched for, and between what values."""
    return {name: ends for name, ends in _plain(cfg.tune.space).items() if name in cfg.model}


def opened(cfg: DictConfig) -> "Source":
    """The source that ``cfg.data`` describes; a sweep's arms share it, so that files are looked through once."""
    return _opened(json.dumps(OmegaConf.to_container(cfg.data, resolve=True, throw_on_missing=True)))


@lru_cache(maxsize=16)
def _opened(data: str) -> "Source":
    return build_object(json.loads(data), "data")


def forget_sources() -> None:
    """Files may have changed since the last command of this process."""
    _opened.cache_clear()


def run_name(cfg: DictConfig) -> str:
    """The folder of a run, see :func:`name_run`; Hydra asks for it before the run begins."""
    try:
        return name_run(cfg, identify_run(cfg))
    except HeadstartError:
        return name_run(cfg, "unknown")  # the run itself says what is wrong, without an end to the sweep's others


# Hydra names the run directory by it (conf/train.yaml).
OmegaConf.register_new_resolver("headstart.run", lambda *, _root_: run_name(_root_), replace=True)


def name_run(cfg: DictConfig, identity: str) -> str:
    """The folder of a run: its choices and the first 8 letters of its identity."""
    return f"{run_title(cfg, cfg.hydra.runtime.choices)}-{identity[:8]}"


def identify_run(cfg: DictConfig) -> str:
    """What the run of a configuration is, see :func:`identify`; its images are looked through for it.

    Raises:
        HeadstartError: its images or its weights are not to be had.
    """
    return identify(cfg, opened(cfg).digest)


def run_title(cfg: DictConfig, choices: Mapping[str, Any]) -> str:
    """What a run is called: model, data, budget, seed and fold, e.g. ``finetune-digits-5-seed0``."""
    budget = "all" if cfg.data.labels_per_class is None else cfg.data.labels_per_class
    fold = f"-fold{cfg.data.fold}" if cfg.data.folds else ""
    return f"{choices['model']}-{choices['data']}-{budget}-seed{cfg.seed}{fold}"


def identify(cfg: DictConfig, data_digest: str) -> str:
    """SHA-256 of all that the run's outcome depends on, and nothing else: no path, worker or logger."""
    settings = arm_settings(cfg)
    for name in STARTS:
        settings.pop(f"model.{name}.weights", None)
    # A class of one's own may read the same files in another way, or train in another way.
    classes = [cfg.data._target_, cfg.trainer._target_]
    foreign = [name for name in classes if not name.startswith("headstart.data.") and name not in TRAINERS]
    return _hash(
        {
            **({"classes": foreign} if foreign else {}),
            "settings": settings,
            "weights": [resolve.digest(resolved) for resolved in _resolved(cfg).values()],
            "data": data_digest,
            "labels_per_class": cfg.data.labels_per_class,
            "seed": cfg.seed,
            "fold": [cfg.data.folds, cfg.data.fold] if cfg.data.folds else 0,
            "version": __version__,
        }
    )


def starts(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    """Where each pretrained network of the arm comes from, by its argument's name; see ``backbones.origin``."""
    return {name: resolve.origin(resolved) for name, resolved in _resolved(cfg).items()}


def _resolved(cfg: DictConfig) -> dict[str, dict[str, Any]]:
    model = _plain(cfg.model)
    return {name: resolve.resolve(model[name]) for name in sorted(STARTS & set(model))}


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys; a dict with keys that are not words (an epochs table) stays one value."""
    flat: dict[str, Any] = {}
    for k, v in tree.items():
        if isinstance(v, dict) and v and all(isinstance(inner, str) for inner in v):
            flat |= _flat(v, f"{prefix}{k}.")
        else:
            flat[f"{prefix}{k}"] = v
    return flat


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
