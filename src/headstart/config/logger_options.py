"""Reads and checks the nodes of loggers, of ``cfg.logger``. Torch-free."""

from importlib.util import find_spec
from typing import Any

from omegaconf import DictConfig, OmegaConf

from headstart.errors import HeadstartError

# The package that each of Lightning's loggers needs; an extra of headstart has the same name.
LOGGER_PACKAGES = {"MLFlowLogger": "mlflow", "TensorBoardLogger": "tensorboard", "WandbLogger": "wandb"}


def list_logger_nodes(logger: DictConfig | None) -> dict[str, Any]:
    """Lists the node of each logger by its key: of the group itself, or of the several that it names.

    A node that is null switches its logger off.

    Raises:
        HeadstartError: a node names no class.
    """
    if not logger:
        return {}
    nodes: dict[str, Any] = {"logger": logger}
    if "_target_" not in logger:
        nodes = {f"logger.{name!s}": node for name, node in logger.items() if node is not None}
    for key, node in nodes.items():
        if not (OmegaConf.is_dict(node) and "_target_" in node):
            raise HeadstartError(f"{key}: names no class; give +{key}._target_=CLASS")
    return nodes


def check_loggers(logger: DictConfig | None) -> None:
    """Checks that each logger names a class and that its package is installed.

    Raises:
        HeadstartError: one does not, or is not.
    """
    classes = [str(node._target_).rpartition(".")[2] for node in list_logger_nodes(logger).values()]
    packages = [LOGGER_PACKAGES[name] for name in classes if name in LOGGER_PACKAGES]
    if missing := [package for package in packages if not find_spec(package)]:
        names = " and ".join(missing)
        verb = "is" if len(missing) == 1 else "are"
        raise HeadstartError(f"logger: {names} {verb} not installed; pip install headstart[{','.join(missing)}]")
