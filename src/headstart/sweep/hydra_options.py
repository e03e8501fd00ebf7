"""Checks that each ``hydra.`` option of a command takes effect. Torch-free."""

import re
from typing import Any

from omegaconf import OmegaConf

from headstart.config.compose import ComposedCommand
from headstart.config.overrides import override_key
from headstart.config.validation import iterate_strings
from headstart.errors import HeadstartError

# Options that Hydra or Headstart reads in any command; the directories are checked by check_directories.
READ_OPTIONS = (
    *("run", "sweep", "mode", "searchpath", "sweeper", "launcher", "callbacks", "verbose", "output_subdir"),
    *("job_logging", "hydra_logging", "job.chdir", "job.env_set", "env"),
)
SWEEP_PLUGINS = ("launcher", "sweeper")  # Hydra uses them in a sweep alone
SWEEPER_TARGET = "hydra_plugins.headstart.HeadstartSweeper"


def check_hydra_options(command: ComposedCommand) -> None:
    """Checks the options of Hydra.

    Raises:
        HeadstartError: another sweeper, or an option that nothing reads.
    """
    hydra = command.config.hydra
    if command.multirun and hydra.sweeper._target_ != SWEEPER_TARGET:
        name = hydra.runtime.choices["hydra/sweeper"]
        raise HeadstartError(f"hydra/sweeper={name}: Headstart plans its sweeps by its own sweeper; leave it out")
    settings: Any = OmegaConf.to_container(command.config, resolve=False)
    hydra_node = settings.pop("hydra")
    text = "\n".join(iterate_strings([settings, hydra_node["run"], hydra_node["sweep"]]))
    for override in command.overrides:
        key = override_key(override)
        plugin = next((name for name in SWEEP_PLUGINS if re.match(rf"hydra[./]{name}\b", key)), None)
        if plugin and not command.multirun:
            raise HeadstartError(f"{override}: a single run needs no {plugin}; leave it out, or add -m")
        if not key.startswith("hydra."):
            continue
        option = key.removeprefix("hydra.")
        is_read = any(option == name or option.startswith(f"{name}.") for name in READ_OPTIONS)
        if not is_read and not re.search(rf"\$\{{\s*(hydra:{re.escape(option)}|{re.escape(key)})\b", text):
            raise HeadstartError(f"{override}: nothing reads {key} here; leave it out")
