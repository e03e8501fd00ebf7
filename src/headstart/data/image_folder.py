"""Image folders: ``root/<class>/*`` or ``root/{train,val,test}/<class>/*``."""

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data import paths as places
from headstart.data import pixel_cache
from headstart.data.exact_copies import copied
from headstart.data.image_source import Catalogue, Source
from headstart.data.layout.class_folders import ClassFolder, describe_missing_classes
from headstart.data.layout.layout import Layout, check_layout, read_layout
from headstart.decoding.bit_depth import DepthError
from headstart.errors import HeadstartError, named
from headstart.file_names import encode_name


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
        layout, files = _scan(root)
        notes = (*(note.text for note in layout.notes), *describe_missing_classes(layout.classes))
        return _catalogue(
            root, files, layout.ignored, notes, self.image_size, self.channels, self.on_bad_file, self.depth
        )

    @property
    def name(self) -> str:
        return encode_name(self._place().absolute().name)

    def audit(self) -> dict[str, Any] | None:
        from headstart.data.audit.audit import audit

        return audit(self._place()).summary()

    def _place(self) -> Path:
        if not self.root:
            raise HeadstartError("data.root: say where the images lie: data.root=PATH")
        return places.existing(self.root)


@lru_cache(maxsize=4)  # the runs of a sweep share what they read
def _catalogue(
    root: Path,
    files: tuple[File, ...],
    ignored: tuple[tuple[str, Path], ...],
    notes: tuple[str, ...],
    size: int,
    channels: int | None,
    on_bad_file: str,
    depth: str | None,
) -> Catalogue:
    paths = [file.path for file in files]
    digests = list(pixel_cache.in_threads(_digest, paths, "hashing images"))
    try:
        decoded = pixel_cache.decoded(paths, digests, size, channels, depth)
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
        reason = next(reason for i, reason in sorted(decoded.troubles.items()) if files[i].label in lost)
        raise HeadstartError(
            f"{root}: no file in class {named(lost)} can be read ({reason}); mend the files or remove the class"
        )
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
        ignored=[(reason, name_below(root, path)) for reason, path in ignored],
        notes=[*notes, *filter(None, [decoded.depth.text])],
    )


def _reading(decoded: pixel_cache.Decoded) -> list[Any]:
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


def _scan(root: Path) -> tuple[Layout, tuple[File, ...]]:
    """The layout of ``root`` and its image files in the order of their names in any locale; only names and dates are
    looked at."""
    layout = read_layout(root)
    check_layout(layout)
    files = [file for folder in layout.classes for file in list_class_files(folder)]
    return layout, tuple(sorted(files, key=lambda file: name_below(root, file.path).split("/")))


def list_class_files(folder: ClassFolder) -> list[File]:
    """The image files of a class's folder."""
    label = encode_name(folder.name)
    return [File(file.path, label, folder.part, file.size, file.modified) for file in folder.listing.files]
