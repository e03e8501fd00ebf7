"""timm backbones, and where their weights come from: embedded, hub, a file, a Headstart run, none.

A backbone is described by a plain dict with the keys of ``conf/backbone``: ``name`` and ``options``
(what timm builds), ``weights`` (what it starts from), ``mean`` and ``std`` (what it expects).
``resolve`` fills in what was left open; nothing else in the package knows where weights come from.
"""

import hashlib
import logging
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.backbones import hub, model_card
from headstart.backbones.timm_options import check_backbone_options, find_pretrained_cfg
from headstart.errors import HeadstartError
from headstart.file_names import encode_name, expand_home
from headstart.networks.modes import evaluation_mode
from headstart.runs.checkpoint import resolve_checkpoint

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

EMBEDDED_WEIGHTS = Path(__file__).parent / "embedded.safetensors"
DEFAULT_HUB_NETWORK = "resnet18"


def resolve_architecture(settings: dict[str, Any] | None) -> dict[str, Any]:
    """The network alone, ``{"name", "options"}``: what a scratch arm shares with the transfer arms."""
    resolved = resolve_backbone(settings)
    return {"name": resolved["name"], "options": resolved["options"]}


def resolve_backbone(settings: dict[str, Any] | None) -> dict[str, Any]:
    """Fills in what ``settings`` leave open: ``{"name", "options", "weights", "mean", "std"}``.

    A name that was not given is that of the weights; ``mean`` and ``std`` stay None where only timm's
    configuration of ``name`` knows them. Loads torch only for ``hub`` and for checkpoints.

    Raises:
        HeadstartError: a file that is missing, or that does not describe the network that was named.
    """
    given: dict[str, Any] = {"name": None, "options": None, "weights": "embedded", "mean": None, "std": None}
    given |= {k: v for k, v in (settings or {}).items() if k in given}
    for key in ("mean", "std"):
        _check_triple(key, given[key])
    weights = str(given["weights"] if given["weights"] is not None else "none")
    described = _describe_weights(weights, given["name"])
    name = given["name"] or described["name"]
    if weights == "embedded" and name != described["name"]:
        raise HeadstartError(
            f"backbone.name={name}: the embedded weights are those of a small {described['name']}; "
            "add backbone.weights=hub, a file or none"
        )
    # Random weights of a network that was named say nothing of its options.
    own = name == described["name"] and not (weights == "none" and given["name"])
    return {
        "name": name,
        "options": {**(described["options"] if own else {}), **(given["options"] or {})},
        "weights": weights,
        "mean": given["mean"] or (described.get("mean") if own and weights != "none" else None),
        "std": given["std"] or (described.get("std") if own and weights != "none" else None),
    }


def _check_triple(key: str, value: Any) -> None:
    """Raises HeadstartError where ``value`` is neither None nor a number for each of three channels, in [0, 1]."""
    numbers = isinstance(value, list | tuple) and all(type(n) in (int, float) for n in value)
    if value is None or (numbers and len(value) == 3 and all(0 <= n <= 1 and (n or key == "mean") for n in value)):
        return
    raise HeadstartError(
        f"backbone.{key}={value}: give three numbers for pixels in [0, 1] such as [0.5,0.5,0.5], or null"
    )


def is_embedded_architecture(settings: dict[str, Any] | None) -> bool:
    """Whether this is the architecture that ships with the package, whatever its weights."""
    return resolve_architecture(settings) == resolve_architecture(None)


def weights_sha256(resolved: dict[str, Any]) -> str:
    """SHA-256 of the starting weights' file; "none" for random weights."""
    if resolved["weights"] == "none":
        return "none"
    path = locate_weights(resolved)
    return _hash_weights_file(path, model_card.file_fingerprint(path))


def weights_provenance(resolved: dict[str, Any]) -> dict[str, Any]:
    """What is known of the starting weights: ``{"name", "weights", "sha256", "card", "mean", "std", "normalization"}``.

    ``normalization`` says where mean and standard deviation come from. The card is that of an exported backbone, or
    what a run says of itself; {} where neither is known.
    """
    weights = resolved["weights"]
    known: dict[str, Any] = {}
    if weights not in ("hub", "none"):
        path = locate_weights(resolved)
        weights = weights if weights == "embedded" else encode_name(path.name)
        run = expand_home(resolved["weights"])
        known = model_card.read_model_card(path) if path.suffix == ".safetensors" else model_card.training_summary(run)
    mean, std = input_normalization(resolved)
    return {
        "name": resolved["name"],
        "weights": weights,
        "sha256": weights_sha256(resolved),
        "card": known,
        "mean": mean,
        "std": std,
        "normalization": normalization_source(resolved),
    }


def locate_weights(resolved: dict[str, Any]) -> Path:
    """The file that holds the starting weights; for ``hub`` it is fetched when it is not cached.

    Raises:
        HeadstartError: there is no such file, or the hub cannot be reached.
    """
    weights = resolved["weights"]
    if weights == "embedded":
        return EMBEDDED_WEIGHTS
    if weights == "hub":
        return hub.fetch_hub_weights(resolved["name"])
    path = expand_home(weights)
    if path.is_dir():
        path = resolve_checkpoint(path)
    if not path.is_file():
        raise HeadstartError(
            f"backbone.weights={weights}: there is no such file; give embedded, hub, none, "
            "a .safetensors or .pth file, or a Headstart run"
        )
    return path


def build_backbone(resolved: dict[str, Any]) -> Any:
    """The network without its classifier, three channels in, randomly initialised.

    Its kernels lie channels-last, which convolutions on CPUs and tensor cores are fastest with.

    Raises:
        HeadstartError: timm does not know the name, or the network does not take the options.
    """
    import timm
    import torch

    name, options = resolved["name"], resolved["options"]
    if not timm.is_model(name):
        import difflib

        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; timm.list_models() has them all"
        raise HeadstartError(f"backbone.name={name}: timm knows no such network{hint}")
    check_backbone_options(options)
    find_pretrained_cfg(name)
    try:
        network = timm.create_model(name, pretrained=False, num_classes=0, **options)
    except Exception as error:
        first = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise HeadstartError(f"backbone.options={options}: {name} does not take them ({first})") from error
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def feature_width(backbone: "nn.Module", resolved: dict[str, Any], size: tuple[int, int]) -> int:
    """How many features the network makes of an image of ``size`` (height, width): some end in more layers than
    timm's ``num_features`` counts.

    Raises:
        HeadstartError: it does not take three channels of that size, or makes more than a row of features.
    """
    import torch

    try:
        with evaluation_mode(backbone), torch.no_grad():
            features = backbone(torch.zeros(1, 3, *size))
    except Exception as error:
        first = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise HeadstartError(
            f"backbone.name={resolved['name']}: does not take {size[0]}×{size[1]} pixels ({first}); give another "
            f"data.image_size, or what the network has for it, such as backbone.options.img_size={size[0]}"
        ) from error
    if features.ndim != 2:
        raise HeadstartError(
            f"backbone.options={resolved['options']}: {resolved['name']} gives features of shape "
            f"{tuple(features.shape[1:])}, and the head takes one row; give backbone.options.global_pool=avg"
        )
    return features.shape[1]


def input_normalization(resolved: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel that the weights expect, for pixels in [0, 1]."""
    if resolved["mean"] and resolved["std"]:
        return [float(n) for n in resolved["mean"]], [float(n) for n in resolved["std"]]
    from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    cfg = find_pretrained_cfg(resolved["name"])
    mean = list(resolved["mean"] or (cfg.mean if cfg else IMAGENET_DEFAULT_MEAN))
    std = list(resolved["std"] or (cfg.std if cfg else IMAGENET_DEFAULT_STD))
    if normalization_source(resolved) == "guess":
        _warn_of_guess(
            f"backbone.weights={resolved['weights']}: the file does not say how images are normalized; mean "
            f"{mean} and std {std} are used, timm's for {resolved['name']} where none were typed; if others are right, "
            "give backbone.mean and backbone.std"
        )
    return mean, std


def normalization_source(resolved: dict[str, Any]) -> str:
    """Where the mean and standard deviation come from: ``"settings"``, ``"weights"`` (the file says it), ``"timm"``
    (its configuration of weights that are its own), ``"guess"`` (that configuration, for a file that says nothing), or
    ``"none"`` where nothing was pretrained."""
    if resolved["weights"] == "none":
        return "none"
    if not (resolved["mean"] and resolved["std"]):
        return "timm" if resolved["weights"] == "hub" else "guess"
    described = _describe_weights(resolved["weights"], resolved["name"])
    same = all(list(described.get(key) or ()) == list(resolved[key]) for key in ("mean", "std"))
    return "weights" if same else "settings"


@lru_cache  # once a process, for all its runs
def _warn_of_guess(line: str) -> None:
    log.warning(line)


def load_weights(backbone: "nn.Module", resolved: dict[str, Any]) -> None:
    """Puts the starting weights into ``backbone``: every parameter and buffer, or an error.

    Raises:
        HeadstartError: a tensor is missing or has another shape, or the file cannot be read.
    """
    if resolved["weights"] == "none":
        return
    path = locate_weights(resolved)
    state = _read_tensors(path, resolved["name"])
    wanted = backbone.state_dict()
    counters = {key for key in wanted if key.endswith("num_batches_tracked")}
    missing = [key for key in wanted if key not in state and key not in counters]
    if missing:
        raise HeadstartError(
            f"backbone.weights={resolved['weights']}: {len(missing)} of {len(wanted)} tensors of "
            f"{resolved['name']} are not in {path.name} (first: {missing[0]}); is it another network's file?"
        )
    for key, tensor in wanted.items():
        if key in state and state[key].shape != tensor.shape:
            raise HeadstartError(
                f"backbone.weights={resolved['weights']}: {key} is {tuple(state[key].shape)} in {path.name}, "
                f"but {tuple(tensor.shape)} in {resolved['name']}; check backbone.name and backbone.options"
            )
    if broken := next((k for k in wanted if k in state and not state[k].isfinite().all()), None):
        raise HeadstartError(
            f"backbone.weights={resolved['weights']}: {broken} holds NaN or infinity in {path.name}; give another file"
        )
    backbone.load_state_dict({k: state[k].to(v.dtype) if k in state else v for k, v in wanted.items()})


def _describe_weights(weights: str, name: str | None) -> dict[str, Any]:
    """What the weights say of themselves: name, options and, where they know it, mean and std."""
    if weights == "hub":
        return {"name": name or DEFAULT_HUB_NETWORK, "options": {}}
    if weights in ("embedded", "none"):
        header = model_card.read_backbone_header(EMBEDDED_WEIGHTS)
        if header is None:
            raise HeadstartError("the embedded backbone is missing from this installation; install it anew")
        return header
    path = locate_weights({"weights": weights})
    if path.suffix == ".ckpt":
        import headstart

        model: Any = headstart.load(path)
        if not hasattr(model, "backbone"):
            raise HeadstartError(f"backbone.weights={weights}: a {type(model).__name__} has no backbone")
        mean, std = model.pixel_mean.flatten().tolist(), model.pixel_std.flatten().tolist()
        return {**model.architecture, "mean": mean, "std": std}
    header = model_card.read_backbone_header(path) if path.suffix == ".safetensors" else None
    return header or {"name": name or _describe_weights("embedded", None)["name"], "options": {}}


def _read_tensors(path: Path, name: str) -> "dict[str, Tensor]":
    """The tensors of a weight file, under the names that timm gives them, classifier included."""
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Torch's own words advise to load it unsafely.
        raise HeadstartError(
            f"{path}: the weights cannot be read; give a .safetensors file, a .pth of tensors alone, "
            "or a Headstart checkpoint"
        ) from error
    state = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else {}
    if path.suffix == ".ckpt":
        return {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("backbone.")}
    return {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}


@lru_cache
def _hash_weights_file(path: Path, version: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
