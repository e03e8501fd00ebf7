"""MNIST from its four original files, read where they lie, packed or not."""

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from headstart.data.images import cache_dir
from headstart.data.source import Catalogue, Source
from headstart.errors import HeadstartError

FILES = {"train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
         "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")}  # fmt: skip
PLACES = ("", "raw", "MNIST/raw")


class MNIST(Source):
    """Handwritten digits, 28×28 grey; the official 10,000 test images are the sealed test.

    ``root`` is where the four files lie (there, in ``raw`` or in ``MNIST/raw``); where they are missing,
    torchvision downloads them into the user's cache folder.
    """

    @property
    def catalogue(self) -> Catalogue:
        return _read(self._root())[0]

    @property
    def images(self) -> np.ndarray:
        if self.image_size not in (None, 28) or self.channels not in (None, 1):
            raise HeadstartError("data=mnist: its images are 28×28 and grey; leave data.image_size and data.channels")
        return _read(self._root())[1]

    def _root(self) -> str:
        if self.root is not None:
            root = Path(self.root).expanduser()
            if not root.is_dir():
                raise HeadstartError(f"data.root={root}: there is no such folder; it should hold MNIST's four files")
            if _complete(root):
                return str(root)
        kept = cache_dir() / "mnist"
        if not _complete(kept):
            _download(kept, str(self.root or kept / "MNIST" / "raw"))
        return str(kept)


def _complete(root: Path) -> bool:
    return all(_find(root, name) for pair in FILES.values() for name in pair)


def _find(root: Path, name: str) -> Path | None:
    places = [root / place / (name + packed) for place in PLACES for packed in ("", ".gz")]
    return next((path for path in places if path.is_file()), None)


def _download(kept: Path, wanted: str) -> None:
    from torchvision import datasets

    try:
        datasets.MNIST(str(kept), download=True)
    except Exception as error:
        names = ", ".join(name + ".gz" for pair in FILES.values() for name in pair)
        raise HeadstartError(
            f"MNIST is not here and cannot be downloaded ({str(error).splitlines()[0][:80]}); "
            f"put {names} into {wanted} and name that folder by data.root="
        ) from error


@lru_cache(maxsize=2)
def _read(root: str) -> tuple[Catalogue, np.ndarray]:
    images, labels, parts, names = [], [], [], []
    for part, (image_file, label_file) in FILES.items():
        images.append(_idx(Path(root), image_file, 3))
        labels.append(_idx(Path(root), label_file, 1))
        if len(images[-1]) != len(labels[-1]):
            raise HeadstartError(f"{root}: {len(images[-1])} {part} images, but {len(labels[-1])} labels")
        parts += [part] * len(labels[-1])
        names += [f"{part}/{index:05}" for index in range(len(labels[-1]))]
    pixels = np.concatenate(images)[:, None]
    catalogue = Catalogue(
        names=names,
        labels=np.concatenate(labels).astype(np.int64),
        classes=tuple("0123456789"),
        parts=np.array(parts),
        digests=[hashlib.sha256(image.tobytes()).hexdigest() for image in pixels],
    )
    return catalogue, pixels


def _idx(root: Path, name: str, dimensions: int) -> np.ndarray:
    """An array of the idx format: magic number, sizes (big-endian), uint8 values."""
    path = _find(root, name)
    assert path is not None
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise HeadstartError(f"{path}: cannot be unpacked ({error}); fetch it again") from error
    if len(content) < 4 + 4 * dimensions or content[:4] != bytes([0, 0, 8, dimensions]):
        raise HeadstartError(f"{path}: this is no idx file of {dimensions} dimensions; fetch it again")
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if len(values) != np.prod(shape):
        raise HeadstartError(f"{path}: {len(values)} of {np.prod(shape)} values; it is truncated, fetch it again")
    return values.reshape(shape)
