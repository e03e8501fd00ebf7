"""Objects from composed configuration, whose resolved values are data. Torch-free."""

import json
from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from headstart.errors import HeadstartError


def construct(settings: DictConfig | Mapping[str, Any], group: str, **more: Any) -> Any:
    """The object that ``settings[group]`` describes: Hydra's ``instantiate``, but what is resolved stays as it is.

    Hydra would read the arguments as configuration once more, and take a folder called ``${x}`` for an interpolation,
    or a class called ``???`` for a missing value.

    Args:
        settings: a composed configuration, or its plain values.
        group: ``data`` or ``model``; its value has a ``_target_``.
        more: further arguments, given to the constructor as they are.

    Raises:
        HeadstartError: of the constructor.
        InstantiationException: the constructor failed otherwise, or takes no such argument.
    """
    node = settings[group]
    if OmegaConf.is_config(node):
        node = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    recipe = {key: value for key, value in node.items() if key.startswith("_") and key.endswith("_")}
    arguments = {key: _build_nested(value) for key, value in node.items() if key not in recipe}
    build = instantiate(recipe | {"_partial_": True})
    try:
        return build(**arguments, **more)
    except HeadstartError:
        raise
    except Exception as error:
        raise InstantiationException(
            f"Error in call to target '{node['_target_']}':\n{error!r}\nfull_key: {group}"
        ) from error


def _build_nested(value: Any) -> Any:
    """The value; where an object stands in it, as Hydra builds it."""
    holds_object = isinstance(value, dict | list) and '"_target_"' in json.dumps(value, default=str)
    return instantiate(value, _convert_="all") if holds_object else value
