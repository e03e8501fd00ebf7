"""Reads the configuration of a trained run back, to train its arm again. Torch-free."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from headstart.errors import HeadstartError
from headstart.runs.run_directory import CONFIG_FILE, read_config

TRUSTED_PACKAGES = {"headstart", "lightning", "pytorch_lightning"}  # whose classes a configuration may name


def load_run_config(directory: Path, modules: Collection[str] = ()) -> DictConfig:
    """Reads ``config.yaml`` of a run.

    Args:
        directory: the run directory.
        modules: modules of the user's own, whose classes the configuration may name, too. A file that came with a
            sweep never chooses what is imported.

    Raises:
        HeadstartError: the file cannot be read, or names a class of another module.
    """
    values = read_config(directory)
    if not values:
        raise HeadstartError(f"{directory / CONFIG_FILE}: there is no configuration to read; give another sweep")
    for target in _iterate_targets(values):
        packages = {target.partition(".")[0]}
        if not packages & TRUSTED_PACKAGES and not any(target.startswith(f"{module}.") for module in modules):
            module = target.rpartition(".")[0]
            raise HeadstartError(
                f"{directory / CONFIG_FILE}: names {target}; if you trust that module, add --import {module} to the "
                "command, with its folder in PYTHONPATH"
            )
    return OmegaConf.create(_escape_interpolations(values))


def _iterate_targets(tree: Any) -> Iterator[str]:
    """Yields each ``_target_`` in nested values."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "_target_":
                yield str(value)
            yield from _iterate_targets(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _iterate_targets(value)


def _escape_interpolations(tree: Any) -> Any:
    """The values are resolved: a ``${`` in them is the name of a folder."""
    if isinstance(tree, dict):
        return {key: _escape_interpolations(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_escape_interpolations(value) for value in tree]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", tree) if isinstance(tree, str) else tree
