"""Finds, describes and loads a backbone's starting weights.

They are ``embedded``, those of a package, ``hub``, a file, a Headstart run, or ``none``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.backbones.hub import fetch_hub_weights
from headstart.backbones.model_card import read_backbone_header
from headstart.backbones.packaged_weights import PACKAGED_WEIGHTS
from headstart.errors import HeadstartError
from headstart.file_names import expand_home
from headstart.image_spec import ImageSpec
from headstart.runs.checkpoint import CLASS_KEY, read_checkpoint, resolve_checkpoint

if TYPE_CHECKING:
    from torch import Tensor, nn

EMBEDDED_WEIGHTS = Path(__file__).parent / "embedded.safetensors"
DEFAULT_HUB_NETWORK = "resnet18"


@dataclass(frozen=True)
class BackboneCheckpoint:
    """The backbone of a Headstart checkpoint.

    Args:
        name: timm's name of the network.
        options: keyword arguments for timm.
        mean, std: normalization per channel, for pixels in [0, 1].
        classes: names of the classes that the model was trained on.
        resize: how its images became square, one of ``headstart.decoding.square.RESIZE_MODES``.
        state: the backbone's tensors by name.

    Example:
        >>> backbone = read_backbone_checkpoint(Path("runs/…/checkpoints/best.ckpt"), "backbone.weights=runs/…")
        >>> backbone.name
        'resnet18'
    """

    name: str
    options: dict[str, Any]
    mean: list[float]
    std: list[float]
    classes: list[str]
    resize: str
    state: "dict[str, Tensor]"

    def describe(self) -> dict[str, Any]:
        """What resolves settings and what an exported file's header holds: name, options, mean and std."""
        return {"name": self.name, "options": self.options, "mean": self.mean, "std": self.std}


def read_backbone_checkpoint(path: Path, label: str) -> BackboneCheckpoint:
    """Reads the backbone of a checkpoint without building its model.

    Args:
        path: a Headstart checkpoint.
        label: what names the checkpoint in the error, such as ``backbone.weights=PATH``.

    Raises:
        HeadstartError: the file is no Headstart checkpoint, or its model has no backbone.
    """
    checkpoint = read_checkpoint(path)
    hyperparameters, tensors = checkpoint["hyper_parameters"], checkpoint["state_dict"]
    network = hyperparameters.get("backbone") or hyperparameters.get("architecture")
    state = {k.removeprefix("backbone."): v for k, v in tensors.items() if k.startswith("backbone.")}
    if not network or not state:
        raise HeadstartError(
            f"{label}: a {checkpoint[CLASS_KEY].partition(':')[2]} has no backbone; give a run of a model that has one"
        )
    mean, std = (tensors[key].flatten().tolist() for key in ("pixel_mean", "pixel_std"))
    spec = ImageSpec.from_dict(hyperparameters["spec"])
    return BackboneCheckpoint(network["name"], network["options"], mean, std, list(spec.classes), spec.resize, state)


def locate_weights(resolved: dict[str, Any]) -> Path:
    """The file of the starting weights; weights on the hub are downloaded unless they are cached.

    Raises:
        HeadstartError: there is no such file or package, or the hub cannot be reached.
    """
    weights = resolved["weights"]
    if weights == "embedded":
        return EMBEDDED_WEIGHTS
    if weights in PACKAGED_WEIGHTS:
        return PACKAGED_WEIGHTS[weights].locate()
    if weights == "hub":
        return fetch_hub_weights(resolved["name"])
    path = expand_home(weights)
    if path.is_dir():
        path = resolve_checkpoint(path)
    if not path.is_file():
        raise HeadstartError(
            f"backbone.weights={weights}: there is no such file; give embedded, {', '.join(PACKAGED_WEIGHTS)}, hub, "
            "none, a .safetensors or .pth file, or a Headstart run"
        )
    return path


def describe_weights(weights: str, name: str | None) -> dict[str, Any]:
    """The name, options and, where known, mean and std that belong to weights.

    Args:
        weights: ``backbone.weights``.
        name: ``backbone.name``; the name of weights that do not name their network.

    Raises:
        HeadstartError: the weights are missing, or a checkpoint's model has no backbone.
    """
    if weights == "hub":
        return {"name": name or DEFAULT_HUB_NETWORK, "options": {}}
    if weights in PACKAGED_WEIGHTS:
        return PACKAGED_WEIGHTS[weights].describe()
    if weights in ("embedded", "none"):
        header = read_backbone_header(EMBEDDED_WEIGHTS)
        if header is None:
            raise HeadstartError("the embedded backbone is missing from this installation; install it again")
        return header
    path = locate_weights({"weights": weights})
    if path.suffix == ".ckpt":
        return read_backbone_checkpoint(path, f"backbone.weights={weights}").describe()
    header = read_backbone_header(path) if path.suffix == ".safetensors" else None
    return header or {"name": name or describe_weights("embedded", None)["name"], "options": {}}


def load_weights(backbone: "nn.Module", resolved: dict[str, Any]) -> None:
    """Loads the starting weights into ``backbone``, each parameter and buffer.

    Raises:
        HeadstartError: a tensor is missing, has another shape or holds NaN, or the file cannot be read.
    """
    if resolved["weights"] == "none":
        return
    path = locate_weights(resolved)
    label = f"backbone.weights={resolved['weights']}"
    packaged = PACKAGED_WEIGHTS.get(resolved["weights"])
    state = packaged.load_tensors(backbone) if packaged else _read_tensors(path, label)
    expected = backbone.state_dict()
    counters = {key for key in expected if key.endswith("num_batches_tracked")}
    missing = [key for key in expected if key not in state and key not in counters]
    if missing:
        raise HeadstartError(
            f"{label}: {len(missing)} of {len(expected)} tensors of {resolved['name']} are not in {path.name} "
            f"(first: {missing[0]}); is it another network's file?"
        )
    for key, tensor in expected.items():
        if key in state and state[key].shape != tensor.shape:
            raise HeadstartError(
                f"{label}: {key} is {tuple(state[key].shape)} in {path.name}, "
                f"but {tuple(tensor.shape)} in {resolved['name']}; check backbone.name and backbone.options"
            )
    if nonfinite := next((k for k in expected if k in state and not state[k].isfinite().all()), None):
        raise HeadstartError(f"{label}: {nonfinite} holds NaN or infinity in {path.name}; give another file")
    backbone.load_state_dict({k: state[k].to(v.dtype) if k in state else v for k, v in expected.items()})


def _read_tensors(path: Path, label: str) -> "dict[str, Tensor]":
    """The tensors of a weight file under timm's names, those of a classifier included."""
    import torch
    from safetensors.torch import load_file

    if path.suffix == ".ckpt":
        return read_backbone_checkpoint(path, label).state
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's own message advises to load the file unsafely
        raise HeadstartError(
            f"{path}: the weights cannot be read; give a .safetensors file, a .pth of tensors alone, "
            "or a Headstart checkpoint"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    return {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}
