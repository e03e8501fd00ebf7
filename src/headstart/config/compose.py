"""What a command asks for: its configuration composed by Hydra's own loader, before anything runs."""

import re
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from headstart.config.overrides import override_key, split_flags
from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.version import __version__

CONFIG_NAME = "train"
VERSION_BASE = "1.3"
OPTIONAL_GROUPS = ("experiment", "debug")  # their choice may be null
# Flags of Hydra's that would run another configuration than the one that was looked at.
REFUSED_FLAGS = {
    "--config-path": "the configuration is the package's own; name a folder of further choices by --config-dir",
    "-cp": "the configuration is the package's own; name a folder of further choices by --config-dir",
    "--package": "the configuration's keys stand at its root; leave it out",
    "-p": "the configuration's keys stand at its root; leave it out",
    "--experimental-rerun": "give the run's command again, as result.json has it",
}


@dataclass(frozen=True)
class ComposedCommand:
    """What a command would do.

    Args:
        config: the composed configuration, its ``hydra`` node included, nothing in it resolved; where
            the command sweeps, with the first choice of each sweep.
        sweeps: the choices of each key that is swept, in Hydra's order; empty for a single run.
        multirun: whether Hydra will sweep (``-m``, or an experiment's ``hydra.mode``).
        overrides: the overrides that compose ``config``.
    """

    config: DictConfig
    sweeps: dict[str, list[str]]
    multirun: bool
    overrides: list[str]


def conf_dir() -> Path:
    """The folder of the configuration: in a wheel inside the package, in a clone at its root."""
    inside = Path(__file__).parents[1] / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "conf"


def parse_arguments(argv: list[str]) -> Namespace:
    """Hydra's reading of the command.

    Raises:
        HeadstartError: a flag that does not exist, or one without its value.
    """
    parser = get_args_parser()
    flags, overrides = split_flags(argv)
    known = [s for action in parser._actions for s in action.option_strings]

    def refuse(message: str) -> NoReturn:
        unknown = next((f for f in flags if f.startswith("-") and f.partition("=")[0] not in known), None)
        if unknown is None or "unrecognized" not in message:
            raise HeadstartError(f"{message}; --help shows what there is")
        near = format_suggestions(get_close_matches(unknown, known, n=1, cutoff=0.7))
        raise HeadstartError(f"no flag '{unknown}'{near or '; --help shows what there is'}")

    for flag, mend in REFUSED_FLAGS.items():
        if any(word == flag or word.startswith(f"{flag}=") for word in flags):
            raise HeadstartError(f"{flag}: {mend}")
    parser.error = refuse  # type: ignore[method-assign]
    next(a for a in parser._actions if a.dest == "version").version = f"headstart {__version__}"  # type: ignore[attr-defined]
    return parser.parse_args([*overrides, *flags])


def compose_command(argv: list[str]) -> ComposedCommand | None:
    """What the (quoted) command asks for; None where it runs nothing (``--help``, ``--cfg``, …).

    Raises:
        HeadstartError: a mistyped key or choice, with the near ones; a sweep without ``-m``.
    """
    args = parse_arguments(argv)
    if args.help or args.hydra_help or args.cfg or args.info or args.shell_completion:
        return None
    found = compose_first_run(args)
    if found.sweeps and not found.multirun:
        key, choices = next(iter(found.sweeps.items()))
        raise HeadstartError(f"{key}={','.join(choices)} is {len(choices)} values; add -m to run each of them")
    return found


def compose_first_run(args: Namespace) -> ComposedCommand:
    """Composes the first run of the command.

    Raises:
        HeadstartError: a mistyped key or choice, with the near ones.
    """
    with _open_config_loader(args) as loader:
        typed = _parse_overrides(args.overrides, loader)
        config = _compose_config([_first_choice(o) for o in typed], args, loader)
        multirun = args.multirun or config.hydra.mode == RunMode.MULTIRUN
        params = (OmegaConf.select(config, "hydra.sweeper.params") or {}) if multirun else {}
        # As Hydra's sweeper has it: what is typed replaces the experiment's, in the experiment's place.
        merged = {
            _sweep_key(o): o for o in [*_parse_overrides([f"{k}={v}" for k, v in params.items()], loader), *typed]
        }
        overrides = [_first_choice(o) for o in merged.values()]
        if params:
            config = _compose_config(overrides, args, loader)
        _check_contrast_models(config, loader)
        sweeps = {name: list(o.sweep_string_iterator()) for name, o in merged.items() if o.is_sweep_override()}
        _check_choices(sweeps, loader)
    return ComposedCommand(config, sweeps, multirun, overrides)


def format_suggestions(candidates: list[str]) -> str:
    return f"; did you mean {' or '.join(repr(n) for n in candidates)}?" if candidates else ""


def resolve_config_dir(args: Namespace) -> Path | None:
    """The folder that ``--config-dir`` names.

    Raises:
        HeadstartError: there is none.
    """
    if args.config_dir is None:
        return None
    extra = expand_home(args.config_dir).absolute()
    if not extra.is_dir():
        raise HeadstartError(f"--config-dir {args.config_dir}: there is no such folder")
    return extra


@contextmanager
def _open_config_loader(args: Namespace) -> Iterator[ConfigLoader]:
    version.setbase(VERSION_BASE)
    path = create_config_search_path(str(conf_dir()))
    if extra := resolve_config_dir(args):
        path.prepend("command-line", f"file://{extra}", SearchPathQuery(provider="schema"))
    GlobalHydra.instance().clear()
    try:
        yield Hydra.create_main_hydra2("headstart-train", path).config_loader
    finally:
        GlobalHydra.instance().clear()


def _parse_overrides(overrides: list[str], loader: ConfigLoader) -> list[Override]:
    try:
        return OverridesParser.create(config_loader=loader).parse_overrides(overrides)
    except OverrideParseException as error:
        key, equals, _ = error.override.partition("=")
        if not equals:
            raise HeadstartError(f"'{error.override}' is no setting; write KEY=VALUE") from error
        keys = _list_keys(Namespace(config_name=None), loader)
        raise HeadstartError(
            f"no key '{override_key(key)}'{format_suggestions(_find_near_keys(override_key(key), keys))}"
        ) from error


def _sweep_key(override: Override) -> str:
    return override.get_key_element().lstrip("+~")


def _first_choice(override: Override) -> str:
    """The override itself, or the one for the first of its choices."""
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


def _compose_config(overrides: list[str], args: Namespace, loader: ConfigLoader) -> DictConfig:
    name = args.config_name or CONFIG_NAME
    for key, _, choice in (word.partition("=") for word in overrides):
        options = loader.get_group_options(key)
        if options and key not in OPTIONAL_GROUPS and choice not in options and re.fullmatch(r"null|\d*", choice):
            raise build_choice_error(key, choice, options)  # Hydra would call it a value of the wrong type
    try:
        return loader.load_configuration(name, overrides, run_mode=RunMode.RUN)
    except MissingConfigException as error:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        if not group:
            raise HeadstartError(
                f"no configuration '{choice}'; --config-name names a file beside train.yaml"
            ) from error
        raise build_choice_error(group, choice, loader.get_group_options(group)) from error
    except ConfigCompositionException as error:
        for override in _parse_overrides(overrides, loader):
            if f"Could not override '{override.key_or_group}'" in str(error):
                chosen = [o for o in overrides if loader.get_group_options(o.partition("=")[0])]
                near = format_suggestions(_find_near_keys(override.key_or_group, _list_keys(args, loader, chosen)))
                # Nothing reads a key that is new elsewhere.
                new = hint_at_unread_key(override.key_or_group)
                if override.key_or_group.startswith(("trainer.", "callbacks.", "logger.")):
                    new = f"; a new key is written +{override.input_line}"
                raise HeadstartError(f"no key '{override.key_or_group}'{near or new}") from error
            if f"Could not delete from config. '{override.key_or_group}'" in str(error):
                raise HeadstartError(f"{override.input_line}: there is nothing to take away; leave it out") from error
        raise


def hint_at_unread_key(key: str) -> str:
    """What to do instead of a key that nothing reads."""
    hints = {
        "ckpt_path": "the same command goes on where it stopped; backbone.weights=PATH starts from another run",
    }
    return f"; {hints.get(key, 'nothing would read it; --help shows what there is')}"


def read_shipped_yaml(*parts: str) -> dict[str, Any]:
    """What a YAML of ours says, such as ``read_shipped("data", "folder")``; empty where it is not one of ours."""
    path = conf_dir().joinpath(*parts).with_suffix(".yaml")
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}


def build_choice_error(group: str, choice: str, options: list[str]) -> HeadstartError:
    if not options:
        return HeadstartError(f"no group '{group}'; --help shows the groups and their choices")
    near = format_suggestions(get_close_matches(choice, options, n=1))
    return HeadstartError(f"no choice '{choice}' in group '{group}'{near} (choices: {', '.join(sorted(options))})")


def _check_choices(sweeps: dict[str, list[str]], loader: ConfigLoader) -> None:
    # Hydra would say so too, but only after it composed every run before the mistyped one.
    for key, choices in sweeps.items():
        options = loader.get_group_options(key)
        for choice in choices:
            if options and choice not in options and (choice != "null" or key not in OPTIONAL_GROUPS):
                raise build_choice_error(key, choice, options)


def _check_contrast_models(config: DictConfig, loader: ConfigLoader) -> None:
    """A contrast of a model that there is none of would have no answer, and only the end would say so."""
    contrast, models = OmegaConf.select(config, "compare.contrast"), loader.get_group_options("model")
    for name in contrast if OmegaConf.is_list(contrast) else ():
        model, _, settings = str(name).partition(" ")  # an arm's own name begins with its model
        if model not in models:
            near = format_suggestions([f"{n} {settings}".strip() for n in get_close_matches(model, models, n=1)])
            raise HeadstartError(f"compare.contrast: no model '{model}'{near} (choices: {', '.join(sorted(models))})")


def compose_with(argv: list[str], command: ComposedCommand, choices: dict[str, str]) -> DictConfig:
    """The configuration of ``found``, which the command composed, but for these choices.

    Raises:
        HeadstartError: a choice or key that is not there, with the near ones.
    """
    args = parse_arguments(argv)
    written = {override_key(o.partition("=")[0]): o.partition("=")[0] for o in command.overrides}
    rest = [o for o in command.overrides if override_key(o.partition("=")[0]) not in choices]
    chosen = [f"{written.get(key, key)}={choice}" for key, choice in choices.items()]
    with _open_config_loader(args) as loader:
        return _compose_config([*rest, *chosen], args, loader)


def _list_keys(args: Namespace, loader: ConfigLoader, overrides: list[str] | None = None) -> list[str]:
    """Every key and group that an override may name."""
    config = loader.load_configuration(args.config_name or CONFIG_NAME, overrides or [], run_mode=RunMode.RUN)
    return [*loader.list_groups(""), *_iterate_dotted_keys(OmegaConf.to_container(config, resolve=False))]


def _iterate_dotted_keys(tree: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield f"{prefix}{key}"
            yield from _iterate_dotted_keys(value, f"{prefix}{key}.")


def _find_near_keys(key: str, keys: list[str]) -> list[str]:
    """Keys spelt alike; for a bare word also those that end in it (``head_lr`` -> ``model.head_lr``)."""
    keys = [k for k in keys if k.startswith("hydra.") == key.startswith("hydra.")]
    keys = sorted(keys, key=lambda k: k.count("."))  # the setting itself before where it is searched
    ends = [k for k in keys if k.rpartition(".")[2] == key]
    near = get_close_matches(key, keys, n=2, cutoff=0.7)
    tails = [k for k in keys if get_close_matches(key, [k.rpartition(".")[2]], cutoff=0.8)]
    return [k for k in dict.fromkeys([*ends, *near, *tails]) if k != key][:2]
