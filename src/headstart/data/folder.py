"""Image folders: ``root/<class>/*`` or ``root/{train,val,test}/<class>/*``."""

import hashlib
import multiprocessing
import os
import sys
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from headstart import images
from headstart.data import cache, places
from headstart.data.copies import copied
from headstart.data.source import PARTS, Catalogue, Source
from headstart.depth import DepthError
from headstart.errors import HeadstartError, named
from headstart.names import encode_name

JUNK = {".ipynb_checkpoints", "__MACOSX", "__pycache__", "@eaDir", "lost+found", "$RECYCLE.BIN"}
JUNK |= {"System Volume Information"}
SYSTEM_FILES = {"thumbs.db", "desktop.ini", "icon\r"}


@dataclass(frozen=True)
class File:
    """An image file: where it lies, its class and part, and by what a change of it is noticed."""

    path: Path
    label: str
    part: str
    size: int
    modified: int


@dataclass(eq=False)
class Folder(Source):
    """A folder of images; see ``Source`` for the arguments."""

    @cached_property
    def catalogue(self) -> Catalogue:
        root = self._place()
        if self.image_size is None:
            raise HeadstartError("data.image_size=null: photographs differ in size; give a number of pixels")
        return _catalogue(root, _scan(root), self.image_size, self.channels, self.on_bad_file, self.depth)

    @property
    def name(self) -> str:
        return encode_name(self._place().absolute().name)

    def audit(self) -> dict[str, Any] | None:
        from headstart.data.audit import audit

        return audit(self._place()).summary()

    def _place(self) -> Path:
        if not self.root:
            raise HeadstartError("data.root: say where the images lie: data.root=PATH")
        return places.existing(self.root)


@lru_cache(maxsize=4)  # the runs of a sweep share what they read
def _catalogue(
    root: Path, files: tuple[File, ...], size: int, channels: int | None, on_bad_file: str, depth: str | None
) -> Catalogue:
    paths = [file.path for file in files]
    digests = list(cache.in_threads(_digest, paths, "hashing images"))
    try:
        decoded = cache.decoded(paths, digests, size, channels, depth)
    except DepthError as error:
        raise DepthError(f"data.root={root}: {error}") from error
    names = [name_below(root, path) for path in paths]
    skipped = [(names[i], reason) for i, reason in sorted(decoded.troubles.items())]
    if skipped and on_bad_file == "error":
        bad = named([f"{name} ({reason})" for name, reason in skipped])
        raise HeadstartError(
            f"{root}: {len(skipped)} of {len(files)} files cannot be read: {bad}; mend or remove them, "
            "or leave them out with data.on_bad_file=skip"
        )
    good = [i for i in range(len(files)) if i not in decoded.troubles]
    kept = [digests[i] for i in good]
    classes = sorted({file.label for file in files})
    position = {name: i for i, name in enumerate(classes)}
    if lost := sorted(set(classes) - {files[i].label for i in good}):
        raise HeadstartError(f"{root}: no file in class {named(lost)} can be read; mend the files or remove the class")
    if decoded.depth.text and not multiprocessing.parent_process():  # a sweep's helpers would only repeat it
        print(f"data.root={root}: {decoded.depth.text}", file=sys.stderr)
    return Catalogue(
        names=[names[i] for i in good],
        labels=np.array([position[files[i].label] for i in good], dtype=np.int64),
        classes=tuple(classes),
        parts=np.array([files[i].part for i in good]),
        digests=kept,
        pixels=decoded.pixels,
        rows=np.array(good, dtype=np.int64),
        skipped=skipped,
        contents=_contents(kept, decoded.pixels, good),
        depth=decoded.depth.name,
        reading=_reading(decoded),
    )


def _reading(decoded: cache.Decoded) -> list[Any]:
    """What changes the pixels of the same files: later decoders, and the values of all files together."""
    reading: dict[str, Any] = {} if decoded.decoder == 1 else {"decoder": decoded.decoder}
    if not decoded.depth.is_as_before:
        reading["depth"] = decoded.depth.name
    return [reading] if reading else []


def _contents(digests: list[str], pixels: np.ndarray, rows: list[int]) -> list[str]:
    """For each image the least SHA-256 of the files that give its pixels: a copy may lie in another container."""
    contents = list(digests)
    # One row of pixels tells most images apart without reading them all.
    for suspects in copied(range(len(rows)), lambda i: pixels[rows[i], :, pixels.shape[2] // 2].tobytes()):
        for copies in copied(suspects, lambda i: hashlib.sha256(pixels[rows[i]].tobytes()).digest()):
            for i in copies:
                contents[i] = min(digests[j] for j in copies)
    return contents


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # decoding will name it
        return "unreadable"


def name_below(root: Path, path: Path) -> str:
    return encode_name(path.relative_to(root).as_posix())


def _scan(root: Path) -> tuple[File, ...]:
    """The image files below ``root``, in the order of their names in any locale; only names and dates are looked at."""
    try:
        folders = class_folders(root)
        files = [file for part, folder in folders for file in image_files(folder, part)]
    except OSError as error:
        raise HeadstartError(f"{error.filename or root}: cannot be read ({error.strerror})") from error
    _check(root, files, sorted({encode_name(folder.name) for _, folder in folders}))
    return tuple(sorted(files, key=lambda file: name_below(root, file.path).split("/")))


def class_folders(root: Path) -> list[tuple[str, Path]]:
    """Each class's folders and the part that they stand in."""
    top = _folders(root)
    if not top:
        raise HeadstartError(
            f"data.root={root}: no folders in it; put the images of each class into a folder of its own"
        )
    given = [(PARTS[folder.name.lower()], folder) for folder in top if folder.name.lower() in PARTS]
    # Classes of vehicles may be called "train": without folders of their own they are no parts.
    inside = [(part, below) for part, folder in given for below in _folders(folder)]
    if "train" not in {part for part, _ in inside}:
        if len(given) > 1 and len(given) == len(top) and inside:
            raise HeadstartError(f"data.root={root}: {named([f.name for f in top])}, but no train beside them; add it")
        return [("", folder) for folder in top]
    beside = [folder.name for folder in top if folder.name.lower() not in PARTS and image_files(folder, "")]
    if beside:
        raise HeadstartError(
            f"data.root={root}: folders with images beside train, val and test: {named(beside)}; "
            "move them into the parts, or away"
        )
    return inside


def _check(root: Path, files: list[File], classes: list[str]) -> None:
    """What must be right before a file is opened."""
    if not files:
        raise HeadstartError(f"data.root={root}: no images in it (jpg, png, bmp, gif, webp, tiff)")
    if empty := sorted(set(classes) - {file.label for file in files}):
        raise HeadstartError(f"data.root={root}: no images in class {named(empty)}; fill or remove the folder")
    if len(classes) < 2:
        raise HeadstartError(f"data.root={root}: one class only ({classes[0]}); a comparison needs two or more")
    heic = sum(file.path.suffix.lower() in images.HEIC for file in files)
    if heic and not images.reads_heic():
        raise HeadstartError(f"data.root={root}: {heic} HEIC images need another decoder: pip install headstart[heic]")


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and wanted(p.name))


def wanted(name: str) -> bool:
    return not name.startswith(".") and name not in JUNK and name.lower() not in SYSTEM_FILES


def image_files(folder: Path, part: str) -> list[File]:
    """The files of a class folder and the folders below it, linked ones included.

    Every visible file counts as an image, whatever its name: one that is none is named when it is decoded, since
    an image that is left out in silence would be worse.
    """
    found: list[File] = []
    seen: set[Path] = set()
    for base, below, names in os.walk(folder, followlinks=True, onerror=_raised):
        real = Path(base).resolve()
        if real in seen or Path(base).parent.resolve().is_relative_to(real):
            raise HeadstartError(f"{base}: a link leads in a circle, or twice to this folder; remove the link")
        seen.add(real)
        below[:] = sorted(filter(wanted, below))
        for path in (Path(base, name) for name in names):
            if wanted(path.name) and (path.is_file() or path.is_symlink()):
                stat = path.lstat() if path.is_symlink() and not path.exists() else path.stat()
                found.append(File(path, encode_name(folder.name), part, stat.st_size, stat.st_mtime_ns))
    return found


def _raised(error: OSError) -> None:
    raise error
