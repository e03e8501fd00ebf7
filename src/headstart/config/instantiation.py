"""Builds objects from nodes of the configuration. Torch-free."""

import json
from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from headstart.errors import HeadstartError, find_headstart_error

# What a constructor raises for arguments that it does not take.
CONSTRUCTOR_ERRORS = (TypeError, ValueError, ImportError)


def build_object(node: DictConfig | Mapping[str, Any], key: str, **more: Any) -> Any:
    """The object that a node describes: Hydra's ``instantiate``, but what is resolved stays as it is.

    Hydra would read the arguments as configuration once more, and take a folder called ``${x}`` for an interpolation,
    or a class called ``???`` for a missing value.

    Args:
        node: of a composed configuration, or its plain values, with a ``_target_``.
        key: the node's place in the configuration, for the message.
        more: further arguments, given to the constructor as they are.

    Raises:
        HeadstartError: the class is not found, does not take its arguments, or says itself what is wrong.
    """
    plain: Any = node
    if OmegaConf.is_config(node):
        plain = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    target = str(plain["_target_"])
    recipe = {name: value for name, value in plain.items() if name.startswith("_") and name.endswith("_")}
    try:
        arguments = {name: _build_nested(value) for name, value in plain.items() if name not in recipe}
        constructor = instantiate(recipe | {"_partial_": True})
    except InstantiationException as error:
        if cause := find_headstart_error(error):
            raise cause from error
        if "Error locating target" not in str(error):
            raise
        raise HeadstartError(
            f"{key}: there is no {target}; check the name, install what holds it, or put the folder of "
            f"{target.rpartition('.')[0]} on PYTHONPATH"
        ) from error
    try:
        return constructor(**arguments, **more)
    except Exception as error:
        # Lightning's own exception by its name: to import it would take the seconds that torch takes.
        if not (isinstance(error, CONSTRUCTOR_ERRORS) or type(error).__name__ == "MisconfigurationException"):
            raise
        raise HeadstartError(f"{key}: {target.rpartition('.')[2]} refuses its settings ({error})") from error


def _build_nested(value: Any) -> Any:
    """The value; where an object stands in it, as Hydra builds it."""
    holds_object = isinstance(value, dict | list) and '"_target_"' in json.dumps(value, default=str)
    return instantiate(value, _convert_="all") if holds_object else value
