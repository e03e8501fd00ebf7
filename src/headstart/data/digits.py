"""scikit-learn's 1,797 real handwritten digits, written once as an image folder."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image

from headstart.data import paths
from headstart.data.image_folder import ImageFolder
from headstart.errors import HeadstartError
from headstart.file_names import expand_home


@dataclass(eq=False)
class Digits(ImageFolder):
    """8×8 grey images of ten digits (UCI's optical recognition test set, which scikit-learn carries).

    ``root`` is where the folder is written; None is ``data/digits`` in a clone, else in the user's cache.
    """

    image_size: int | None = 32
    resize: str = "crop"
    channels: int | None = 1
    mirror: bool = False
    group: None = field(default=None, init=False)  # it is not known who wrote which digit

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("resize", self.resize == "crop", "crop: these images are square")

    @property
    def name(self) -> str:
        return "digits"

    def audit(self) -> None:
        return None

    def prepare(self) -> None:
        root = self._locate_root()
        try:
            write_digits(root)
        except OSError as error:
            reason = error.strerror or error
            raise HeadstartError(f"{root}: the digits cannot be written here ({reason}); give a data.root") from error
        if stranger := find_stranger(root):
            raise HeadstartError(
                f"data.root={root}: holds {stranger}, which is none of scikit-learn's digits; leave data.root out, or "
                "name a folder that is not there yet"
            )

    def _resolve_root(self) -> Path:
        self.prepare()
        return paths.resolve_root(self._locate_root())

    def _locate_root(self) -> Path:
        return expand_home(self.root) if self.root else paths.default_data_dir("digits")


def find_stranger(root: Path) -> str | None:
    """A file below ``root`` that :func:`write_digits` does not write; None where there is none. Hidden files may be."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not re.fullmatch(r"\d(/\d{4}\.png)?|.*(^|/)\..*", name):
            return name
    return None


def write_digits(root: Path) -> None:
    """Writes ``root/<digit>/<index>.png`` unless there is a ``root``, whole or not at all."""
    if root.exists():
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(f".{root.name}.lock")):
        if root.exists():
            return
        from sklearn.datasets import load_digits

        scratch = root.with_name(f".{root.name}.part")
        data = load_digits()
        for index, (pixels, digit) in enumerate(zip(data.images, data.target, strict=True)):
            path = scratch / str(digit) / f"{index:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.round(pixels * (255 / 16)).astype(np.uint8)).save(path)
        scratch.rename(root)
