"""Class folders, and checks for folders that were probably not meant as classes."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from headstart.data.layout.file_list import FileList
from headstart.data.layout.hints import (
    describe_count,
    find_mask_names,
    find_mask_twins,
    format_first_names,
    has_annotation_names,
    has_split_names,
    strip_mask_name,
)
from headstart.data.layout.part_names import is_filler, read_part_name
from headstart.errors import join_with_limit

UNLABELED = {"unlabeled", "unlabelled", "unsup"}
MASK_SHARE = 0.1  # of the files, from which on such names are taken for masks


@dataclass(frozen=True)
class ClassFolder:
    """A folder of one class's images.

    Args:
        part: ``train``, ``val`` or ``test``; empty for data without parts.
        path: the folder.
        listing: its files.
    """

    part: str
    path: Path
    listing: FileList

    @property
    def name(self) -> str:
        """The name of the class, as the file system has it."""
        return self.path.name

    @cached_property
    def inner_folders(self) -> list[str]:
        """Names of its subfolders that hold files at any depth; a lone ``images`` folder is replaced by its content."""
        below = [folder.relative_to(self.path).parts for folder in self.listing.folders]
        names = sorted({parts[0] for parts in below if parts})
        while len(names) == 1 and is_filler(names[0]) and any(len(parts) > 1 for parts in below):
            below = [parts[1:] for parts in below]
            names = sorted({parts[0] for parts in below if parts})
        return names


@dataclass(frozen=True)
class Remark:
    """A problem or a note about a layout.

    Args:
        paths: the folders or files.
        text: what is noticed, and what to do about it.
    """

    paths: tuple[Path, ...]
    text: str


def find_layout_problems(root: Path, folders: Sequence[ClassFolder]) -> list[Remark]:
    """Reasons to refuse a layout, such as classes missing in train, parts within classes, annotations as classes."""
    with_files = [folder for folder in folders if folder.listing.files]
    checks = (_find_unknown_classes, _find_annotations, _find_inner_parts, _find_splits, _find_masks)
    remarks = [remark for check in checks for remark in check(root, with_files)]
    return [*_find_empty_parts(root, folders), *remarks]


def find_layout_notes(root: Path, folders: Sequence[ClassFolder]) -> list[Remark]:
    """Notes on an ambiguous layout and how it is read, such as folders within a class, whose images count to it."""
    notes = [
        Remark(
            (folder.path,),
            f"{_relative_name(root, folder.path)} counts as a class of its own; move it away if it is none",
        )
        for folder in folders
        if folder.name.casefold() in UNLABELED and folder.listing.files
    ]
    if 0 < len(twins := _list_mask_twins(folders)) < MASK_SHARE * _count_files(folders):
        notes.append(Remark(tuple(twins), f"{_describe_masks(root, twins)}; they count as images of their class"))
    parents = [folder for folder in folders if len(folder.inner_folders) > 1 or _has_inner_part(folder)]
    if not parents:
        return notes
    names = [f"{_relative_name(root, folder.path)} ({format_first_names(folder.inner_folders)})" for folder in parents]
    text = f"images in folders within a class count to that class: {format_first_names(names)}"
    common = set.intersection(*({*folder.inner_folders} for folder in folders if folder.listing.files))
    if len(common) > 1 and len(parents) > 1:
        text += (
            f"; all of these folders hold {join_with_limit(sorted(common))}: if those are the classes, put "
            "the images of each "
            "into one folder"
        )
    return [*notes, Remark(tuple(folder.path for folder in parents), text)]


def describe_missing_classes(folders: Sequence[ClassFolder]) -> list[str]:
    """The classes of train without an image in another part: one line per part."""
    names: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        if folder.part and folder.listing.files:
            names[folder.part].add(folder.name)
    missing = {part: sorted(names["train"] - names[part]) for part in sorted({*names} - {"train"})}
    return [f"{part} has no image of {join_with_limit(classes)}" for part, classes in missing.items() if classes]


def describe_wrapper(root: Path, folder: ClassFolder) -> str:
    """A hint at the folder that seems to hold the classes, if the only class folder holds several; else empty."""
    if len(folder.listing.folders) < 2:
        return ""
    place = Path(os.path.commonpath(folder.listing.folders))
    if folder.part:
        return f"the classes seem to lie in {_relative_name(root, place)}: move them up into {folder.path.parent.name}"
    return f"the classes or parts seem to lie in it: data.root={place}"


def _find_empty_parts(root: Path, folders: Sequence[ClassFolder]) -> list[Remark]:
    remarks = []
    for part in dict.fromkeys(folder.part for folder in folders if folder.part != "train"):
        inside = [folder for folder in folders if folder.part == part]
        if part and not any(folder.listing.files or folder.listing.errors for folder in inside):
            place = inside[0].path.parent
            text = f"{_relative_name(root, place)} has folders of classes, but no images in them; fill or remove it"
            remarks.append(Remark((place,), text))
    return remarks


def _find_unknown_classes(root: Path, folders: Sequence[ClassFolder]) -> list[Remark]:
    """Finds classes of other parts that train has no image of."""
    train = {folder.name: folder for folder in folders if folder.part == "train"}
    by_normalized_name = {_normalize_name(name): folder for name, folder in train.items()}
    unknown = [folder for folder in folders if folder.part not in ("", "train") and folder.name not in train]
    remarks = []
    for folder in unknown:
        if twin := by_normalized_name.get(_normalize_name(folder.name)):
            is_same_text = unicodedata.normalize("NFC", twin.name) == unicodedata.normalize("NFC", folder.name)
            difference = "how an accent is stored" if is_same_text else "how they are spelt"
            text = (
                f"classes {_relative_name(root, twin.path)} and {_relative_name(root, folder.path)} differ only "
                f"in {difference} ({twin.name!a}, {folder.name!a}); rename one"
            )
            remarks.append(Remark((twin.path, folder.path), text))
    if rest := [folder for folder in unknown if _normalize_name(folder.name) not in by_normalized_name]:
        text = (
            "classes that train has no image of: "
            f"{join_with_limit([_relative_name(root, folder.path) for folder in rest])} "
            f"(train has {join_with_limit(sorted(train))}); rename them, or move them away"
        )
        remarks.append(Remark(tuple(folder.path for folder in rest), text))
    return remarks


def _find_annotations(root: Path, folders: Sequence[ClassFolder]) -> list[Remark]:
    """Finds masks, labels and annotations beside the images: within the class folders, or as classes."""
    names = sorted({folder.name for folder in folders})
    if pairs := [folder for folder in folders if has_annotation_names(folder.inner_folders)]:
        inside = [
            f"{_relative_name(root, folder.path)} ({format_first_names(folder.inner_folders)})" for folder in pairs
        ]
        text = f"classes hold pictures and their annotations: {format_first_names(inside)}; move the annotations away"
        return [Remark(tuple(folder.path for folder in pairs), text)]
    if twins := [name for name in find_mask_names(names) if _has_mask_files(name, folders)]:
        text = (
            f"{join_with_limit(twins)}: named like masks or labels of the classes beside them; move them "
            "away, or rename them if "
            "they are classes"
        )
        return [Remark(tuple(folder.path for folder in folders if folder.name in twins), text)]
    if not has_annotation_names(names):
        return []
    text = (
        f"{join_with_limit(names)} are called like pictures and their annotations, not like classes; put the "
        "pictures of each "
        "class into a folder of its own"
    )
    if deeper := [folder.path for folder in folders if not folder.part and len(folder.inner_folders) > 1]:
        text += f", or, if its folders are the classes or parts, give data.root={deeper[0]}"
    return [Remark(tuple(folder.path for folder in folders), text)]


def _find_inner_parts(root: Path, folders: Sequence[ClassFolder]) -> list[Remark]:
    """Finds parts within classes: ``<class>/train/*``."""
    inner: dict[str, set[Path]] = defaultdict(set)
    for folder in folders:
        for name in folder.inner_folders:
            if (part := read_part_name(name)) and part.is_plain:
                inner[part.part].add(folder.path / name)
    several = [paths for paths in inner.values() if len(paths) > 1]
    parents = [path.parent for paths in inner.values() for path in paths]
    if not several and len(set(parents)) == len(parents):
        return []
    paths = sorted({path for group in inner.values() for path in group})
    if paths[0].parent.parent != root:
        remedy = "move their images up into the folder of the class"
    else:
        remedy = f"make it {paths[0].name}/{paths[0].parent.name} and so on, or give the folder of one as data.root"
    text = f"parts within classes: {format_first_names([_relative_name(root, path) for path in paths])}; {remedy}"
    return [Remark(tuple(paths), text)]


def _has_inner_part(folder: ClassFolder) -> bool:
    return any(map(read_part_name, folder.inner_folders))


def _find_splits(root: Path, folders: Sequence[ClassFolder]) -> list[Remark]:
    """Finds pieces of one data set, such as fold1 and fold2, each with the same class folders."""
    names = [folder.name for folder in folders]
    common = set.intersection(*({*folder.inner_folders} for folder in folders)) if folders else set()
    if len(names) < 2 or len(common) < 2 or not has_split_names(names):
        return []
    text = (
        f"{join_with_limit(names)} look like pieces of one data set, each with "
        f"{join_with_limit(sorted(common))}, not like classes; "
        "put the images of each class into one folder (data.folds=5 cuts them anew)"
    )
    return [Remark(tuple(folder.path for folder in folders), text)]


def _find_masks(root: Path, folders: Sequence[ClassFolder]) -> list[Remark]:
    """Finds class folders with many files named like masks of the images beside them."""
    twins = _list_mask_twins(folders)
    if not twins or len(twins) < MASK_SHARE * _count_files(folders):  # one "wine_label" beside "wine" may be an image
        return []
    text = (
        f"{_describe_masks(root, twins)}; move them out of the folders of the classes, or rename them if they are "
        "images to learn from"
    )
    return [Remark(tuple(twins), text)]


def _list_mask_twins(folders: Sequence[ClassFolder]) -> list[Path]:
    return [path for folder in folders for path in find_mask_twins(file.path for file in folder.listing.files)]


def _describe_masks(root: Path, twins: Sequence[Path]) -> str:
    names = format_first_names([_relative_name(root, path) for path in twins])
    return f"{describe_count(len(twins), 'file')} named like masks or labels of the images beside them: {names}"


def _count_files(folders: Sequence[ClassFolder]) -> int:
    return sum(len(folder.listing.files) for folder in folders)


def _has_mask_files(name: str, folders: Sequence[ClassFolder]) -> bool:
    """Whether half of the files in ``cat_masks`` have names of files in ``cat``; an "oxygen mask" class has others."""
    stems: dict[str, set[str]] = defaultdict(set)
    for folder in folders:
        stems[folder.name] |= {strip_mask_name(file.path.stem) for file in folder.listing.files}
    return 2 * len(stems[name] & stems[strip_mask_name(name)]) >= len(stems[name])


def _normalize_name(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _relative_name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
