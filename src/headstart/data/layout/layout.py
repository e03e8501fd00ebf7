"""Reads the layout of a folder of images: its parts and classes, and the ignored images.

``root/<class>/*`` or ``root/{train,val,test}/<class>/*``. Other layouts are refused by a message
that says what to do. Training and audit read the layout here; prediction lists files by the same ``list_image_files``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart.data.layout.class_folders import (
    ClassFolder,
    Remark,
    describe_wrapper,
    find_layout_notes,
    find_layout_problems,
)
from headstart.data.layout.file_list import LOOSE_REASON, has_files, list_folders, list_image_files, list_stray_images
from headstart.data.layout.hints import describe_loose_images
from headstart.data.layout.part_folders import find_parts, has_no_labels, list_class_folders, unwrap_folder
from headstart.errors import HeadstartError, join_with_limit

NO_LABELS_REASON = "images in parts without folders of classes (so without labels)"


@dataclass(frozen=True)
class Layout:
    """The layout of a folder of images.

    Args:
        root: the folder.
        classes: the class folders, part by part.
        ignored: (reason, path) of ignored images.
        problems: reasons why training refuses the layout.
        notes: how an ambiguous layout is read.
    """

    root: Path
    classes: tuple[ClassFolder, ...]
    ignored: tuple[tuple[str, Path], ...]
    problems: tuple[Remark, ...]
    notes: tuple[Remark, ...]


def read_layout(root: Path) -> Layout:
    """Finds the parts, classes and image files of a folder. Opens few files and decodes none.

    Raises:
        HeadstartError: the classes cannot be determined, or a folder cannot be read.
    """
    try:
        return _read_layout(root)
    except OSError as error:
        raise HeadstartError(f"{error.filename or root}: cannot be read ({error.strerror})") from error


def _read_layout(root: Path) -> Layout:
    top = list_folders(root)
    if not top:
        images = describe_loose_images([root])
        reason = "no folders in it" + (f", but {images}" if images else "")
        raise HeadstartError(f"data.root={root}: {reason}; put the images of each class into a folder of its own")
    parts = find_parts(root, top)
    if parts:
        classes, ignored, notes = _read_parts(parts)
    else:
        classes, ignored, notes = [ClassFolder("", folder, list_image_files(folder)) for folder in top], [], []
    ignored += list_stray_images(root)
    ignored += [image for folder in classes for image in folder.listing.ignored]
    notes += find_layout_notes(root, classes)
    return Layout(root, tuple(classes), tuple(ignored), tuple(find_layout_problems(root, classes)), tuple(notes))


def _read_parts(parts: list[tuple[str, Path]]) -> tuple[list[ClassFolder], list[tuple[str, Path]], list[Remark]]:
    """The class folders of the parts, the images outside of them, and notes on parts without class folders."""
    classes: list[ClassFolder] = []
    ignored: list[tuple[str, Path]] = []
    notes: list[Remark] = []
    classes_to_train = {folder.name for part, place in parts if part == "train" for folder in list_class_folders(place)}
    for part, place in parts:
        if not has_files(place) and not list_folders(place):
            notes.append(Remark((place,), f"{place.name} is empty, so the data bring no {part} part"))
            ignored += list_stray_images(place)
            continue
        inner = unwrap_folder(place)
        folders = list_folders(inner)
        strays = [image for folder in dict.fromkeys((place, inner)) for image in list_stray_images(folder)]
        if part == "train" or not has_no_labels(folders, classes_to_train):
            classes += [ClassFolder(part, folder, list_image_files(folder)) for folder in folders]
            ignored += strays
            continue
        ignored += [(NO_LABELS_REASON if reason == LOOSE_REASON else reason, path) for reason, path in strays]
        ignored += [(NO_LABELS_REASON, file.path) for folder in folders for file in list_image_files(folder).files]
        if part == "test":
            text = f"the images of {place.name} have no labels, so that 20 % of each class become the test instead"
            notes.append(Remark((place,), text))
    return classes, ignored, notes


def describe_one_class(root: Path, folders: Sequence[ClassFolder]) -> str:
    """A message for a layout with a single class, given its folders."""
    folder = max(folders, key=lambda folder: len(folder.listing.folders))
    if wrapper := describe_wrapper(root, folder):
        return f"one class only ({folder.name}); {wrapper}"
    images = describe_loose_images([folder.path, root])
    hint = f", {images}" if "(" in images else ""  # a mere number of images is no hint
    return f"one class only ({folder.name}){hint}; a comparison needs two or more, each in a folder of its own"


def check_layout(layout: Layout) -> None:
    """Checks that there are two or more classes, each with images, and no problem.

    Raises:
        HeadstartError: there are fewer classes, a folder cannot be read, or the layout has a problem.
    """
    root = layout.root
    for folder in layout.classes:
        for path, reason in folder.listing.errors:
            raise HeadstartError(f"{path}: {reason}")
    with_files = [folder for folder in layout.classes if folder.listing.files]
    if not with_files:
        raise HeadstartError(f"data.root={root}: no images in it (docs/inputs.md names the formats)")
    if empty := sorted({folder.name for folder in layout.classes} - {folder.name for folder in with_files}):
        raise HeadstartError(
            f"data.root={root}: no images in class {join_with_limit(empty)}; fill or remove the folder"
        )
    if len({folder.name for folder in with_files}) < 2:
        raise HeadstartError(f"data.root={root}: {describe_one_class(root, with_files)}")
    if layout.problems:
        raise HeadstartError(f"data.root={root}: {layout.problems[0].text}")
