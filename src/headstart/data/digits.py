"""scikit-learn's 1,797 real handwritten digits, written once as an image folder."""

from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image

from headstart.data.folder import Folder
from headstart.data.images import cache_dir

COUNT = 1797
CLONE = Path(__file__).parents[3]


class Digits(Folder):
    """8×8 grey images of ten digits, from the UCI test set that scikit-learn carries.

    ``root`` is where the folder is written; None is ``data/digits`` in a clone, else the user's cache.
    """

    name = "digits"

    def _root(self) -> str:
        in_clone = (CLONE / "pyproject.toml").is_file() and (CLONE / "data").is_dir()
        own = CLONE / "data" if in_clone else cache_dir()
        root = Path(self.root).expanduser() if self.root is not None else own / "digits"
        write_digits(root)
        return str(root)


def write_digits(root: Path) -> None:
    """Writes ``root/<digit>/<index>.png`` where it is not there yet, whole or not at all."""
    if root.is_dir():
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.with_name(f".{root.name}.lock")):
        if root.is_dir():
            return
        from sklearn.datasets import load_digits

        scratch = root.with_name(f".{root.name}.part")
        data = load_digits()
        for index, (pixels, digit) in enumerate(zip(data.images, data.target, strict=True)):
            path = scratch / str(digit) / f"{index:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.round(pixels * (255 / 16)).astype(np.uint8)).save(path)
        scratch.rename(root)
