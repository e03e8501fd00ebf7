"""MNIST from its four original files, read where they lie, packed or not."""

import gzip
import hashlib
import io
import zlib
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock

from headstart.data import paths, pixel_cache
from headstart.data.catalog import Catalog
from headstart.data.image_source import ImageSource
from headstart.decoding import decoder
from headstart.errors import HeadstartError

IMAGE_FILES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
LABEL_FILES = {"train": "train-labels-idx1-ubyte", "test": "t10k-labels-idx1-ubyte"}
FILE_NAMES = (*IMAGE_FILES.values(), *LABEL_FILES.values())
SUBFOLDERS = ("", "raw", "MNIST/raw")


@dataclass(eq=False)
class MNIST(ImageSource):
    """Handwritten digits, 28×28 and grey; the official 10,000 test images are the sealed test.

    ``root`` is where the four files lie (there, in ``raw`` or in ``MNIST/raw``). Where they are missing,
    torchvision downloads them: into ``data/mnist`` in a clone, else into the user's cache.
    """

    image_size: int | None = None
    resize: str = "crop"
    channels: int | None = 1
    mirror: bool = False
    batch_size: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("resize", self.resize == "crop", "crop: these images are square")

    @property
    def has_test_part(self) -> bool:
        return True  # without a look at the files, which may have to be downloaded

    def prepare(self) -> None:
        if not self._find_files():
            _download(*reversed(self._folders()))

    @cached_property
    def catalog(self) -> Catalog:
        self.prepare()
        return _build_catalog(self._find_files(), self.image_size or 28, self.channels or 1)

    def _find_files(self) -> tuple[Path, ...]:
        """The four files in the order of ``FILE_NAMES``; none unless all are there."""
        return next(filter(None, map(_find_files, self._folders())), ())

    def _folders(self) -> tuple[Path, Path]:
        """The folder that the user gave, and the one for downloads."""
        default = paths.default_data_dir("mnist")
        return default if self.root is None else paths.resolve_root(self.root), default


def _find_files(root: Path) -> tuple[Path, ...]:
    """The four files in the order of ``FILE_NAMES``; none unless all are there."""
    files = tuple(path for name in FILE_NAMES if (path := _find_file(root, name)))
    return files if len(files) == len(FILE_NAMES) else ()


def _find_file(root: Path, name: str) -> Path | None:
    candidates = [root / folder / (name + suffix) for folder in SUBFOLDERS for suffix in ("", ".gz")]
    return next((path for path in candidates if path.is_file()), None)


def _download(folder: Path, requested: Path) -> None:
    from torchvision import datasets

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            datasets.MNIST(str(folder), download=True)
    except Exception as error:
        reason = str(error).splitlines()[0].rstrip(" :")[:80]
        raise HeadstartError(
            f"MNIST: its files are not in {requested}, and the download failed ({reason}); "
            f"put {', '.join(name + '.gz' for name in FILE_NAMES)} there, or name their folder by data.root="
        ) from error


@lru_cache(maxsize=2)  # the runs of a sweep share what they read
def _build_catalog(files: tuple[Path, ...], size: int, channels: int) -> Catalog:
    train, test, train_labels, test_labels = map(_read_idx, files, (3, 3, 1, 1))
    for part, count, labels in (("training", len(train), train_labels), ("test", len(test), test_labels)):
        if count != len(labels):
            raise HeadstartError(
                f"{files[0].parent}: {count} {part} images, but {len(labels)} labels; fetch them again"
            )
    pixels = np.concatenate([train, test])[:, None]
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in pixels]
    if (size, size, channels) != (*pixels.shape[2:], 1):
        pictures = [decoder.from_array(image.transpose(1, 2, 0)) for image in pixels]
        pixels = pixel_cache.decode_with_cache(pictures, digests, size, channels).pixels
    parts = [("train", i) for i in range(len(train))] + [("test", i) for i in range(len(test))]
    return Catalog(
        names=[f"{part}/{i:05}" for part, i in parts],
        labels=np.concatenate([train_labels, test_labels]).astype(np.int64),
        classes=tuple("0123456789"),
        parts=np.array([part for part, _ in parts]),
        digests=digests,
        pixels=pixels,
        rows=np.arange(len(parts)),
    )


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """An array of the idx format: two zeros, 8 for uint8, the dimensions, their sizes (big-endian), the values."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise HeadstartError(f"{path}: cannot be read ({error}); fetch it again") from error
    if len(content) < 4 + 4 * dimensions or content[:4] != bytes([0, 0, 8, dimensions]):
        raise HeadstartError(f"{path}: this is not the MNIST file of that name; fetch it again")
    shape = np.frombuffer(content, ">i4", dimensions, offset=4).astype(int)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if len(values) != np.prod(shape):
        raise HeadstartError(f"{path}: truncated, {len(values)} of {np.prod(shape)} values; fetch it again")
    return values.reshape(shape)
