"""From a node of the configuration to the object that it describes. Torch-free."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from headstart.complaints import find_headstart_error
from headstart.errors import HeadstartError

REFUSALS = (TypeError, ValueError, ImportError)  # what a constructor raises for arguments that it does not take


def build(node: DictConfig, key: str, **arguments: Any) -> Any:
    """The object that a node with a ``_target_`` describes.

    Args:
        node: what Hydra instantiates.
        key: the node's place in the configuration, for the message.
        **arguments: further arguments, Python objects that are handed over as they are.

    Raises:
        HeadstartError: its class is not found, or does not take its arguments.
    """
    try:
        # The arguments do not pass through OmegaConf, which would read names of classes as its own syntax.
        build_object = instantiate(node, _convert_="all", _partial_=True)
    except InstantiationException as error:
        if cause := find_headstart_error(error):
            raise cause from error
        if "Error locating target" not in str(error):
            raise
        module = str(node._target_).rpartition(".")[0]
        raise HeadstartError(
            f"{key}: there is no {node._target_}; check the name, install what holds it, or put the folder of {module} "
            "on PYTHONPATH"
        ) from error
    try:
        return build_object(**arguments)
    except Exception as error:
        # Lightning's own exception by its name: to import it would take the seconds that torch takes.
        if not (isinstance(error, REFUSALS) or type(error).__name__ == "MisconfigurationException"):
            raise
        raise HeadstartError(
            f"{key}: {str(node._target_).rpartition('.')[2]} refuses its settings ({error})"
        ) from error
