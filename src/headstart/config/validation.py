"""Whether a command's configuration is whole and each of its keys is read: checked before anything trains."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from headstart.compare.declaration import Comparison, SweepLimits
from headstart.config.callback_options import list_callback_nodes
from headstart.config.compose import ComposedCommand, hint_at_unread_key
from headstart.config.data_module import DATA_MODULE_KEYS
from headstart.config.identity import PRETRAINED_ARGUMENTS
from headstart.config.logger_options import check_loggers
from headstart.config.overrides import override_key
from headstart.config.shipped import read_shipped_yaml
from headstart.config.suggestions import suggest_closest
from headstart.config.trainer_options import check_trainer_options
from headstart.constructors import constructor_arguments
from headstart.data.catalog import NO_TEST
from headstart.data.sources import find_source_class
from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.runs.refit_card import find_refit_folder
from headstart.runs.run_directory import read_training_hashes

# The keys that are read by their names; everything else goes to a constructor.
REQUIRED_KEYS = {
    "data": ("_target_", *DATA_MODULE_KEYS),
    "model": ("_target_", "epochs"),
    "trainer": ("_target_", "max_epochs"),
    "tune": ("trials", "space"),
    "compare": tuple(field.name for declaration in (Comparison, SweepLimits) for field in fields(declaration)),
    "cache": ("max_gb",),
}
TOP_LEVEL_KEYS = {*REQUIRED_KEYS, "seed", "backbone", "callbacks", "logger", "debug", "hydra"}
NETWORK_KEYS = {"name", "options", "weights"}  # what a model from random weights reads of ${backbone}: these name it
BACKBONE_KEYS = {*NETWORK_KEYS, "mean", "std"}
CLOSED_NODES = {
    "cache": {"max_gb"},
    "tune": {"trials", "space"},
    "compare": set(REQUIRED_KEYS["compare"]),
    "backbone": {*BACKBONE_KEYS, "lr", "batch_norm"},
}
INTERPOLATION = re.compile(r"\$\{\s*\.*([\w.\-/]+)")


def check_config(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Checks one run's configuration, nothing in it resolved, as far as needs no torch.

    Args:
        cfg: with its ``hydra`` node.
        overrides: of the command.

    Raises:
        HeadstartError: a key that is needed and lacking, or one that nothing reads.
    """
    choices = cfg.hydra.runtime.choices
    for key in (*REQUIRED_KEYS, "seed"):
        if (
            key not in cfg
            or OmegaConf.is_missing(cfg, key)
            or (key in REQUIRED_KEYS and not OmegaConf.is_dict(cfg[key]))
        ):
            raise HeadstartError(f"{key}: the configuration has none; choose one, such as {key}={_example_choice(key)}")
    for node, keys in REQUIRED_KEYS.items():
        for key in keys:
            if key not in cfg[node]:
                raise HeadstartError(
                    f"{node}.{key}: the configuration has no such key; {_suggest_fix(node, key, choices)}"
                )
    _check_unread_keys(cfg)
    _check_constructor_arguments(cfg, overrides)
    check_trainer_options(cfg.trainer)
    if cfg.data.seed != cfg.seed:
        raise HeadstartError(f"data.seed={cfg.data.seed}: one seed serves the whole run; give seed={cfg.data.seed}")
    max_gb = cfg.cache.max_gb
    if isinstance(max_gb, bool) or not isinstance(max_gb, int | float) or not max_gb >= 0:
        raise HeadstartError(f"cache.max_gb={max_gb}: give a number of gigabytes; 0 keeps no features")
    if cfg.data.get("test") == NO_TEST:
        raise HeadstartError(
            "data.test=none: a run ends with its test, and none of the images is left for it; headstart refit SWEEP "
            "trains the best arm of a sweep on all images"
        )
    list_callback_nodes(cfg)
    check_loggers(cfg.get("logger"))


def check_overrides_take_effect(arms: Sequence[DictConfig], overrides: Sequence[str]) -> None:
    """Checks that each key that was typed has an effect on one arm at least.

    Args:
        arms: the configuration of each arm, nothing in it resolved.
        overrides: of the command.

    Raises:
        HeadstartError: a key of the backbone that no arm reads, or of the search where nothing is searched.
    """
    choices = read_shipped_yaml("train")["defaults"]
    default_backbone = next(f"backbone={choice['backbone']}" for choice in choices if "backbone" in choice)
    untyped = (default_backbone, "backbone=auto")  # the defaults, written out
    models = ", ".join(dict.fromkeys(arm.hydra.runtime.choices.model for arm in arms))
    for override in overrides:
        key = override_key(override)
        if override in untyped:
            continue
        if re.match(r"backbone(\.|$)", key) and not any(_is_backbone_read(arm, key) for arm in arms):
            raise HeadstartError(f"{override}: model={models} reads no {key}; leave it out, or choose another model")
        if key.startswith("tune.space") and not any(arm.tune.trials for arm in arms):
            raise HeadstartError(f"{override}: nothing is searched; add tune.trials=8, or leave it out")
        setting = key.removeprefix("tune.space.")
        if setting != key and not any(setting in arm.model for arm in arms):
            raise HeadstartError(f"{override}: model={models} has no {setting} to search; leave it out")


def check_validation_share(sources: Iterable[Any], overrides: Sequence[str]) -> None:
    """Checks that a typed share for validation takes effect at one budget at least.

    Args:
        sources: the images of each arm and budget, ``headstart.data.image_source.ImageSource``.
        overrides: of the command.

    Raises:
        HeadstartError: nothing validates, or a given part validates as a whole.
    """
    default = read_shipped_yaml("data", "folder")["validation"]
    shares = [override for override in overrides if override_key(override) == "data.validation"]
    shares = [share for share in shares if not share.endswith(f"={default}")]
    if not shares:
        return
    sources = list(sources)
    if any(source.validation == 0 for source in sources):
        return
    validating = [source for source in sources if len(source.split.val)]
    if not validating:
        reason = next(filter(None, (source.split.no_validation for source in sources)), "")
        raise HeadstartError(f"{shares[-1]}: {reason or 'below 20 labels per class no image validates'}; leave it out")
    if all(_validates_given_part(source) for source in validating):
        raise HeadstartError(f"{shares[-1]}: the data's own val part validates as a whole; leave it out, or give 0")


def _validates_given_part(source: Any) -> bool:
    """Whether all images of the data's ``val`` part validate, whatever the share."""
    return (
        source.labels_per_class is None and "val" in source.catalog.parts and source.test_part not in ("val", "train")
    )


def check_directories(command: ComposedCommand) -> None:
    """Checks that the directories that were typed are those in which the runs will lie.

    Raises:
        HeadstartError: a directory that takes no effect, or that runs would share.
    """
    hydra, shipped = command.config.hydra, read_shipped_yaml("train")["hydra"]
    run, sweep = (OmegaConf.to_container(node, resolve=False) for node in (hydra.run, hydra.sweep))
    assert isinstance(run, dict) and isinstance(sweep, dict)
    if sweep["subdir"] != shipped["sweep"]["subdir"]:
        raise HeadstartError(
            f"hydra.sweep.subdir={sweep['subdir']}: a run's folder is named by what the run is, so that each command "
            "finds its own; leave it out, and name the sweep's folder by hydra.sweep.dir=PATH"
        )
    if hydra.job.chdir:
        raise HeadstartError("hydra.job.chdir=true: paths are those of the folder you work in; leave it out")
    if command.multirun and run["dir"] != shipped["run"]["dir"]:
        raise HeadstartError(f"hydra.run.dir={run['dir']}: this is a sweep; name its folder by hydra.sweep.dir=PATH")
    if not command.multirun and sweep["dir"] != shipped["sweep"]["dir"]:
        raise HeadstartError(f"hydra.sweep.dir={sweep['dir']}: this is one run; name its folder by hydra.run.dir=PATH")
    if command.multirun and not sweep["dir"]:
        raise HeadstartError("hydra.sweep.dir=: give a folder, or leave it out")
    of_a_run = ("hydra.job.num", "hydra.job.id", "hydra.job.override_dirname")
    for name in INTERPOLATION.findall(sweep["dir"] if command.multirun else ""):
        key_of_run = name.removeprefix("hydra.runtime.choices.")
        swept = [key for key in command.sweeps if key == key_of_run or key_of_run.startswith(f"{key}.")]
        swept += [name] if name in of_a_run else []
        if swept:
            raise HeadstartError(
                f"hydra.sweep.dir={sweep['dir']}: a sweep has one folder, and {swept[0]} differs from run to run; "
                "give a folder that is the same for all of its runs"
            )


def check_outside_images(directory: Path, source: Any) -> None:
    """Checks that runs will not lie among the images, where the next command would take them for a class.

    Args:
        directory: where they are to lie.
        source: the images, a ``headstart.data.image_source.ImageSource``.

    Raises:
        HeadstartError: they would.
    """
    from headstart.data import ImageFolder

    if not isinstance(source, ImageFolder) or not source.root:
        return
    root = expand_home(source.root).resolve()
    if directory.resolve().is_relative_to(root):
        raise HeadstartError(
            f"{directory}: runs would lie among the images of data.root={source.root}; work in another folder, or name "
            "one by hydra.run.dir=PATH or, for a sweep, hydra.sweep.dir=PATH"
        )


def check_starting_weights(cfg: DictConfig, source: Any) -> None:
    """Checks that the starting weights have not seen the test images, as those of a refit have.

    Args:
        cfg: the configuration of an arm.
        source: its images, a ``headstart.data.image_source.ImageSource``.

    Raises:
        HeadstartError: they have.
    """
    for name in sorted(PRETRAINED_ARGUMENTS & set(map(str, cfg.model))):
        weights = OmegaConf.select(cfg.model, f"{name}.weights")
        if not weights or (folder := find_refit_folder(str(weights))) is None:
            continue
        trained = read_training_hashes(folder)
        if overlap := sum(source.catalog.digests[i] in trained for i in source.split.test):
            raise HeadstartError(
                f"{name}.weights={weights}: a refit, which has seen {overlap:,} of the {len(source.split.test):,} test "
                "images; give a run, such as the one that headstart best names"
            )


def _check_unread_keys(cfg: DictConfig) -> None:
    plain = OmegaConf.to_container(OmegaConf.masked_copy(cfg, [str(k) for k in cfg if k != "hydra"]), resolve=False)
    assert isinstance(plain, dict)
    read = set(find_interpolations(plain))
    places = [("", str(key), TOP_LEVEL_KEYS) for key in plain]
    places += [(f"{node}.", str(key), CLOSED_NODES[node]) for node in CLOSED_NODES for key in plain.get(node) or ()]
    for prefix, key, known in places:
        name = f"{prefix}{key}"
        if key not in known and not any(path == name or path.startswith(f"{name}.") for path in read):
            near = suggest_closest(key, known, prefix)
            raise HeadstartError(f"no key '{name}'{near or hint_at_unread_key(name)}")


def _check_constructor_arguments(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """A key that is new in ``data`` or ``model`` must be an argument of its class."""
    new = {override_key(o) for o in overrides if o.startswith("+")}
    for node in ("data", "model"):
        known = read_shipped_yaml(node, str(cfg.hydra.runtime.choices.get(node)))
        further = [str(key) for key in cfg[node] if key not in known and not str(key).startswith("_")]
        if node == "model" and not any(f"model.{key}" in new for key in further):
            continue  # its class would need torch; if it does not take a key of its own YAML, the run says so
        if not further:
            continue
        try:
            constructor = find_source_class(cfg[node]._target_) or get_class(cfg[node]._target_)
            accepted = constructor_arguments(constructor)
        except Exception:  # the run says in one line that there is no such class
            continue
        if accepted is None:
            continue
        for key in further:
            if key not in accepted and not (node == "data" and key in DATA_MODULE_KEYS):
                end = suggest_closest(key, accepted, f"{node}.") or f" ({', '.join(accepted)})"
                raise HeadstartError(f"no key '{node}.{key}': {cfg[node]._target_} takes no such argument{end}")


def reads_backbone(arm: DictConfig) -> bool:
    """Whether the model of a configuration takes anything of ``backbone``."""
    return _is_backbone_read(arm, "backbone")


def _is_backbone_read(arm: DictConfig, key: str) -> bool:
    model: Any = OmegaConf.to_container(arm.model, resolve=False)
    names = find_interpolations(model)
    if key == "backbone":
        return any(name == key or name.startswith("backbone.") for name in names)
    setting = ".".join(key.split(".")[:2])
    starts_from = {key: value for key, value in model.items() if key != "architecture"}
    read = BACKBONE_KEYS if "backbone" in find_interpolations(starts_from) else NETWORK_KEYS
    return setting in names or ("backbone" in names and setting.partition(".")[2] in read)


def find_interpolations(tree: Any) -> list[str]:
    """The keys that the strings of plain values interpolate, such as ``backbone`` of ``${backbone}``."""
    return INTERPOLATION.findall("\n".join(iterate_strings(tree)))


def iterate_strings(tree: Any) -> Iterator[str]:
    """Yields each string in nested dictionaries and lists."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from iterate_strings(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from iterate_strings(value)
    elif isinstance(tree, str):
        yield tree


def _example_choice(key: str) -> str:
    return {"seed": "0", "data": "folder", "model": "finetune", "trainer": "default"}.get(key, "{…}")


def _suggest_fix(node: str, key: str, choices: Any) -> str:
    if node in choices and not read_shipped_yaml(node, str(choices[node])):
        default = {"data": "folder", "model": "finetune"}.get(node, "default")
        return f"begin {node}/{choices[node]}.yaml with `defaults: [{default}, _self_]`, which has it, or set it there"
    return f"do not take it away; give {node}.{key} another value"
