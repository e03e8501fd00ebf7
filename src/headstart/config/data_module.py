"""Builds what ``cfg.data`` describes: the data module, or the torch-free image source of the same name."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from headstart.config.instantiation import build_object
from headstart.constructors import constructor_arguments
from headstart.data.image_folder import ImageFolder
from headstart.data.image_source import ImageSource
from headstart.data.layout.layout import Layout
from headstart.data.layout.scan import LabeledFile, scan_folder
from headstart.data.sources import find_source_class
from headstart.errors import HeadstartError

# The keys of cfg.data that Headstart itself reads, with their defaults.
DATA_MODULE_KEYS = {"labels_per_class": None, "folds": None, "fold": 0, "seed": 0}


def load_source(cfg: DictConfig) -> ImageSource:
    """The image source of the data module that ``cfg.data`` describes.

    The arms of a sweep share it, so that its files are hashed once. Sources of one folder share the list of its files.

    Raises:
        HeadstartError: there is no such data module, or it refuses its settings.
    """
    return _load_cached_source(json.dumps(OmegaConf.to_container(cfg.data, resolve=True, throw_on_missing=True)))


@lru_cache(maxsize=16)
def _load_cached_source(data: str) -> ImageSource:
    source = build_source(json.loads(data))
    if isinstance(source, ImageFolder):
        source.scan = _scan_root
    return source


@lru_cache(maxsize=4)
def _scan_root(root: Path) -> tuple[Layout, tuple[LabeledFile, ...]]:
    return scan_folder(root)


def build_source(node: Mapping[str, Any]) -> ImageSource:
    """A new image source of the data module that plain values describe.

    Args:
        node: resolved values of ``cfg.data``, with their ``_target_``.

    Raises:
        HeadstartError: there is no such data module, or it refuses its settings.
    """
    target = node["_target_"]
    if source_class := find_source_class(target):
        return build_object({**node, "_target_": f"{source_class.__module__}.{source_class.__qualname__}"}, "data")
    module = build_data_module(node)
    if isinstance(module, ImageSource):
        raise HeadstartError(f"data: {target} is an image source; name its data module, such as {target}DataModule")
    from headstart.data.module_source import DataModuleSource

    if isinstance(getattr(module, "source", None), ImageSource):
        return module.source
    settings = {key: node[key] for key in DATA_MODULE_KEYS}
    source = DataModuleSource(module=module, **settings)
    source.check_equal(DataModuleSource(module=build_data_module(node), **settings))
    return source


def build_data_module(node: DictConfig | Mapping[str, Any]) -> Any:
    """The data module that a node describes; a user's own is given only the arguments that it takes.

    Raises:
        HeadstartError: there is no such class, it refuses its settings, or it takes no budget or folds that were given.
    """
    plain: Any = node
    if OmegaConf.is_config(node):
        plain = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    plain = dict(plain)
    try:
        accepted = constructor_arguments(get_class(plain["_target_"]))
    except Exception:  # build_object has the message
        accepted = None
    if accepted is not None:
        for key, default in DATA_MODULE_KEYS.items():
            if key not in accepted and plain.pop(key, default) != default and key != "seed":
                raise HeadstartError(
                    f"data.{key}={node[key]}: {plain['_target_']} takes no such argument; leave it out"
                )
    return build_object(plain, "data")


def clear_source_cache() -> None:
    """Files may have changed since the last command of this process."""
    _load_cached_source.cache_clear()
    _scan_root.cache_clear()
