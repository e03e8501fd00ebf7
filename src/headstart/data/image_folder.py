"""Image folders: ``root/<class>/*`` or ``root/{train,val,test}/<class>/*``."""

import hashlib
import statistics
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from headstart.data import paths, pixel_cache
from headstart.data.catalog import Catalog
from headstart.data.exact_copies import group_duplicates
from headstart.data.groups.image_groups import add_groups, check_group_option, describe_groups
from headstart.data.image_source import ImageSource
from headstart.data.layout.class_folders import describe_missing_classes
from headstart.data.layout.layout import Layout
from headstart.data.layout.scan import LabeledFile, relative_name, scan_folder
from headstart.data.threads import thread_map
from headstart.decoding.bit_depth import DepthError
from headstart.decoding.decoder import read_shorter_side
from headstart.errors import HeadstartError, join_with_limit
from headstart.file_names import encode_name

FolderScan = Callable[[Path], tuple[Layout, tuple[LabeledFile, ...]]]
HASHED_BYTES = 2**16  # of a file at once
MAX_MEASURED_FILES = 500  # headers that tell how large the images of a folder are


@dataclass(eq=False)
class ImageFolder(ImageSource):
    """A folder of images; see ``ImageSource`` for the other arguments.

    Args:
        group: what the images of one patient, camera or film have in common; they stay on one side of the split.
            ``folder`` is the folder below that of the class, ``copies`` means that they look the same to an audit, else
            a regular expression over file names below ``root`` (its first capture group, or the whole match); None: no
            groups.

    The attribute ``scan`` lists the files of the folder. Those of a command have it in common.
    """

    group: str | None = None
    scan: FolderScan = field(default_factory=lambda: scan_folder, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_group_option(self.group)

    @cached_property
    def catalog(self) -> Catalog:
        root = self._resolve_root()
        if self.image_size is None:
            raise HeadstartError("data.image_size=null: photographs differ in size; give a number of pixels")
        layout, files = self._listing
        notes = (*(note.text for note in layout.notes), *describe_missing_classes(layout.classes))
        catalog = _build_catalog(
            root,
            files,
            layout.ignored,
            notes,
            self.image_size,
            self.resize,
            self.channels,
            self.on_bad_file,
            self.depth,
        )
        if self.group is None:
            return catalog
        readable = tuple(files[i].path for i in catalog.rows)
        return add_groups(catalog, self.group, readable, tuple(folder.path for folder in layout.classes))

    @property
    def remarks(self) -> list[str]:
        if self.group is None:
            return super().remarks
        notes = filter(None, [*self.split.notes, self.split.no_validation])
        counts = describe_groups(self.group, self.catalog.groups)
        return [*super().remarks, counts, *(f"data.group={self.group}: {note}" for note in notes)]

    @property
    def name(self) -> str:
        return encode_name(self._resolve_root().absolute().name)

    @property
    def has_test_part(self) -> bool:
        return self.test_part is not None or any(file.part == "test" for file in self._listing[1])

    @property
    def num_listed_images(self) -> int:
        """Number of files; copies and unreadable ones are among them."""
        return len(self._listing[1])

    @cached_property
    def median_shorter_side(self) -> int | None:
        """Median of the shorter sides (pixels) in the headers of at most 500 files, evenly spaced in the sorted list.

        None where none of them can be read.
        """
        _, files = self._listing
        count = min(len(files), MAX_MEASURED_FILES)
        measured = [files[i * len(files) // count].path for i in range(count)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow on odd metadata; a file that cannot be read is named later
            sides = [side for side in map(read_shorter_side, measured) if side]
        return statistics.median_low(sides) if sides else None

    def audit(self) -> dict[str, Any] | None:
        from headstart.data.audit.audit import audit_folder

        return audit_folder(self._resolve_root()).summary()

    @cached_property
    def _listing(self) -> tuple[Layout, tuple[LabeledFile, ...]]:
        return self.scan(self._resolve_root())

    def _resolve_root(self) -> Path:
        if not self.root:
            raise HeadstartError("data.root: say where the images lie: data.root=PATH")
        return paths.resolve_root(self.root)


@lru_cache(maxsize=4)  # the runs of a sweep share what they read
def _build_catalog(
    root: Path,
    files: tuple[LabeledFile, ...],
    ignored: tuple[tuple[str, Path], ...],
    notes: tuple[str, ...],
    size: int,
    resize: str,
    channels: int | None,
    on_bad_file: str,
    depth: str | None,
) -> Catalog:
    file_paths = [file.path for file in files]
    digests = list(thread_map(_hash_file, file_paths, "hashing images"))
    try:
        decoded = pixel_cache.decode_with_cache(file_paths, digests, size, channels, depth, resize)
    except DepthError as error:
        raise DepthError(f"data.root={root}: {error}") from error
    names = [file.name for file in files]
    skipped = [(names[i], reason) for i, reason in sorted(decoded.errors.items())]
    if skipped and on_bad_file == "error":
        bad = join_with_limit([f"{name} ({reason})" for name, reason in skipped])
        raise HeadstartError(
            f"{root}: {len(skipped)} of {len(files)} files cannot be read: {bad}; mend or remove them, "
            "or leave them out with data.on_bad_file=skip"
        )
    good = [i for i in range(len(files)) if i not in decoded.errors]
    good_digests = [digests[i] for i in good]
    classes = sorted({file.label for file in files})
    position = {name: i for i, name in enumerate(classes)}
    if unreadable := sorted(set(classes) - {files[i].label for i in good}):
        reason = next(reason for i, reason in sorted(decoded.errors.items()) if files[i].label in unreadable)
        raise HeadstartError(
            f"{root}: no file in class {join_with_limit(unreadable)} can be read ({reason}); mend the files or "
            "remove the class"
        )
    return Catalog(
        names=[names[i] for i in good],
        labels=np.array([position[files[i].label] for i in good], dtype=np.int64),
        classes=tuple(classes),
        parts=np.array([files[i].part for i in good]),
        digests=good_digests,
        pixels=decoded.pixels,
        rows=np.array(good, dtype=np.int64),
        skipped=skipped,
        content_ids=_content_ids(good_digests, decoded.pixels, good),
        depth=decoded.depth.name,
        decoding_key=[name for name in (decoded.depth.name, resize) if name not in (None, "crop")],
        ignored=[(reason, relative_name(root, path)) for reason, path in ignored],
        notes=[*notes, *filter(None, [decoded.depth.text])],
    )


def _content_ids(digests: list[str], pixels: np.ndarray, rows: list[int]) -> list[str]:
    """For each image the least SHA-256 of the files with its pixels: copies may have different file formats."""
    contents = list(digests)
    # One row of pixels tells most images apart without reading them all.
    for suspects in group_duplicates(range(len(rows)), lambda i: pixels[rows[i], :, pixels.shape[2] // 2].tobytes()):
        for copies in group_duplicates(suspects, lambda i: hashlib.sha256(pixels[rows[i]].tobytes()).digest()):
            for i in copies:
                contents[i] = min(digests[j] for j in copies)
    return contents


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while block := file.read(HASHED_BYTES):
                digest.update(block)
    except OSError:  # decoding will name it
        return "unreadable"
    return digest.hexdigest()
