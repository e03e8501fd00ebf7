"""Composes the configuration of a command with Hydra's compose API, before anything runs. Torch-free."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from headstart.config.command_line import CommandLine, parse_command_line
from headstart.config.overrides import override_key
from headstart.config.shipped import DERIVED_GROUPS, conf_dir, read_shipped_yaml
from headstart.config.suggestions import format_suggestions, suggest_closest
from headstart.errors import HeadstartError

CONFIG_NAME = "train"
VERSION_BASE = "1.3"
SEARCH_PATH_KEY = "hydra.searchpath"
OPTIONAL_GROUPS = ("experiment", "debug")  # their choice may be null
LAUNCHER_EXTRAS = {"ray": "ray"}  # choices of hydra/launcher that an extra of this package installs


@dataclass(frozen=True)
class ComposedCommand:
    """What a command asks for.

    Args:
        config: the composed configuration with its ``hydra`` node, unresolved; of a sweep with the first value of each
            swept key.
        sweeps: the values of each swept key, in Hydra's order; empty for a single run.
        multirun: whether Hydra sweeps (``-m``, or ``hydra.mode`` of an experiment).
        overrides: the overrides as typed, of a sweep with the first value of each swept key.
        config_name: name of the primary configuration.
        config_dir: folder of further choices (``--config-dir``).
        auto_overrides: what ``auto`` stands for in ``config``, by key; see ``config/auto_settings.py``.
        auto_reasons: the figures that decided, a line each.

    Example:
        >>> compose_command(["-m", "model=frozen,finetune"]).sweeps
        {'model': ['frozen', 'finetune']}
    """

    config: DictConfig
    sweeps: dict[str, list[str]]
    multirun: bool
    overrides: list[str]
    config_name: str = CONFIG_NAME
    config_dir: Path | None = None
    auto_overrides: dict[str, str] = field(default_factory=dict)
    auto_reasons: tuple[str, ...] = ()


def compose_command(argv: list[str]) -> ComposedCommand | None:
    """Composes the (quoted) command; None where it runs nothing (``--help``, ``--cfg``, …).

    Raises:
        HeadstartError: a mistyped key or choice, with near matches; a sweep without ``-m``.
    """
    line = parse_command_line(argv)
    if line.is_display_only:
        return None
    command = compose_first_run(line)
    if command.sweeps and not command.multirun:
        key, choices = next(iter(command.sweeps.items()))
        raise HeadstartError(f"{key}={','.join(choices)} is {len(choices)} values; add -m to run each of them")
    return command


def compose_first_run(line: CommandLine) -> ComposedCommand:
    """Composes the first run of a command.

    Raises:
        HeadstartError: a mistyped key or choice, with near matches.
    """
    composer = _Composer(line.values.get("--config-name", CONFIG_NAME), line.config_dir)
    with open_hydra():
        typed = composer.parse(line.overrides)
        _check_derived_groups(typed)
        config = composer.compose([_first_choice(override) for override in typed])
        multirun = _is_multirun(line, config)
        params = (OmegaConf.select(config, "hydra.sweeper.params") or {}) if multirun else {}
        # A typed override replaces that of hydra.sweeper.params and takes its position, as in Hydra's basic sweeper.
        merged = {_sweep_key(o): o for o in [*composer.parse([f"{k}={v}" for k, v in params.items()]), *typed]}
        overrides = [_first_choice(override) for override in merged.values()]
        if params:
            config = composer.compose(overrides)
        sweeps = {key: list(o.sweep_string_iterator()) for key, o in merged.items() if o.is_sweep_override()}
        composer.check_contrast_models(config)
        for key, choices in sweeps.items():  # Hydra would compose the runs before a mistyped one first
            composer.check_choices(key, choices)
    return ComposedCommand(config, sweeps, multirun, overrides, composer.config_name, composer.config_dir)


def compose_with(command: ComposedCommand, choices: dict[str, str]) -> DictConfig:
    """Composes the first run of a command with other values of some keys.

    Raises:
        HeadstartError: a choice or key that does not exist, with near matches.
    """
    with open_hydra():
        return _Composer(command.config_name, command.config_dir).compose(replace_values(command.overrides, choices))


def replace_values(overrides: Sequence[str], values: dict[str, str]) -> list[str]:
    """Gives some keys of a list of overrides other values; adds the keys that are not in the list at the end."""
    words = {override_key(override): override.partition("=")[0] for override in overrides}
    replaced = {override_key(override): override for override in overrides}
    for key, value in values.items():
        replaced[key] = f"{words.get(key, key)}={value}"
    return list(replaced.values())


@contextmanager
def open_hydra() -> Iterator[None]:
    """Makes Hydra's compose API available; within a sweeper plugin Hydra is open already."""
    if GlobalHydra.instance().is_initialized():
        yield
    else:
        with initialize_config_dir(str(conf_dir()), job_name=CONFIG_NAME, version_base=VERSION_BASE):
            yield


def hint_at_unread_key(key: str) -> str:
    """What to do instead of a key that nothing reads."""
    if key == "ckpt_path":
        return "; the same command goes on where it stopped; backbone.weights=PATH starts from another run"
    return "; nothing would read it; --help shows what there is"


@dataclass(frozen=True)
class _Composer:
    """Hydra's compose API for one primary configuration and search path, with errors in one line."""

    config_name: str
    config_dir: Path | None

    def compose(self, overrides: list[str]) -> DictConfig:
        for key, _, choice in (word.partition("=") for word in overrides):
            if re.fullmatch(r"null|\d*", choice) and key not in OPTIONAL_GROUPS:
                self.check_choices(key, [choice])  # Hydra would report a value of the wrong type
        try:
            return compose(self.config_name, self._with_search_path(overrides), return_hydra_config=True)
        except MissingConfigException as error:
            group, _, choice = str(error.missing_cfg_file).rpartition("/")
            if not group:
                raise HeadstartError(
                    f"no configuration '{choice}'; --config-name names a file beside train.yaml"
                ) from error
            raise self._choice_error(group, choice) from error
        except ConfigCompositionException as error:
            for override in self.parse(overrides):
                key = override.key_or_group
                if override.is_delete() and f"${{{key}}}" in str(error):  # conf/train.yaml chooses the recipe by it
                    raise HeadstartError(
                        f"{key}: the configuration has none; choose one (choices: {', '.join(self.group_options(key))})"
                    ) from error
                if f"Could not override '{override.key_or_group}'" in str(error):
                    raise self._key_error(override, overrides) from error
                if f"Could not delete from config. '{override.key_or_group}'" in str(error):
                    raise HeadstartError(
                        f"{override.input_line}: there is nothing to take away; leave it out"
                    ) from error
            raise

    def parse(self, overrides: list[str]) -> list[Override]:
        try:
            return OverridesParser.create(config_loader=_config_loader()).parse_overrides(overrides)
        except OverrideParseException as error:
            if "=" not in error.override:
                raise HeadstartError(f"'{error.override}' is no setting; write KEY=VALUE") from error
            key = override_key(error.override)
            raise HeadstartError(f"no key '{key}'{_suggest_keys(key, self._list_keys([]))}") from error

    def group_options(self, group: str) -> list[str]:
        """The choices of a group; empty for a key that is no group."""
        return _config_loader().get_group_options(
            group, config_name=self.config_name, overrides=self._with_search_path([])
        )

    def check_choices(self, group: str, choices: Sequence[str]) -> None:
        options = self.group_options(group)
        for choice in choices:
            if options and choice not in options and not (choice == "null" and group in OPTIONAL_GROUPS):
                raise self._choice_error(group, choice)

    def check_contrast_models(self, config: DictConfig) -> None:
        """Raises HeadstartError for a contrast of a model that does not exist: no run could answer it."""
        contrast, models = OmegaConf.select(config, "compare.contrast"), self.group_options("model")
        for name in contrast if OmegaConf.is_list(contrast) else ():
            model, _, settings = str(name).partition(" ")  # the name of an arm begins with its model
            if model not in models:
                near = [f"{match} {settings}".strip() for match in get_close_matches(model, models, n=1)]
                raise HeadstartError(
                    f"compare.contrast: no model '{model}'{format_suggestions(near)} "
                    f"(choices: {', '.join(sorted(models))})"
                )

    def _with_search_path(self, overrides: list[str]) -> list[str]:
        """Adds the folder of ``--config-dir`` to the search path, behind the folders of ``hydra.searchpath``."""
        if self.config_dir is None:
            return overrides
        typed = [word for word in overrides if override_key(word) == SEARCH_PATH_KEY]
        value: Any = self.parse(typed[-1:])[0].value() if typed else None
        folders = [str(folder) for folder in value or ()]
        quoted = ",".join("'" + folder.replace("'", "\\'") + "'" for folder in [*folders, f"file://{self.config_dir}"])
        return [*(word for word in overrides if word not in typed), f"{SEARCH_PATH_KEY}=[{quoted}]"]

    def _list_keys(self, overrides: list[str]) -> list[str]:
        """Each key and group that an override may name."""
        config = compose(self.config_name, self._with_search_path(overrides), return_hydra_config=True)
        groups = [group for group in _config_loader().list_groups("") if group not in DERIVED_GROUPS]
        return [*groups, *_iterate_keys(OmegaConf.to_container(config, resolve=False))]

    def _choice_error(self, group: str, choice: str) -> HeadstartError:
        options = self.group_options(group)
        if not options:
            return HeadstartError(f"no group '{group}'; --help shows the groups and their choices")
        near = suggest_closest(choice, options)
        if group == "hydra/launcher" and choice in LAUNCHER_EXTRAS:
            near = f"; install it: pip install headstart[{LAUNCHER_EXTRAS[choice]}]"
        return HeadstartError(f"no choice '{choice}' in group '{group}'{near} (choices: {', '.join(sorted(options))})")

    def _key_error(self, override: Override, overrides: list[str]) -> HeadstartError:
        key = override.key_or_group
        groups = [word for word in overrides if self.group_options(word.partition("=")[0])]
        hint = self._hint_at_other_data(key) or _suggest_keys(key, self._list_keys(groups)) or hint_at_unread_key(key)
        if not hint.startswith("; did") and key.startswith(("trainer.", "callbacks.", "logger.")):
            hint = f"; a new key is written +{override.input_line}"  # nothing reads a new key elsewhere
        return HeadstartError(f"no key '{key}'{hint}")

    def _hint_at_other_data(self, key: str) -> str:
        """Names the data sets that have a key of ``data`` which the chosen one lacks; empty where none has it."""
        group, _, name = key.partition(".")
        if group != "data":
            return ""
        owners = [choice for choice in self.group_options(group) if name in read_shipped_yaml(group, choice)]
        return f"; these data have none, unlike {' and '.join(f'data={owner}' for owner in owners)}" if owners else ""


def _config_loader() -> ConfigLoader:
    return GlobalHydra.instance().config_loader()


def _is_multirun(line: CommandLine, config: DictConfig) -> bool:
    """Whether Hydra sweeps.

    Raises:
        HeadstartError: a flag and ``hydra.mode`` ask for different things.
    """
    mode = config.hydra.mode
    if line.is_multirun and mode == RunMode.RUN:
        raise HeadstartError("hydra.mode=RUN: -m asks for a sweep; leave out one of them")
    if "--run" in line.values and mode == RunMode.MULTIRUN:
        raise HeadstartError("--run: the configuration asks for a sweep; leave it out, or add hydra.mode=RUN")
    return line.is_multirun or mode == RunMode.MULTIRUN


def _check_derived_groups(typed: list[Override]) -> None:
    """Raises HeadstartError for a group that follows from others."""
    for override in typed:
        if override_key(override.key_or_group) in DERIVED_GROUPS:
            raise HeadstartError(
                f"{override.input_line}: it follows from model and backbone; leave it out, and give the model's keys, "
                "such as model.epochs"
            )


def _sweep_key(override: Override) -> str:
    return override.get_key_element().lstrip("+~")


def _first_choice(override: Override) -> str:
    """The override with its first value, where it has several."""
    line = override.input_line
    assert line is not None
    if not override.is_sweep_override():
        return line
    if not override.is_discrete_sweep():
        raise HeadstartError(f"{line}: only lists of values can be swept; write them out, or use range()")
    choice = next(override.sweep_string_iterator(), None)
    if choice is None:
        raise HeadstartError(f"{line}: nothing to sweep over; give at least one value")
    return f"{override.get_key_element()}={choice}"


def _iterate_keys(tree: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield f"{prefix}{key}"
            yield from _iterate_keys(value, f"{prefix}{key}.")


def _suggest_keys(key: str, keys: list[str]) -> str:
    """Suggests keys that are spelt alike; for a bare word also its full keys (``head_lr``: ``model.head_lr``)."""
    keys = [name for name in keys if name.startswith("hydra.") == key.startswith("hydra.")]
    keys = sorted(keys, key=lambda name: name.count("."))  # the setting itself before its key in tune.space
    endings = [name for name in keys if name.rpartition(".")[2] == key]
    near = get_close_matches(key, keys, n=2, cutoff=0.7)
    near_endings = [name for name in keys if get_close_matches(key, [name.rpartition(".")[2]], cutoff=0.8)]
    return format_suggestions([name for name in dict.fromkeys([*endings, *near, *near_endings]) if name != key][:2])
